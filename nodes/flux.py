"""The node with what Flux takes beside a prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from diffusion.families.flux import Fit
from graph import Slider, node
from nodes.types import Model


@node("FluxGuidance", category="model", title="Flux guidance")
def flux_guidance(model: Model, guidance: Annotated[float, Slider(0, 100, 0.1)] = 3.5) -> Model:
    """Tell Flux dev how closely to follow the prompt: it learned to, so cfg stays at 1 and each step is one pass.

    model: Flux dev. guidance: less than 3.5 looks less polished, more follows the prompt more closely.
    """
    if not isinstance(model.fit, Fit) or model.fit.guidance is None:
        raise ValueError("model: expected Flux dev, which takes a guidance scale")
    origin = f"{model.origin} guidance({guidance})"
    return replace(model, fit=replace(model.fit, guidance=guidance), origin=origin)
