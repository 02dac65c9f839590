"""Ancestral sampling of DDPM (Ho et al., arXiv 2006.11239, algorithm 2): each step draws from the posterior that the
estimate gives, with the smaller of the two variances; on a flow from the posterior of its own path."""

from __future__ import annotations

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, ddim
from diffusion.schedules import Sigmas


def sample(denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep) -> Tensor:
    return ddim.sample(denoise, x, sigmas, alpha, noise, on_step, eta=1.0)


SAMPLER = Sampler(sample)
