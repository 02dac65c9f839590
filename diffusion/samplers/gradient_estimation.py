"""Gradient estimation (Permenter & Yuan, arXiv 2306.04848, section 5): each direction beyond the one before, which
halves the error of Euler's steps; the last step is Euler's."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas

GAMMA = 2.0


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, _alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    before: Tensor | None = None
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        direction = (x - denoised) / sigma
        estimate = direction if before is None else GAMMA * direction + (1 - GAMMA) * before
        x = x + estimate * (target - sigma) if target > 0 else denoised
        before = direction
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample, upwards=True)
