"""What a model listens to: entries of encoded text, each for a part of the picture and of the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

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

    `context_BLD`: one row for each token. `pooled_BD`: one vector for the whole text, absent where the family has none.
    `mask_BHW` in 0..1, of any size, is stretched over the picture; with an `area` too, it counts there alone. From
    `start` to `end`: fractions of the schedule, see `Prediction.level`. `sizes`: None for those of the picture.
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
    controls: tuple[object, ...] = ()


@dataclass(frozen=True)
class Conditioning:
    """Entries whose estimates are blended, pixel by pixel, by their weights."""

    entries: tuple[Entry, ...]

    @staticmethod
    def of(context_BLD: Tensor, pooled_BD: Tensor | None = None) -> Conditioning:
        """One text for the whole picture and all of the way."""
        return Conditioning((Entry(context_BLD, pooled_BD),))

    def each(self, change: Callable[[Entry], Entry]) -> Conditioning:
        """Every entry changed."""
        return Conditioning(tuple(change(entry) for entry in self.entries))
