"""Euler steps that go further down than the next level and add fresh noise to get back up to it.

The step goes down to target^2 / sigma. For eps models this is the ancestral sampling of DDPM (arXiv 2006.11239); on a
flow the latent is rescaled to the target's alpha before the noise is added.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.samplers import Alpha, Denoiser, OnStep, Step
from diffusion.schedules import Sigmas


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        down = target**2 / sigma
        scale = alpha(target) / alpha(down)
        x = scale * (x + (x - denoised) / sigma * (down - sigma))
        if target > 0:
            x = x + noise(number) * math.sqrt(max(0.0, target**2 - (scale * down) ** 2))
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x
