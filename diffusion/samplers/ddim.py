"""DDIM without added noise (Song et al., arXiv 2010.02502, eq. 12): to the estimate, and back up with its own noise."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.samplers import Alpha, Denoiser, OnStep, Step
from diffusion.schedules import Sigmas


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        noise = (x - alpha(sigma) * denoised) / sigma
        x = alpha(target) * denoised + target * noise
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x
