"""DDIM (Song et al., arXiv 2010.02502, eq. 12): to the estimate, and back up with its own noise or, by `eta`, fresh."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas


def sample(
    denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep, eta: float = 0.0
) -> Tensor:
    """`eta` 0 adds no noise at all, 1 as much as DDPM (eq. 16)."""
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        shared = target * alpha(sigma) / (sigma * alpha(target)) if target < sigma else 1.0
        fresh = eta * target * math.sqrt(max(0.0, 1 - shared**2))
        own = math.sqrt(target**2 - fresh**2) / sigma
        x = own * x + (alpha(target) - alpha(sigma) * own) * denoised
        if fresh > 0:
            x = x + fresh * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample, with_eta=lambda eta: partial(sample, eta=eta), upwards=True)
