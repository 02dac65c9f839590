"""UniPC with B1 (Zhao et al., arXiv 2302.04867, algorithms 5 and 6): a multistep predictor of third order, and a
corrector that reuses the next step's call of the network."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas, without_penultimate
from diffusion.steps import Remembered, log_snr, remembered, towards

ORDER = 3
Scale = Callable[[float], float]
"""B of the paper: a function of minus the step in lambda that vanishes with it at first order."""


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    return with_scale(lambda h: h, denoise, x, sigmas, alpha, on_step)


def with_scale(scale: Scale, denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    total = len(sigmas) - 1
    correct: Callable[[Tensor], Tensor] | None = None
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        x = x if correct is None else correct(denoised)
        now, end = log_snr(alpha, sigma), log_snr(alpha, target)
        history = remembered(history, now, denoised, ORDER)
        x, correct = towards(x, denoised, sigma, target), None
        if 0 < end - now < math.inf:
            used = history[: total + 1 - number]  # fewer towards the end, where a mistake stays
            correct = partial(_corrected, scale, x, used, end, alpha(target))
            x = x + alpha(target) * _prediction(scale, used, end)
        on_step(Step(number, total, x, denoised))
    return x


def _prediction(scale: Scale, used: Remembered, end: float) -> Tensor | float:
    """What the estimates before add to holding the last one until lambda `end`."""
    return _moved(scale, used, end, ()) if len(used) > 1 else 0.0


def _corrected(scale: Scale, held: Tensor, used: Remembered, end: float, alpha: float, ahead: Tensor) -> Tensor:
    """The step once more, knowing the estimate `ahead` at its end."""
    return held + alpha * _moved(scale, used, end, ((end, ahead),))


def _moved(scale: Scale, used: Remembered, end: float, ahead: Remembered) -> Tensor:
    """Equations 5 and 9: minus B times the slopes to the other estimates, weighted to match the exact integral.

    With a single slope the paper takes 1/2, which any B matches closely enough for second order.
    """
    (now, denoised), *others = used
    h = end - now
    slopes = [((place - now) / h, estimate - denoised) for place, estimate in (*others, *ahead)]
    size = len(slopes)
    ratios = torch.tensor([ratio for ratio, _ in slopes], dtype=torch.float64)
    powers = torch.stack([ratios**row for row in range(size)])
    wanted = torch.tensor(_integrals(-h, size), dtype=torch.float64) / scale(-h)
    weights = torch.tensor([0.5]) if size == 1 else torch.linalg.solve(powers, wanted)
    terms = [weight / ratio * slope for weight, (ratio, slope) in zip(weights.tolist(), slopes, strict=True)]
    return -scale(-h) * torch.stack(terms).sum(0)


def _integrals(h: float, count: int) -> list[float]:
    """n! * h * phi_(n+1)(h) for n = 1..count, phi the functions of exponential integrators."""
    values, phi = list[float](), math.expm1(h)
    for n in range(1, count + 1):
        phi = phi / h - 1 / math.factorial(n)
        values.append(math.factorial(n) * phi)
    return values


SAMPLER = Sampler(sample, adapt=without_penultimate)
