"""DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, algorithm 2): second order with one call of the network a step.

The estimate is extrapolated from this step and the one before, in lambda = log(alpha / sigma).
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.samplers import Alpha, Denoiser, OnStep, Step
from diffusion.schedules import Sigmas


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    before: Tensor | None = None
    lambda_before = -math.inf
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = estimate = denoise(x, sigma)
        lambda_now = _lambda(alpha, sigma)
        gap = lambda_now - lambda_before
        if before is not None and target > 0 and 0 < gap < math.inf:
            ahead = (_lambda(alpha, target) - lambda_now) / gap / 2
            estimate = denoised + ahead * (denoised - before)
        x = target / sigma * x + (alpha(target) - alpha(sigma) * target / sigma) * estimate
        before, lambda_before = denoised, lambda_now
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


def _lambda(alpha: Alpha, sigma: float) -> float:
    """Half the log of the signal-to-noise ratio; minus infinity for pure noise."""
    return math.log(alpha(sigma) / sigma) if alpha(sigma) > 0 else -math.inf
