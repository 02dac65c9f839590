"""SDE-DPM-Solver++ of third order with one call and one noise a step, as k-diffusion has it: the estimates of the last
three levels as a polynomial in lambda."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, diffusion, log_snr, reaching, remembered


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        history = remembered(history, log_snr(alpha, sigma), denoised, length=3)
        weights = diffusion(alpha, sigma, target)
        x = weights.x * x + weights.estimate * denoised
        if 0 < target < sigma:
            end = log_snr(alpha, target)
            x = x + alpha(target) * _correction(reaching(history, end), end) + weights.noise * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


def _correction(history: Remembered, end: float) -> Tensor:
    """What the slope and the curve of the estimate add, by the functions phi_2 and phi_3 of exponential integrators."""
    now, denoised = history[0]
    if len(history) == 1:
        return denoised * 0
    step = end - now
    (before, estimate_before), *earlier = history[1:]
    slope = (denoised - estimate_before) / (now - before) * step
    twice = 2 * step  # the SDE forgets twice as fast as the ODE
    phi_2 = math.expm1(-twice) / twice + 1
    if not earlier:
        return phi_2 * slope
    ((first, estimate_first),) = earlier
    slope_before = (estimate_before - estimate_first) / (before - first) * step
    span = (now - first) / step
    curve = (slope - slope_before) / span
    return phi_2 * (slope + curve * (now - before) / step) - (phi_2 / twice - 0.5) * curve


SAMPLER = Sampler(sample)
