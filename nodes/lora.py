"""Nodes that add small trained changes to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple, cast

from diffusion.patches.apply import patch_clip, patch_model
from diffusion.patches.file import read_adapters
from graph import ModelFile, Slider, node
from nodes.types import CLIP, Model


class Patched(NamedTuple):
    """`clip` is None where none came in."""

    model: Model
    clip: CLIP


@node("LoRALoader", category="loaders", title="Load LoRA", resource="gpu")
def lora_loader(
    model: Model,
    lora: Annotated[Path, ModelFile("loras")],
    clip: CLIP | None = None,
    strength_model: Annotated[float, Slider(-4, 4, 0.05)] = 1.0,
    strength_clip: Annotated[float, Slider(-4, 4, 0.05)] = 1.0,
) -> Patched:
    """Teach a model a style, a character or a subject from a small file, and leave the model itself as it is.

    model: from a loader. clip: the text encoder that goes with it; without one, only the model learns. lora: a file in
    models/loras, a LoRA or one of its kin (LoHa, LoKr, DoRA, OFT, ...), made for this kind of model. strength_model,
    strength_clip: how much of it is added to each; 0 is none, 1 is as it was trained, below 0 takes it away.
    """
    if strength_model == 0 and (clip is None or strength_clip == 0):
        return Patched(model, cast(CLIP, clip))
    adapters = read_adapters(lora)
    patched_clip = None if clip is None else patch_clip(clip, adapters, strength_clip)
    return Patched(patch_model(model, adapters, strength_model), cast(CLIP, patched_clip))
