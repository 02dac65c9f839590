"""Nodes that make a model out of models."""

from __future__ import annotations

from typing import Annotated

from diffusion.merge import merge_models
from graph import Slider, node
from nodes.types import Model


@node("ModelMerge", category="model", title="Merge models", resource="gpu")
def model_merge(model_a: Model, model_b: Model, ratio: Annotated[float, Slider(0, 1, 0.05)] = 0.5) -> Model:
    """Mix two models of one kind into a third that paints a bit like both.

    model_a, model_b: from loaders. ratio: how much of B is in the mix; 0 is A, 1 is B.
    """
    return merge_models(model_a, model_b, ratio)
