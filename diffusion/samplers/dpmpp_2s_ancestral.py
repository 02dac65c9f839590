"""DPM-Solver++(2S) (Lu et al., arXiv 2211.01095, algorithm 1) on steps that go further down than the next level and add
fresh noise to get back up to it: the estimate is that of the middle of the step in lambda."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import ancestral, between, towards


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = estimate = denoise(x, sigma)
        down, scale, up = ancestral(alpha, sigma, target)
        if target > 0:
            middle = between(alpha, sigma, down, 0.5)
            estimate = denoise(towards(x, denoised, sigma, middle), middle)
        x = scale * towards(x, estimate, sigma, down)
        if target > 0:
            x = x + up * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample)
