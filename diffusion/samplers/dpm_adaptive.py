"""DPM-Solver's adaptive steps at third order (Lu et al., arXiv 2206.00927, appendix C.4), their length controlled as in
k-diffusion: a step is as long as the difference between second and third order allows, over the whole batch, so a
picture depends a little on the batch it is in. Of the levels it takes the first and the last above 0; the number of
steps only tells how progress is reported."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from diffusion.dpm_solver import DPMSolver
from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import level, log_snr, towards

RELATIVE, ABSOLUTE = 0.05, 0.0078
"""How large an error may be: a share of the latent, and on top of it (the paper's values)."""
FIRST, LEAST = 0.05, 0.81
"""The first step in lambda, and the factor the next one has to have for this one to count."""


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    total, sigma = len(sigmas) - 1, sigmas[0]
    last = sigmas[-2] if sigmas[-1] == 0 else sigmas[-1]
    told = 0
    if log_snr(alpha, sigma) == -math.inf and total > 1:
        denoised = denoise(x, sigma)
        x, sigma, told = towards(x, denoised, sigma, sigmas[1]), sigmas[1], 1
        on_step(Step(told, total, x, denoised))
    if last < sigma:
        ends = told, total - (sigmas[-1] == 0)
        x, sigma = _adapted(DPMSolver(denoise, alpha), x, (sigma, last), alpha, ends, total, on_step), last
    if sigmas[-1] == 0:
        x = denoised = denoise(x, sigma)
        on_step(Step(total, total, x, denoised))
    return x


def _adapted(
    solver: DPMSolver,
    x: Tensor,
    way: tuple[float, float],
    alpha: Alpha,
    ends: tuple[int, int],
    total: int,
    on_step: OnStep,
) -> Tensor:
    """From one level of `way` to the other, reported as the steps between `ends`."""
    start = now = log_snr(alpha, way[0])
    end, h, before = log_snr(alpha, way[1]), FIRST, x
    while now < end - 1e-5:
        target = way[1] if now + h >= end else level(alpha, now + h)
        at = solver.begin(x, level(alpha, now))
        lower, at = solver.second(at, target, 1 / 3)
        higher = solver.third(at, target)
        size = torch.maximum(lower.abs(), before.abs()).mul(RELATIVE).clamp_min(ABSOLUTE)
        error = float(((lower - higher) / size).square().mean().sqrt())
        factor = 1 + math.atan((error + 1e-8) ** (-1 / 3) - 1)
        if factor >= LEAST:
            x, before, now = higher, lower, log_snr(alpha, target)
            done = ends[0] + (ends[1] - ends[0]) * (now - start) / (end - start)
            on_step(Step(min(max(1, math.floor(done + 1e-6)), ends[1]), total, x, at.denoised))
        h *= factor
    return x


SAMPLER = Sampler(sample)
