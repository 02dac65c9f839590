"""Nodes that show what a model looks at."""

from __future__ import annotations

import base64
import json
import re
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion.attention_maps import attention_maps
from diffusion.unfit import Unfit
from graph import NO_CONTEXT, Context, OutputFile, OutputName, Seed, Slider, Text, node
from nodes.types import Conditioning, Image, Latent, Model

_Levels = Annotated[int, Slider(1, 50)]
_Seed = Annotated[int, Seed()]
_MOST_CELLS = 64
"""A side of a map that is laid over a picture; the attention of most networks is no finer."""


@node("AttentionMaps", category="understanding", title="What words look at", resource="gpu")
def attention_maps_node(
    model: Model,
    positive: Conditioning,
    latent: Latent,
    tokens: Annotated[str, Text()] = "1-8",
    levels: _Levels = 4,
    seed: _Seed = 0,
) -> Image:
    """Which parts of a picture each token of its prompt has to do with, one gray picture for each token.

    model: that painted it. positive: the prompt it was painted with. latent: the painted one, from the sampler. tokens:
    numbers and ranges such as `1-4, 7`; 0 is the mark of the beginning, and Tokens of a prompt tells which is which.
    levels: at how many noise levels to look. seed: which noise is put on. White is the most that any of the tokens
    shown gets anywhere.
    """
    maps_SHW = _looked(model, positive, latent.samples_BCHW[:1], levels, seed)
    wanted = token_numbers(tokens, len(maps_SHW))
    shown_T1HW = maps_SHW[wanted][:, None]
    scale = model.latent_format.downscale
    picture = F.interpolate(shown_T1HW / shown_T1HW.amax().clamp_min(1e-12), scale_factor=scale, mode="nearest")
    return Image(picture.expand(-1, 3, -1, -1).contiguous())


@node("AttentionView", category="understanding", title="Words over the picture", sink=True, resource="gpu")
def attention_view(
    model: Model,
    positive: Conditioning,
    latent: Latent,
    levels: _Levels = 4,
    seed: _Seed = 0,
    prefix: Annotated[str, OutputName()] = "attention/weft",
    ctx: Context = NO_CONTEXT,
) -> list[OutputFile]:
    """Record which parts of a picture each word of its prompt has to do with; the viewer lays them over the picture.

    model: that painted it. positive: the prompt it was painted with. latent: the painted one, from the sampler, which
    the picture is decoded from; of a batch every one. levels: at how many noise levels to look. seed: which noise is
    put on. prefix: how the name of the file begins.
    """
    said, items = positive.entries[0].said, latent.samples_BCHW
    rows = [row for row, (start, end) in enumerate(said.spans) if end > start]
    if not rows:
        raise ValueError("positive: expected a prompt with words, got one without")
    pictures: list[dict[str, object]] = []
    for number in range(len(items)):
        ctx.progress(number, len(items))
        pictures.append(packed(_looked(model, positive, items[number : number + 1], levels, seed)[rows]))
    told = {"text": said.text, "tokens": [_units(said.text, *said.spans[row]) for row in rows], "pictures": pictures}
    data = json.dumps(told, ensure_ascii=False).encode()
    return [ctx.save(data, prefix=prefix, media_type="application/json", width=0, height=0, temporary=False)]


def packed(maps_SHW: Tensor) -> dict[str, object]:
    """Maps as data, of at most 64 cells a side: width, height, the peak of each, and in base64 their bytes, row by row
    and one map after the other, 255 being the map's own peak."""
    _, height, width = maps_SHW.shape
    scale = min(1.0, _MOST_CELLS / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    small_SHW = F.interpolate(maps_SHW[None], size, mode="area")[0]
    peaks_S = small_SHW.amax((1, 2))
    levels_SHW = (255 * small_SHW / peaks_S.clamp_min(1e-12)[:, None, None]).round().to(torch.uint8)
    maps = base64.b64encode(levels_SHW.numpy().tobytes()).decode()
    return {"width": size[1], "height": size[0], "peaks": [round(float(peak), 6) for peak in peaks_S], "maps": maps}


def _looked(model: Model, positive: Conditioning, latent_1CHW: Tensor, levels: int, seed: int) -> Tensor:
    try:
        return attention_maps(model, positive, latent_1CHW, levels, seed)
    except Unfit as error:
        raise ValueError(f"positive: {error}") from error


def _units(text: str, *span: int) -> list[int]:
    """From which to which UTF-16 unit, by which browsers count, a span of letters goes."""
    return [len(text[:letter].encode("utf-16-le")) // 2 for letter in span]


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
