"""SEEDS-3 (Gonzalez et al., arXiv 2305.14267, algorithm 3): an exponential solver of the reverse SDE with three calls a
step, at thirds of it in lambda, whose noises are those of one path."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import between, diffusion, log_snr


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        thirds = [between(alpha, sigma, target, share) for share in (1 / 3, 2 / 3)] if target > 0 else []
        start, now, level = x, log_snr(alpha, sigma), sigma
        slope: Tensor | float = 0.0
        added: Tensor | float = 0.0
        for part, end in enumerate((*thirds, target), 3 * number - 2):
            whole, rest = diffusion(alpha, sigma, end), diffusion(alpha, level, end)
            if end > 0:
                added = rest.x * added + rest.noise * noise(part)
            h = log_snr(alpha, end) - now
            x = whole.x * start + whole.estimate * denoised + alpha(end) * _risen(h) * slope + added
            if end != target:
                slope = (denoise(x, end) - denoised) / (h if h < math.inf else 1.0)
            level = end
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


def _risen(h: float) -> float:
    """What an estimate that rises evenly, by 1 for each 1 of lambda, adds over a step of `h`; from pure noise, where
    there is no such thing, as much as it has risen to."""
    return h + math.expm1(-2 * h) / 2 if h < math.inf else 1.0


SAMPLER = Sampler(sample, draws=3)
