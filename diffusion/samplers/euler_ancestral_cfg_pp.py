"""Ancestral Euler steps with the noise of the estimate guided away from (CFG++, arXiv 2406.08070)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Guided, Informed, OnStep, Step
from diffusion.samplers.euler_cfg_pp import renoised
from diffusion.schedules import Sigmas
from diffusion.steps import ancestral


def sample(
    denoise: Callable[[Tensor, float], Guided], x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep
) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        estimate, away, _ = denoise(x, sigma)
        down, scale, up = ancestral(alpha, sigma, target)
        x = scale * renoised(x, estimate, away, alpha, sigma, down)
        if target > 0:
            x = x + up * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, estimate))
    return x


SAMPLER = Informed(sample, both=True)
