"""Single steps of DPM-Solver (Lu et al., arXiv 2206.00927, algorithms 1, 2, 4 and 5): exponential integrators of the
predicted noise in lambda, of first, second and third order; they need no memory of the steps before."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from diffusion.prediction import Alpha
from diffusion.steps import level, log_snr


class Stages(NamedTuple):
    """What steps of growing order from one latent share: the noise predicted there, and on the way."""

    x: Tensor
    sigma: float
    noises: tuple[Tensor, ...]
    denoised: Tensor


class DPMSolver:
    """Single steps with one denoiser; levels are above 0, and not pure noise."""

    def __init__(self, denoise: Callable[[Tensor, float], Tensor], alpha: Alpha) -> None:
        self._denoise, self._alpha = denoise, alpha

    def begin(self, x: Tensor, sigma: float) -> Stages:
        """One call of the network."""
        denoised = self._denoise(x, sigma)
        return Stages(x, sigma, ((x - self._alpha(sigma) * denoised) / sigma,), denoised)

    def first(self, at: Stages, target: float) -> Tensor:
        """No further call."""
        return self._held(at, target)

    def second(self, at: Stages, target: float, share: float = 0.5) -> tuple[Tensor, Stages]:
        """One further call, at `share` of the step in lambda."""
        seen = self._seen(self._held(at, self._part(at, target, share)), self._part(at, target, share))
        change = target * math.expm1(self._h(at, target)) / (2 * share) * (seen - at.noises[0])
        return self._held(at, target) - change, at._replace(noises=(at.noises[0], seen))

    def third(self, at: Stages, target: float) -> Tensor:
        """One further call after a `second` to the same target with `share` 1/3."""
        h, (noise, seen) = self._h(at, target), at.noises
        later = self._part(at, target, 2 / 3)
        rise = math.expm1(2 / 3 * h) / (2 / 3 * h) - 1
        ahead = self._seen(self._held(at, later) - later * 2 * rise * (seen - noise), later)
        return self._held(at, target) - target * 3 / 2 * (math.expm1(h) / h - 1) * (ahead - noise)

    def _held(self, at: Stages, target: float) -> Tensor:
        """Exact while the noise stays what it is."""
        kept = self._alpha(target) / self._alpha(at.sigma)
        return kept * at.x - target * math.expm1(self._h(at, target)) * at.noises[0]

    def _seen(self, x: Tensor, sigma: float) -> Tensor:
        return (x - self._alpha(sigma) * self._denoise(x, sigma)) / sigma

    def _h(self, at: Stages, target: float) -> float:
        return log_snr(self._alpha, target) - log_snr(self._alpha, at.sigma)

    def _part(self, at: Stages, target: float, share: float) -> float:
        return level(self._alpha, log_snr(self._alpha, at.sigma) + share * self._h(at, target))
