"""DDIM (Song et al., arXiv 2010.02502, eq. 12): to the estimate, and back up with its own noise or, by `eta`, fresh."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import diffusion


def sample(
    denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep, eta: float = 0.0
) -> Tensor:
    """`eta` 0 adds no noise at all, 1 as much as DDPM."""
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        weights = diffusion(alpha, sigma, target, eta)
        x = weights.x * x + weights.estimate * denoised
        if weights.noise > 0:
            x = x + weights.noise * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample)
