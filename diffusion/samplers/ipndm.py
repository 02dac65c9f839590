"""iPNDM (Zhang & Chen, arXiv 2204.13902, appendix; after PNDM, arXiv 2202.09778): the direction extrapolated from the
last four levels with the weights of Adams and Bashforth for even steps; the last step is Euler's."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, remembered

WEIGHTS = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, _alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        history = remembered(history, sigma, (x - denoised) / sigma, len(WEIGHTS))
        weights = WEIGHTS[len(history) - 1]
        step = target - sigma
        moved = sum((step * weight * d for weight, (_, d) in zip(weights, history, strict=True)), start=x)
        x = moved if target > 0 else denoised
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample, upwards=True)
