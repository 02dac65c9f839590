"""Nodes that show what a model looks at."""

from __future__ import annotations

import re
from typing import Annotated

import torch.nn.functional as F

from diffusion.attention_maps import attention_maps
from diffusion.unfit import Unfit
from graph import Seed, Slider, Text, node
from nodes.types import Conditioning, Image, Latent, Model


@node("AttentionMaps", category="understanding", title="What words look at", resource="gpu")
def attention_maps_node(
    model: Model,
    positive: Conditioning,
    latent: Latent,
    tokens: Annotated[str, Text()] = "1-8",
    levels: Annotated[int, Slider(1, 50)] = 4,
    seed: Annotated[int, Seed()] = 0,
) -> Image:
    """Which parts of a picture each token of its prompt has to do with, one gray picture for each token.

    model: that painted it. positive: the prompt it was painted with. latent: the painted one, from the sampler. tokens:
    numbers and ranges such as `1-4, 7`; 0 is the mark of the beginning, and Tokens of a prompt tells which is which.
    levels: at how many noise levels to look. seed: which noise is put on. White is the most that any of the tokens
    shown gets anywhere.
    """
    try:
        maps_SHW = attention_maps(model, positive, latent.samples_BCHW, levels, seed)
    except Unfit as error:
        raise ValueError(f"positive: {error}") from error
    wanted = token_numbers(tokens, len(maps_SHW))
    shown_T1HW = maps_SHW[wanted][:, None]
    scale = model.latent_format.downscale
    picture = F.interpolate(shown_T1HW / shown_T1HW.amax().clamp_min(1e-12), scale_factor=scale, mode="nearest")
    return Image(picture.expand(-1, 3, -1, -1).contiguous())


def token_numbers(text: str, there: int) -> list[int]:
    """Numbers from `1-4, 7`. ValueError for what is no number of a token that is there."""
    found: list[int] = []
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        ends = re.fullmatch(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?", piece)
        if ends is None:
            raise ValueError(f"tokens: expected numbers and ranges such as 1-4, 7, got {piece!r}")
        found += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    if not found or max(found) >= there:
        raise ValueError(f"tokens: expected numbers from 0 to {there - 1}, got {text!r}")
    return found
