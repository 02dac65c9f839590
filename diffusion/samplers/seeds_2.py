"""SEEDS-2 (Gonzalez et al., arXiv 2305.14267, algorithm 2): an exponential solver of the reverse SDE with two calls a
step, whose two noises are those of one path."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import between, diffusion


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = estimate = denoise(x, sigma)
        whole, added = diffusion(alpha, sigma, target), 0.0
        if target > 0:
            middle = between(alpha, sigma, target, 0.5)
            first, rest = diffusion(alpha, sigma, middle), diffusion(alpha, middle, target)
            made = first.noise * noise(2 * number - 1)
            estimate = denoise(first.x * x + first.estimate * denoised + made, middle)
            added = rest.x * made + rest.noise * noise(2 * number)
        x = whole.x * x + whole.estimate * estimate + added
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample, draws=2)
