"""DPM-Solver++(2M) (arXiv 2211.01095, algorithm 2) with the noise of the estimate guided away from (CFG++, arXiv
2406.08070): the slope of the guided estimate is added to a step of Euler with that noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Guided, Informed, OnStep, Step
from diffusion.samplers.euler_cfg_pp import renoised
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, log_snr, remembered


def sample(
    denoise: Callable[[Tensor, float], Guided], x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep
) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        estimate, away, _ = denoise(x, sigma)
        now = log_snr(alpha, sigma)
        history = remembered(history, now, estimate, length=2)
        x = renoised(x, estimate, away, alpha, sigma, target)
        if len(history) == 2 and target > 0:
            before, estimate_before = history[1]
            h = log_snr(alpha, target) - now
            ahead = h / (now - before) / 2
            x = x - alpha(target) * math.expm1(-h) * ahead * (estimate - estimate_before)
        on_step(Step(number, len(sigmas) - 1, x, estimate))
    return x


SAMPLER = Informed(sample, both=True)
