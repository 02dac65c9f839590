"""Two CLIP towers side by side: the columns of L, then those of G, then zeros."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion.text.encode import Encoding
from diffusion.text.said import UNSAID, Said

L_WIDTH = 768
G_WIDTH = 1280
TOKENS = 77


class Joined(NamedTuple):
    """What both towers say. `said`: by the first of them that is there."""

    context_1LD: Tensor
    pooled_1P: Tensor
    said: Said


def join_clip(encodings: Mapping[str, Encoding], context_width: int, pooled_width: int) -> Joined:
    """Rows `context_width` wide and a vector `pooled_width` wide of the towers "clip_l" and "clip_g".

    A missing tower leaves zeros in its columns (768 of L, 1280 of G, less where that leaves the other too few). The
    longer of two texts is cut. ValueError if the towers are wider than the whole.
    """
    both = [encodings.get(name) for name in ("clip_l", "clip_g")]
    present = [encoding for encoding in both if encoding is not None]
    length = min((encoding.context_1LD.shape[1] for encoding in present), default=TOKENS)
    contexts = [None if encoding is None else encoding.context_1LD[:, :length] for encoding in both]
    pooled = [None if encoding is None else encoding.pooled_1P for encoding in both]
    return Joined(
        _side_by_side(contexts, torch.zeros(1, length, 0), context_width),
        _side_by_side(pooled, torch.zeros(1, 0), pooled_width),
        next((encoding.said for encoding in present), UNSAID),
    )


def _side_by_side(parts: list[Tensor | None], empty: Tensor, width: int) -> Tensor:
    joined, left = empty, width - sum(part.shape[-1] for part in parts if part is not None)
    if left < 0:
        raise ValueError(f"text encoders: together they are {width - left} wide, the network takes {width}")
    for part, usual in zip(parts, (L_WIDTH, G_WIDTH), strict=True):
        missing = min(usual, left) if part is None else 0
        left -= missing
        joined = F.pad(joined, (0, missing)) if part is None else torch.cat((joined, part), dim=-1)
    return F.pad(joined, (0, left))
