"""Where each entry of a conditioning counts, and how much, on latents of a given size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion.conditioning import Conditioning, Entry, Rectangle
from diffusion.controls import Control

FEATHER = 8
"""The widest a rectangle fades out towards its neighbours, in latent cells."""


class Window(NamedTuple):
    """A rectangle of latent cells."""

    top: int
    left: int
    height: int
    width: int

    def of(self, x: Tensor) -> Tensor:
        """That part of the last two dimensions."""
        return x[..., self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True)
class Part:
    """An entry at work: its estimate of `window` counts with `weight`, a number or B|1 1 h w."""

    entry: Entry
    window: Window
    weight: float | Tensor


def window(area: Rectangle | None, height: int, width: int, downscale: int) -> Window:
    """The latent cells of a rectangle, at least one, within latents of that size."""
    if area is None:
        return Window(0, 0, height, width)
    if area.unit == "pixels":
        cells = [int(value) // downscale for value in (area.top, area.left, area.height, area.width)]
    else:
        sides = (height, width, height, width)
        cells = [round(v * n) for v, n in zip((area.top, area.left, area.height, area.width), sides, strict=True)]
    top, left = min(max(cells[0], 0), height - 1), min(max(cells[1], 0), width - 1)
    return Window(top, left, min(max(cells[2], 1), height - top), min(max(cells[3], 1), width - left))


def part(entry: Entry, x_BCHW: Tensor, downscale: int) -> Part | None:
    """Where an entry counts; None for nowhere. A rectangle without a mask fades at edges inside the picture."""
    height, width = x_BCHW.shape[2:]
    cells = window(entry.area, height, width, downscale)
    if entry.strength == 0:
        return None
    if entry.mask_BHW is not None:
        weight_B1HW = cells.of(sized(entry.mask_BHW, height, width))[:, None].to(x_BCHW.device) * entry.strength
        return Part(entry, cells, weight_B1HW) if weight_B1HW.any() else None
    if entry.area is None:
        return Part(entry, cells, entry.strength)
    down_H1 = _fade(cells.height, cells.top > 0, cells.top + cells.height < height)[:, None]
    across_W = _fade(cells.width, cells.left > 0, cells.left + cells.width < width)
    return Part(entry, cells, (entry.strength * down_H1 * across_W)[None, None].to(x_BCHW.device))


def _fade(length: int, near: bool, far: bool) -> Tensor:
    """Ones that begin at `near`, and end at `far`, with an even rise over a quarter of the length."""
    values = torch.ones(length)
    ramp = min(FEATHER, length // 4)
    rise = torch.arange(1, ramp + 1) / max(ramp, 1)
    if near:
        values[:ramp] *= rise
    if far:
        values[length - ramp :] *= rise.flip(0)
    return values


def sized(mask_BHW: Tensor, height: int, width: int) -> Tensor:
    """A mask of that size, resized between pixels where it is not."""
    if mask_BHW.shape[1:] == (height, width):
        return mask_BHW
    return F.interpolate(mask_BHW[:, None], (height, width), mode="bilinear", align_corners=False)[:, 0]


def placed(conditionings: Sequence[Conditioning], x_BCHW: Tensor) -> list[Conditioning]:
    """Texts on the device of latents, masks and controls at their size too, and what pictures give to attention, so
    that no step has to bring or make it.

    What several conditionings share, they share afterwards.
    """
    size, device = x_BCHW.shape[2:], x_BCHW.device
    fitted: dict[int, Control] = {}

    def fit(control: Control) -> Control:
        if id(control) not in fitted:
            fitted[id(control)] = control.fitted(*size)
        return fitted[id(control)]

    def place(entry: Entry) -> Entry:
        mask, pooled = entry.mask_BHW, entry.pooled_BD
        return replace(
            entry,
            context_BLD=entry.context_BLD.to(device),
            pooled_BD=None if pooled is None else pooled.to(device),
            mask_BHW=None if mask is None else sized(mask, *size).to(device),
            controls=tuple(fit(control) for control in entry.controls),
            pictures=tuple(picture.ready() for picture in entry.pictures),
        )

    return [conditioning.each(place) for conditioning in conditionings]


def bounds(mask_BHW: Tensor) -> Rectangle | None:
    """The smallest rectangle, in fractions, around all that a mask marks; None where it marks nothing."""
    marked_HW = mask_BHW.amax(0) > 0
    if not marked_HW.any():
        return None
    height, width = marked_HW.shape
    rows, columns = marked_HW.any(1).nonzero(), marked_HW.any(0).nonzero()
    top, left = int(rows[0]), int(columns[0])
    down, across = int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left
    return Rectangle(left / width, top / height, across / width, down / height, "fractions")


def aligned(conditionings: Sequence[Conditioning]) -> list[Conditioning]:
    """Every rectangle of one in the others too, with the text of the smallest entry there that contains it.

    What is compared, pixel by pixel, then comes from the same windows of the picture.
    """
    result: list[Conditioning] = []
    for number, own in enumerate(conditionings):
        entries = list(own.entries)
        theirs = [entry for other in (*conditionings[:number], *conditionings[number + 1 :]) for entry in other.entries]
        for entry in theirs:
            if entry.area is not None and (smallest := _smallest_around(entry.area, own.entries)) is not None:
                if smallest.area != entry.area:
                    text = replace(
                        entry,
                        context_BLD=smallest.context_BLD,
                        pooled_BD=smallest.pooled_BD,
                        sizes=smallest.sizes,
                        reference=smallest.reference,
                        controls=smallest.controls,
                        pictures=smallest.pictures,
                    )
                    entries.append(text)
        result.append(Conditioning(tuple(entries)))
    return result


def _smallest_around(area: Rectangle, entries: Sequence[Entry]) -> Entry | None:
    """The entry of the smallest rectangle around `area`; one without a rectangle is around everything."""

    def contains(outer: Rectangle | None) -> bool:
        return outer is None or (
            outer.unit == area.unit
            and outer.left <= area.left
            and outer.top <= area.top
            and outer.left + outer.width >= area.left + area.width
            and outer.top + outer.height >= area.top + area.height
        )

    def size(entry: Entry) -> float:
        return float("inf") if entry.area is None else entry.area.width * entry.area.height

    return min((entry for entry in entries if contains(entry.area)), key=size, default=None)
