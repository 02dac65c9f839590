"""Heun's method in exponential form (Hochbruck & Ostermann 2005, "Explicit exponential Runge-Kutta methods", order 2
with c2 = 1): two calls a step, exact while the estimate changes linearly in lambda."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.samplers.res_multistep import rising
from diffusion.schedules import Sigmas
from diffusion.steps import log_snr, towards


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = estimate = denoise(x, sigma)
        step = log_snr(alpha, target) - log_snr(alpha, sigma)
        if 0 < step < math.inf:
            ahead = denoise(towards(x, denoised, sigma, target), target)
            estimate = denoised + rising(step) * (ahead - denoised)
        x = towards(x, estimate, sigma, target)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample)
