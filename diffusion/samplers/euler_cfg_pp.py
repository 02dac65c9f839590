"""Euler steps whose noise is that of the estimate guided away from, so that strict guidance stays on the path of the
data (CFG++, Chung et al., arXiv 2406.08070, algorithm 2); cfg 1 to 2 does what 5 to 12 do otherwise."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Guided, Informed, OnStep, Step
from diffusion.schedules import Sigmas


def sample(
    denoise: Callable[[Tensor, float], Guided], x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep
) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        estimate, away, _ = denoise(x, sigma)
        x = renoised(x, estimate, away, alpha, sigma, target)
        on_step(Step(number, len(sigmas) - 1, x, estimate))
    return x


def renoised(x: Tensor, estimate: Tensor, away: Tensor, alpha: Alpha, sigma: float, target: float) -> Tensor:
    """An estimate at level `target`, with the noise that `away` leaves of `x` at level `sigma`."""
    return alpha(target) * estimate + target / sigma * (x - alpha(sigma) * away)


SAMPLER = Informed(sample, both=True)
