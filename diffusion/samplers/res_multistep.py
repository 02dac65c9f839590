"""RES, refined exponential solver (Zhang et al., arXiv 2308.02157): second order with one call a step, by the
exponential Adams-Bashforth method in lambda."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, log_snr, reaching, remembered, towards


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        history = remembered(history, log_snr(alpha, sigma), denoised, length=2)
        x = towards(x, extrapolated(history, log_snr(alpha, target)), sigma, target)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


def extrapolated(history: Remembered, end: float, pace: int = 1) -> Tensor:
    """The estimate that, held over the step to lambda `end`, does what one that changes linearly in lambda does; what
    came before is forgotten at that `pace`, 1 on the ODE, 2 on the SDE."""
    history = reaching(history, end)
    now, denoised = history[0]
    step = end - now
    if len(history) == 1 or not 0 < step < math.inf:
        return denoised
    before, estimate_before = history[1]
    return denoised + rising(pace * step) * step / (now - before) * (denoised - estimate_before)


def rising(step: float) -> float:
    """How much of its change over a step in lambda an estimate that changes linearly counts for."""
    phi_1 = -math.expm1(-step) / step
    return (1 - phi_1) / step / phi_1


SAMPLER = Sampler(sample)
