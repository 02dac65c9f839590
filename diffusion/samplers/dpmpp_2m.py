"""DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, algorithm 2): second order with one call of the network a step.

The estimate is extrapolated from this step and the one before, in lambda = log(alpha / sigma).
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, log_snr, remembered, towards


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = estimate = denoise(x, sigma)
        now = log_snr(alpha, sigma)
        history = remembered(history, now, denoised, length=2)
        if len(history) == 2 and target > 0:
            before, estimate_before = history[1]
            ahead = (log_snr(alpha, target) - now) / (now - before) / 2
            estimate = denoised + ahead * (denoised - estimate_before)
        x = towards(x, estimate, sigma, target)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample)
