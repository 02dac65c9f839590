"""UniPC with B2(h) = exp(h) - 1 (Zhao et al., arXiv 2302.04867), the better one with guidance."""

from __future__ import annotations

import math

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler
from diffusion.samplers.uni_pc import with_scale
from diffusion.schedules import Sigmas, without_penultimate


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, _noise: Noise, on_step: OnStep) -> Tensor:
    return with_scale(math.expm1, denoise, x, sigmas, alpha, on_step)


SAMPLER = Sampler(sample, adapt=without_penultimate)
