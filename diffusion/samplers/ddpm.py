"""Ancestral sampling of DDPM (Ho et al., arXiv 2006.11239, algorithm 2): each step draws from the posterior that the
estimate gives, on a flow from the posterior of its own path. Its variance lies where the network says between the two
bounds (Nichol & Dhariwal, arXiv 2102.09672, equation 15), or is the smaller one where the network does not say."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Guided, Informed, OnStep, Step
from diffusion.schedules import Sigmas
from diffusion.steps import diffusion


def sample(
    denoise: Callable[[Tensor, float], Guided], x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep
) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        estimate, _, spread = denoise(x, sigma)
        weights = diffusion(alpha, sigma, target)
        x = weights.x * x + weights.estimate * estimate
        if target > 0:
            wider = 1.0 if spread is None else widest(alpha, sigma, target) ** spread
            x = x + weights.noise * wider * noise(number)
        on_step(Step(number, len(sigmas) - 1, x, estimate))
    return x


def widest(alpha: Alpha, sigma: float, target: float) -> float:
    """The larger deviation of a step's noise over the smaller one."""
    return sigma / math.hypot(alpha(sigma), sigma) / (target / math.hypot(alpha(target), target))


SAMPLER = Informed(sample, both=False)
