"""How classifier-free guidance joins two estimates, how far it goes at each level, and what a model adds to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from diffusion.curve import value_at
from diffusion.hooks import NO_HOOKS, Hooks
from diffusion.prediction import Prediction


class Moment(NamedTuple):
    """Where a run is: the noisy latent, its level, and how much of a clean latent there is in it at that level."""

    x_BCHW: Tensor
    sigma: float
    alpha: float


class Ask(Protocol):
    """The clean estimates at a moment under some of a guide's conditionings, by their places: 0 is the positive one, 1
    the negative one."""

    def __call__(self, at: Moment, places: Sequence[int], hooks: Hooks = NO_HOOKS, /) -> list[Tensor]: ...


class Join(Protocol):
    """An estimate guided away from one and towards another; scale 1 is `towards`. May remember the steps before."""

    def __call__(self, at: Moment, towards: Tensor, away: Tensor, scale: float, /) -> Tensor: ...


class Term(Protocol):
    """What is added to the guided estimate, of those under the positive and the negative conditioning. The latter is
    None where it has no weight."""

    def __call__(self, ask: Ask, at: Moment, towards: Tensor, away: Tensor | None, /) -> Tensor: ...


@dataclass(frozen=True)
class Span:
    """A part of the way from noise to picture, as fractions of the schedule's time."""

    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end <= 1:
            raise ValueError(f"start and end: expected 0 <= start <= end <= 1, got {self.start} and {self.end}")

    def has(self, prediction: Prediction, sigma: float) -> bool:
        return prediction.level(self.end) <= sigma <= prediction.level(self.start)


WHOLE = Span()


def plain(_prediction: Prediction) -> Join:
    """Away from one, towards the other (Ho & Salimans, arXiv 2207.12598, equation 6)."""

    def join(_at: Moment, towards: Tensor, away: Tensor, scale: float) -> Tensor:
        return away + scale * (towards - away)

    return join


def on_first_channels(count: int) -> Callable[[Prediction], Join]:
    """Plain guidance of the first channels of a latent, the others as under the positive conditioning: the published
    pictures of DiT were sampled so, on 3 of 4 (Peebles & Xie, arXiv 2212.09748, in its code)."""

    def make(_prediction: Prediction) -> Join:
        def join(_at: Moment, towards: Tensor, away: Tensor, scale: float) -> Tensor:
            guided = away[:, :count] + scale * (towards[:, :count] - away[:, :count])
            return torch.cat((guided, towards[:, count:]), dim=1)

        return join

    return make


@dataclass(frozen=True)
class Guidance:
    """`join` is made anew for each run. Outside `span` the scale is 1. `curve`, if any, gives the scale in place of the
    sampler's: (progress 0..1, scale) in order of progress, straight between. `terms` count within their spans."""

    join: Callable[[Prediction], Join] = plain
    span: Span = WHOLE
    curve: tuple[tuple[float, float], ...] = ()
    terms: tuple[tuple[Term, Span], ...] = ()

    def scale(self, scale: float, prediction: Prediction, sigma: float) -> float:
        """How far to go at a level where the sampler says `scale`."""
        if not self.span.has(prediction, sigma):
            return 1.0
        return value_at(self.curve, progress(prediction, sigma)) if self.curve else scale


PLAIN = Guidance()


def progress(prediction: Prediction, sigma: float) -> float:
    """The fraction of the schedule that is past at a level: what `prediction.level` makes that level of."""
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if prediction.level(middle) > sigma else (low, middle)
    return (low + high) / 2


def rescaled(amount: float) -> Callable[[Prediction], Join]:
    """Guided, then brought back by `amount` 0..1 to the deviation of the positive one, picture by picture, as the
    network puts it: in noise, v or velocity (Lin et al., arXiv 2305.08891, section 3.4)."""

    def make(prediction: Prediction) -> Join:
        def join(at: Moment, towards: Tensor, away: Tensor, scale: float) -> Tensor:
            positive, negative = (_output(prediction, at, estimate) for estimate in (towards, away))
            guided = negative + scale * (positive - negative)
            back = guided * (_deviation(positive) / _deviation(guided).clamp_min(1e-12))
            return prediction.denoised(at.x_BCHW, amount * back + (1 - amount) * guided, at.sigma)

        return join

    return make


def zero_star(zero_start: bool) -> Callable[[Prediction], Join]:
    """The negative output scaled to be as near to the positive one as it can, picture by picture; with `zero_start` the
    first step follows no output at all (CFG-Zero*, Fan et al., arXiv 2503.18886, algorithm 1)."""

    def make(prediction: Prediction) -> Join:
        first: list[float] = []

        def join(at: Moment, towards: Tensor, away: Tensor, scale: float) -> Tensor:
            if not first:
                first.append(at.sigma)
            if zero_start and at.sigma == first[0]:
                return prediction.denoised(at.x_BCHW, torch.zeros_like(towards), at.sigma)
            positive, negative = (_output(prediction, at, estimate) for estimate in (towards, away))
            fit = dot(positive, negative) / dot(negative, negative).clamp_min(1e-8)
            guided = fit * negative + scale * (positive - fit * negative)
            return prediction.denoised(at.x_BCHW, guided, at.sigma)

        return join

    return make


def projected(parallel: float, most: float, momentum: float) -> Callable[[Prediction], Join]:
    """Adaptive projected guidance (Sadat et al., arXiv 2410.02416, algorithm 1): of the way from one estimate to the
    other the part along the positive one, which oversaturates, counts `parallel`; it is no longer than `most` (0: no
    limit); `momentum` times the ways before is added, negative to push against them."""

    def make(_prediction: Prediction) -> Join:
        before: list[Tensor] = []

        def join(_at: Moment, towards: Tensor, away: Tensor, scale: float) -> Tensor:
            way = towards - away
            if momentum and before:
                way = way + momentum * before.pop()
            before[:] = [way]
            if most > 0:
                way = way * (most / dot(way, way).sqrt().clamp_min(1e-8)).clamp_max(1.0)
            along = dot(way, towards) / dot(towards, towards).clamp_min(1e-8) * towards
            return towards + (scale - 1) * (way - along + parallel * along)

        return join

    return make


def _output(prediction: Prediction, at: Moment, denoised: Tensor) -> Tensor:
    """What the network said, of what was made of it: at a level that is a straight line."""
    nothing = torch.zeros((1, 1, 1, 1), dtype=denoised.dtype, device=denoised.device)
    unit = prediction.denoised(nothing, nothing + 1, at.sigma)
    return (denoised - prediction.denoised(at.x_BCHW, nothing, at.sigma)) / unit


def _deviation(x_BCHW: Tensor) -> Tensor:
    return x_BCHW.std((1, 2, 3), keepdim=True)


def dot(a_BCHW: Tensor, b_BCHW: Tensor) -> Tensor:
    """Inner products, picture by picture: B 1 1 1."""
    return (a_BCHW * b_BCHW).sum((1, 2, 3), keepdim=True)
