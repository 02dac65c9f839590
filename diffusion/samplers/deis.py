"""DEIS (Zhang & Chen, arXiv 2204.13902, tAB of third order): the directions of the last three levels as a polynomial
in the time of a variance-preserving process, integrated over the step; the last step is Euler's."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, integral, lagrange, remembered

ORDER = 3
BETA_START, BETA_END = 0.1, 20.0


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, _alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        history = remembered(history, _time(sigma), (x - denoised) / sigma, ORDER)
        basis = partial(_basis, [place for place, _ in history])
        weights = [integral(partial(basis, i), sigma, target) for i in range(len(history))]
        moved = sum((weight * direction for weight, (_, direction) in zip(weights, history, strict=True)), start=x)
        x = moved if target > 0 else denoised
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


def _basis(times: list[float], index: int, sigma: float) -> float:
    return lagrange(times, index, _time(sigma))


def _time(sigma: float) -> float:
    """When the process whose noise grows linearly from BETA_START to BETA_END reaches a level (arXiv 2011.13456)."""
    slope = BETA_END - BETA_START
    return (math.sqrt(BETA_START**2 + 2 * slope * math.log1p(sigma**2)) - BETA_START) / slope


SAMPLER = Sampler(sample, upwards=True)
