"""Linear multistep: the directions of the last four levels as a polynomial in sigma, integrated over the step (the
method of Adams and Bashforth for uneven steps); the last step is Euler's."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, integral, lagrange, remembered

ORDER = 4


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, _alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        history = remembered(history, sigma, (x - denoised) / sigma, ORDER)
        places = [place for place, _ in history]
        weights = [integral(partial(lagrange, places, i), sigma, target) for i in range(len(places))]
        moved = sum((weight * direction for weight, (_, direction) in zip(weights, history, strict=True)), start=x)
        x = moved if target > 0 else denoised
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample, upwards=True)
