"""Curves drawn with Pillow, as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont
from torch import Tensor

_INK, _PALE, _LINE, _BAND, _PAPER = (40, 40, 48), (190, 190, 200), (36, 99, 235), (226, 236, 252), (255, 255, 255)
_MARGIN = 44


@dataclass(frozen=True)
class Curve:
    """Values over 0, 1, 2, ...; `solid` those that are drawn strongly, `band` those on a coloured ground."""

    title: str
    values: Sequence[float]
    solid: range
    band: Sequence[bool]


def plots(curves: Sequence[Curve], width: int, height: int) -> Tensor:
    """One beside the other, 3 H W in 0..1, each `width` x `height` pixels."""
    page = Pictures.new("RGB", (width * len(curves), height), _PAPER)
    for number, curve in enumerate(curves):
        _draw(ImageDraw.Draw(page), curve, number * width, width, height)
    values = torch.frombuffer(bytearray(page.tobytes()), dtype=torch.uint8)
    return values.view(height, width * len(curves), 3).permute(2, 0, 1).float() / 255


def _draw(page: ImageDraw.ImageDraw, curve: Curve, left: int, width: int, height: int) -> None:
    font = ImageFont.load_default(12)
    x0, x1, y0, y1 = left + _MARGIN, left + width - 12, 28, height - 26
    low, high = min(curve.values), max(curve.values)
    span, last = (high - low) or 1.0, max(len(curve.values) - 1, 1)
    points = [(x0 + (x1 - x0) * i / last, y1 - (y1 - y0) * (v - low) / span) for i, v in enumerate(curve.values)]
    half = (x1 - x0) / last / 2
    for (x, _), inside in zip(points, curve.band, strict=True):
        if inside:
            page.rectangle((max(x0, x - half), y0, min(x1, x + half), y1), fill=_BAND)
    page.line((x0, y0, x0, y1, x1, y1), fill=_INK)
    page.text((x0, 6), curve.title, fill=_INK, font=font)
    for value, y in ((high, y0), (low, y1)):
        page.text((x0 - 6, y), f"{value:.3g}", fill=_INK, font=font, anchor="rm")
    for number in (0, last):
        page.text((points[min(number, len(points) - 1)][0], y1 + 6), str(number), fill=_INK, font=font, anchor="ma")
    page.line([xy for point in points for xy in point], fill=_PALE, width=2)
    strong = [points[i] for i in curve.solid if i < len(points)]
    page.line([xy for point in strong for xy in point], fill=_LINE, width=2)
    for x, y in strong:
        page.ellipse((x - 2.5, y - 2.5, x + 2.5, y + 2.5), fill=_LINE)
