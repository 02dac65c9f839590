"""Euler steps that go further down than the next level and add fresh noise to get back up to it.

For eps models this is the ancestral sampling of DDPM (arXiv 2006.11239).
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import ancestral, towards


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        down, scale, up = ancestral(alpha, sigma, target)
        x = scale * towards(x, denoised, sigma, down)
        if target > 0:
            x = x + up * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample)
