"""The midpoint method: the direction at the geometric mean of both levels, as in DPM-Solver-2 (Lu et al., arXiv
2206.00927, algorithm 1); the last step is Euler's."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas, without_penultimate
from diffusion.steps import towards


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, _alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        x = midpoint(denoise, x, denoised, sigma, target)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


def midpoint(denoise: Denoiser, x: Tensor, denoised: Tensor, sigma: float, target: float) -> Tensor:
    """One step, given the estimate where it begins."""
    if target == 0:
        return denoised
    middle = math.sqrt(sigma * target)
    halfway = towards(x, denoised, sigma, middle)
    return x + (target - sigma) * (halfway - denoise(halfway, middle)) / middle


SAMPLER = Sampler(sample, adapt=without_penultimate, upwards=True)
