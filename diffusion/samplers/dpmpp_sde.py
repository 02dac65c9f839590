"""SDE-DPM-Solver++ of two calls a step, as k-diffusion has it: the estimate is that of the middle of the step in
lambda, which is reached with noise of its own. Both noises are increments of one Brownian motion in sigma."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import between, diffusion


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        x = denoised if target == 0 else _half_by_half(denoise, x, denoised, sigma, target, alpha, noise, number)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


def _half_by_half(
    denoise: Denoiser,
    x: Tensor,
    denoised: Tensor,
    sigma: float,
    target: float,
    alpha: Alpha,
    noise: Noise,
    number: int,
) -> Tensor:
    if sigma == target:
        return x
    middle = between(alpha, sigma, target, 0.5)
    first, second = noise(2 * number - 1), noise(2 * number)
    half, whole = diffusion(alpha, sigma, middle), diffusion(alpha, sigma, target)
    estimate = denoise(half.x * x + half.estimate * denoised + half.noise * first, middle)
    share = (sigma - middle) / (sigma - target)
    return (
        whole.x * x
        + whole.estimate * estimate
        + whole.noise * (math.sqrt(share) * first + math.sqrt(1 - share) * second)
    )


SAMPLER = Sampler(sample, draws=2)
