"""The node that names a class, for models that paint classes instead of reading text."""

from __future__ import annotations

from typing import Annotated

from diffusion.families.dit import NO_CLASS, conditioning
from graph import Slider, node
from nodes.types import Conditioning


@node("ClassLabel", category="conditioning", title="Class")
def class_label(label: Annotated[int, Slider(-1, NO_CLASS - 1)] = -1) -> Conditioning:
    """Say what a DiT is to paint by the number of its class, such as 207 for a golden retriever in ImageNet.

    label: -1 for no class in particular, which is what the negative of a sampler takes.
    """
    return conditioning(None if label < 0 else label)
