"""Euler steps of the probability-flow ODE (Karras et al., arXiv 2206.00364, algorithm 2 without churn)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import towards


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, _alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        x = towards(x, denoised, sigma, target)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample, upwards=True)
