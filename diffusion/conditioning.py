"""What a model listens to: entries of encoded text, each for a part of the picture and of the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion.controls import Control
from diffusion.picture_prompts import PicturePrompt
from diffusion.text.said import UNSAID, Said

Unit = Literal["pixels", "fractions"]


@dataclass(frozen=True)
class Rectangle:
    """A part of a picture, in pixels or in fractions of its sides; what lies outside of the picture is cut."""

    left: float
    top: float
    width: float
    height: float
    unit: Unit = "pixels"


@dataclass(frozen=True)
class Sizes:
    """What a network may be told of its picture: the size it had, the corner it was cropped at, the size it is to look
    like it has, all in pixels, and how beautiful it is, 1..10."""

    height: int
    width: int
    top: int
    left: int
    target_height: int
    target_width: int
    aesthetic: float = 6.0

    @staticmethod
    def of(height: int, width: int) -> Sizes:
        """A picture that was never cropped."""
        return Sizes(height, width, 0, 0, height, width)


@dataclass(frozen=True)
class Reference:
    """A picture to start from, for networks that take one beside the noisy latent: raw latents of the size of the
    sampled ones, and for those that paint into it the mask B H W of what to paint, 1, and what to keep, 0."""

    latent_BCHW: Tensor
    mask_BHW: Tensor | None = None


@dataclass(frozen=True)
class Entry:
    """One encoded text, float32, with where, when and how much it counts.

    `context_BLD`: one row for each token, of which `said` tells what they stand for. `pooled_BD`: one vector for the
    whole text, absent where the family has none. `mask_BHW` in 0..1, of any size, is stretched over the picture; with
    an `area` too, it counts there alone. From `start` to `end`: fractions of the schedule, see `Prediction.level`.
    `sizes`: None for those of the picture.
    """

    context_BLD: Tensor
    pooled_BD: Tensor | None = None
    strength: float = 1.0
    area: Rectangle | None = None
    mask_BHW: Tensor | None = None
    start: float = 0.0
    end: float = 1.0
    sizes: Sizes | None = None
    reference: Reference | None = None
    controls: tuple[Control, ...] = ()
    pictures: tuple[PicturePrompt, ...] = ()
    said: Said = UNSAID


@dataclass(frozen=True)
class Conditioning:
    """Entries whose estimates are blended, pixel by pixel, by their weights."""

    entries: tuple[Entry, ...]

    @staticmethod
    def of(context_BLD: Tensor, pooled_BD: Tensor | None = None, said: Said = UNSAID) -> Conditioning:
        """One text for the whole picture and all of the way."""
        return Conditioning((Entry(context_BLD, pooled_BD, said=said),))

    def each(self, change: Callable[[Entry], Entry]) -> Conditioning:
        """Every entry changed."""
        return Conditioning(tuple(change(entry) for entry in self.entries))


def combined(conditionings: Sequence[Conditioning]) -> Conditioning:
    """All of them side by side, each with its own estimate."""
    return Conditioning(tuple(entry for conditioning in conditionings for entry in conditioning.entries))


def continued(conditioning: Conditioning, more: Conditioning) -> Conditioning:
    """One text read after another: the tokens of `more`, which is a single entry, behind those of every entry."""
    appended = _only(more)

    def append(entry: Entry) -> Entry:
        context_BLD = torch.cat(_same_batch(entry.context_BLD, appended.context_BLD), dim=1)
        return replace(entry, context_BLD=context_BLD, said=entry.said.then(appended.said, entry.context_BLD.shape[1]))

    return conditioning.each(append)


def mixed(a: Conditioning, b: Conditioning, ratio: float) -> Conditioning:
    """Between two texts, 0 is `a`, 1 is `b`: every token of `a` with that of `b`, a single entry, at the same place.

    `b` is cut to the tokens of `a`, or goes on in zeros.
    """
    other = _only(b)

    def mix(entry: Entry) -> Entry:
        length = entry.context_BLD.shape[1]
        other_BLD = F.pad(other.context_BLD[:, :length], (0, 0, 0, max(0, length - other.context_BLD.shape[1])))
        context_BLD = torch.lerp(*_same_batch(entry.context_BLD, other_BLD), ratio)
        pooled = [vector for vector in (entry.pooled_BD, other.pooled_BD) if vector is not None]
        pooled_BD = torch.lerp(*_same_batch(pooled[0], pooled[-1]), ratio) if pooled else None
        return replace(entry, context_BLD=context_BLD, pooled_BD=pooled_BD)

    return a.each(mix)


def silenced(conditioning: Conditioning) -> Conditioning:
    """The same without any words: all zeros."""

    def zero(entry: Entry) -> Entry:
        pooled = entry.pooled_BD
        return replace(
            entry,
            context_BLD=torch.zeros_like(entry.context_BLD),
            pooled_BD=None if pooled is None else torch.zeros_like(pooled),
            said=UNSAID,
        )

    return conditioning.each(zero)


def _only(conditioning: Conditioning) -> Entry:
    if len(conditioning.entries) != 1:
        raise ValueError(f"conditioning: expected one text, got {len(conditioning.entries)} combined ones")
    return conditioning.entries[0]


def _same_batch(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both, of one width, with as many items as the larger."""
    if first.shape[-1] != second.shape[-1]:
        raise ValueError(
            f"conditioning: expected texts of one kind of encoder, got one {first.shape[-1]} wide and one "
            f"{second.shape[-1]} wide"
        )
    items = max(len(first), len(second))
    return _repeated(first, items), _repeated(second, items)


def _repeated(tensor: Tensor, items: int) -> Tensor:
    return tensor.expand(items, *tensor.shape[1:]) if len(tensor) == 1 else tensor
