"""Guidance: how the estimates under several conditionings become one."""

from __future__ import annotations

from torch import Tensor

from diffusion.conditioning import Conditioning
from diffusion.denoiser import denoise
from diffusion.model import Model
from diffusion.samplers import Denoiser


def classifier_free(model: Model, positive: Conditioning, negative: Conditioning, scale: float) -> Denoiser:
    """Away from `negative`, towards `positive` (Ho & Salimans, arXiv 2207.12598): scale 1 is `positive` alone.

    Both estimates come from one batch; at scale 1 `negative` is never computed.
    """

    def alone(x: Tensor, sigma: float) -> Tensor:
        (estimate,) = denoise(model, x, sigma, [positive])
        return estimate

    def guided(x: Tensor, sigma: float) -> Tensor:
        towards, away = denoise(model, x, sigma, [positive, negative])
        return away + scale * (towards - away)

    return alone if scale == 1 else guided
