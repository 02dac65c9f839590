"""SDE-DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, eq. 18, midpoint): second order, one call and one noise a step."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, diffusion, log_snr, remembered


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    history: Remembered = ()
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = estimate = denoise(x, sigma)
        now = log_snr(alpha, sigma)
        history = remembered(history, now, denoised, length=2)
        if len(history) == 2 and target > 0:
            before, estimate_before = history[1]
            ahead = (log_snr(alpha, target) - now) / (now - before) / 2
            estimate = denoised + ahead * (denoised - estimate_before)
        weights = diffusion(alpha, sigma, target)
        x = weights.x * x + weights.estimate * estimate
        if target > 0:
            x = x + weights.noise * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


SAMPLER = Sampler(sample)
