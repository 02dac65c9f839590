"""DPM-Solver-fast (Lu et al., arXiv 2206.00927, appendix D.3): as many calls of the network as there are steps, for
steps of third order even in lambda. Of the levels it takes the first and the last above 0."""

from __future__ import annotations

import math

from torch import Tensor

from diffusion.dpm_solver import DPMSolver
from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import between, log_snr, towards


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    total, solver, sigma, calls = len(sigmas) - 1, DPMSolver(denoise, alpha), sigmas[0], 0
    last = sigmas[-2] if sigmas[-1] == 0 else sigmas[-1]
    if log_snr(alpha, sigma) == -math.inf and total > 1:
        denoised = denoise(x, sigma)
        x, sigma, calls = towards(x, denoised, sigma, sigmas[1]), sigmas[1], 1
        on_step(Step(calls, total, x, denoised))
    orders = spent(total - calls - (sigmas[-1] == 0)) if last < sigma else []
    start = sigma
    for number, order in enumerate(orders, 1):
        target = between(alpha, start, last, number / len(orders)) if number < len(orders) else last
        at = solver.begin(x, sigma)
        if order == 1:
            x = solver.first(at, target)
        else:
            x, at = solver.second(at, target, 1 / order)
            x = solver.third(at, target) if order == 3 else x
        sigma, calls = target, calls + order
        on_step(Step(calls, total, x, at.denoised))
    if sigmas[-1] == 0:
        x = denoised = denoise(x, sigma)
        on_step(Step(total, total, x, denoised))
    return x


def spent(calls: int) -> list[int]:
    """The order of each step, as many of third order as there can be."""
    whole, rest = divmod(calls, 3)
    if rest:
        return [3] * whole + [rest]
    return [3] * (whole - 1) + [2, 1] if whole else []


SAMPLER = Sampler(sample)
