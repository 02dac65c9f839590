"""Samplers, one file each, named as its file, with `SAMPLER = Sampler(sample)` for a function
`sample(denoise, x, sigmas, alpha, noise, on_step) -> x`.

A sampler follows a noisy latent down the levels `sigmas`, calling `denoise(x, sigma)` for the clean estimate; one that
is `Informed` gets all of what the guidance gives. `alpha` is the signal coefficient of
`x = alpha(sigma) * x0 + sigma * noise`, all it knows of the kind of model; `noise(n)` is the unit noise of draw
n = 1, 2, ..., as many for every step; `on_step` is told of each step and may raise to stop.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.schedules import Schedule, Sigmas, unchanged

Denoiser = Callable[[Tensor, float], Tensor]


class Guided(NamedTuple):
    """A clean estimate, and the one it was guided away from: itself where nothing was. `spread`: see
    `Prediction.spread`, under the positive conditioning."""

    estimate: Tensor
    away: Tensor
    spread: Tensor | None = None


GuidedDenoiser = Callable[[Tensor, float, bool], Guided]
"""Of a noisy latent, its level, and whether `away` is needed."""


@dataclass(frozen=True)
class Step:
    """A finished step: number 1..total, the latent it led to, and the clean estimate it was made from."""

    number: int
    total: int
    x: Tensor
    denoised: Tensor


OnStep = Callable[[Step], None]


class Follow(Protocol):
    def __call__(
        self, denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep, /
    ) -> Tensor: ...


@dataclass(frozen=True)
class Sampler:
    """A way down the levels, and how it wants schedules to be. `draws`: how often a step draws noise, if it does.
    `upwards`: it follows levels that rise, too."""

    follow: Follow
    adapt: Callable[[Schedule], Schedule] = unchanged
    draws: int = 1
    upwards: bool = False
    with_eta: Callable[[float], Follow] | None = None

    def run(
        self, denoise: GuidedDenoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep
    ) -> Tensor:
        return self.follow(lambda x, sigma: denoise(x, sigma, False).estimate, x, sigmas, alpha, noise, on_step)


class FollowGuided(Protocol):
    def __call__(
        self,
        denoise: Callable[[Tensor, float], Guided],
        x: Tensor,
        sigmas: Sigmas,
        alpha: Alpha,
        noise: Noise,
        on_step: OnStep,
        /,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Informed:
    """A sampler that reads all of what the guidance gives; with `both`, what it guides away from at every level."""

    follow: FollowGuided
    both: bool
    adapt: Callable[[Schedule], Schedule] = unchanged
    draws: int = 1
    upwards: bool = False

    def run(
        self, denoise: GuidedDenoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep
    ) -> Tensor:
        return self.follow(lambda x, sigma: denoise(x, sigma, self.both), x, sigmas, alpha, noise, on_step)


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> Sampler | Informed:
    """The sampler of that name; ValueError with the names there are if there is none."""
    if name not in names():
        raise ValueError(f"sampler: expected one of {', '.join(names())}, got {name!r}")
    sampler: Sampler | Informed = importlib.import_module(f"{__name__}.{name}").SAMPLER
    return sampler


WITH_ETA: Final = ("ddim",)
"""Samplers that can be told `eta`, how much of the noise is made anew at each step."""


def with_eta(name: str, eta: float) -> Sampler:
    """A sampler of `WITH_ETA` with that setting; ValueError for another."""
    way = get(name)
    if not isinstance(way, Sampler) or way.with_eta is None:
        raise ValueError(f"sampler: expected one of {', '.join(WITH_ETA)}, which take eta, got {name!r}")
    return replace(way, follow=way.with_eta(eta))
