"""Arithmetic that samplers share, for paths x = alpha(sigma) * x0 + sigma * noise whose alpha is linear in sigma.

Both kinds of model walk such a path: alpha is 1 for eps and v, 1 - sigma for flows. On both the direction dx/dsigma is
(x - estimate) / sigma. Lambda is log(alpha / sigma), half the log of the signal-to-noise ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from diffusion.prediction import Alpha

Remembered = tuple[tuple[float, Tensor], ...]
"""What a multistep method has seen, newest first: each value with the place (a level, a lambda) it was found at."""


def towards(x: Tensor, denoised: Tensor, sigma: float, target: float) -> Tensor:
    """From level `sigma` to `target`, exact while the estimate stays what it is: a step of Euler, and of DDIM."""
    return denoised + (x - denoised) * (target / sigma)


FAINTEST = 1e-9
"""Less of a clean latent than this is the rounding of a level that means pure noise."""


def log_snr(alpha: Alpha, sigma: float) -> float:
    """Lambda at a level: minus infinity for pure noise, infinity without noise."""
    if sigma == 0:
        return math.inf
    return math.log(alpha(sigma) / sigma) if alpha(sigma) > FAINTEST else -math.inf


def level(alpha: Alpha, log_snr: float) -> float:
    """The sigma of a lambda."""
    return 1 / (math.exp(log_snr) + 1 - alpha(1.0))


def between(alpha: Alpha, sigma: float, target: float, share: float) -> float:
    """The level at `share` of the way in lambda; from pure noise, where lambda is infinite, in alpha / sigma."""
    start, end = log_snr(alpha, sigma), log_snr(alpha, target)
    return level(alpha, end + math.log(share) if start == -math.inf else start + share * (end - start))


class Ancestral(NamedTuple):
    """A step further down than the next level: to `down`, times `scale`, plus noise times `up`."""

    down: float
    scale: float
    up: float


def ancestral(alpha: Alpha, sigma: float, target: float) -> Ancestral:
    """Down to target^2 / sigma, as DDPM does (arXiv 2006.11239); a flow is rescaled to the signal of the target."""
    down = target**2 / sigma
    scale = alpha(target) / alpha(down)
    return Ancestral(down, scale, math.sqrt(max(0.0, target**2 - (scale * down) ** 2)))


class Diffusion(NamedTuple):
    """A step of the reverse SDE: the weights of the latent, the estimate and unit noise."""

    x: float
    estimate: float
    noise: float


def diffusion(alpha: Alpha, sigma: float, target: float) -> Diffusion:
    """Exact while the estimate stays what it is; as much of the noise is made anew as in DDPM (SDE-DPM-Solver++, arXiv
    2211.01095, eq. 18)."""
    if target == 0:
        return Diffusion(0.0, 1.0, 0.0)
    kept = target * alpha(sigma) / (sigma * alpha(target))
    x = target / sigma * kept
    return Diffusion(x, alpha(target) - alpha(sigma) * x, target * math.sqrt(max(0.0, 1 - kept**2)))


def remembered(history: Remembered, place: float, value: Tensor, length: int) -> Remembered:
    """`history` with one value more, at most `length`; of a place given twice the last counts, infinite ones do not."""
    older = ((p, v) for p, v in history if p != place and math.isfinite(p))
    return ((place, value), *older)[:length]


def reaching(history: Remembered, end: float) -> Remembered:
    """What of `history` an extrapolation to `end` can rest on: the newest alone where the step is more than 3 times as
    long as the one before."""
    if len(history) > 1 and abs(end - history[0][0]) > 3 * abs(history[0][0] - history[1][0]):
        return history[:1]
    return history


def integral(function: Callable[[float], float], low: float, high: float, pieces: int = 64) -> float:
    """Simpson's rule, exact for cubic polynomials."""
    width = (high - low) / pieces
    weights = (1 if i in (0, pieces) else 4 if i % 2 else 2 for i in range(pieces + 1))
    return width / 3 * sum(weight * function(low + i * width) for i, weight in enumerate(weights))


def lagrange(places: Sequence[float], index: int, at: float) -> float:
    """The polynomial that is 1 at one of `places` and 0 at the others."""
    return math.prod((at - p) / (places[index] - p) for i, p in enumerate(places) if i != index)
