"""Euler steps of the probability-flow ODE (Karras et al., arXiv 2206.00364, algorithm 2 without churn)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.samplers import Alpha, Denoiser, OnStep, Step
from diffusion.schedules import Sigmas


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, _alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        x = x + (x - denoised) / sigma * (target - sigma)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x
