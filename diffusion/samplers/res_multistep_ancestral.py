"""RES (Zhang et al., arXiv 2308.02157) for the reverse SDE, with as much fresh noise as DDPM: second order, exact while
the estimate changes linearly in lambda."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.samplers.res_multistep import extrapolated
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, diffusion, log_snr, remembered


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        history = remembered(history, log_snr(alpha, sigma), denoised, length=2)
        weights = diffusion(alpha, sigma, target)
        x = weights.x * x + weights.estimate * extrapolated(history, log_snr(alpha, target), pace=2)
        if target > 0:
            x = x + weights.noise * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample)
