"""ER-SDE-Solver-3 (Cui et al., arXiv 2309.06169, algorithm 3): an SDE whose noise lies between those of DDPM and
none, third order with one call and one noise a step, on s = sigma / alpha."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, integral, log_snr, remembered


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        now = sigma / alpha(sigma) if log_snr(alpha, sigma) > -math.inf else math.inf
        end = target / alpha(target)
        history = remembered(history, now, denoised, length=3)
        if target == 0:
            x = denoised
        elif target < sigma:
            ratio = _pace(end) / _pace(now) if now < math.inf else 0.0
            kept = ratio * alpha(target) / alpha(sigma) if ratio > 0 else 0.0
            fresh = target**2 - (kept * sigma) ** 2
            x = kept * x + alpha(target) * ((1 - ratio) * denoised + _correction(history, end))
            x = x + math.sqrt(max(0.0, fresh)) * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


def _pace(s: float) -> float:
    """The function phi of the paper (equation 21, SDE_5) that sets how much noise is made anew."""
    return s * (math.exp(s**0.3) + 10)


def _correction(history: Remembered, end: float) -> Tensor | float:
    """What the slope and the curve of the estimate over s add."""
    if len(history) == 1:
        return 0.0
    (now, denoised), (before, estimate_before), *earlier = history
    step, pace = end - now, _pace(end)
    slope = (denoised - estimate_before) / (now - before)
    correction = (step + pace * integral(lambda s: 1 / _pace(s), end, now)) * slope
    if earlier:
        ((first, estimate_first),) = earlier
        curve = (slope - (estimate_before - estimate_first) / (before - first)) / ((now - first) / 2)
        correction = correction + (step**2 / 2 + pace * integral(lambda s: (s - now) / _pace(s), end, now)) * curve
    return correction


SAMPLER = Sampler(sample)
