"""Painting a part of a latent with a model that knows nothing of masks: what is to stay is put back at every step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from diffusion.guidance.rules import progress
from diffusion.prediction import Prediction
from diffusion.regions import sized
from diffusion.samplers import Guided, GuidedDenoiser

MaskAt = Callable[[float], Tensor]
"""What is painted at a level, B|1 1 H W."""


def mask_for(mask_BHW: Tensor, latent_BCHW: Tensor) -> Tensor:
    """The mask at the size of latents, B|1 1 H W; ValueError for a number of masks that fits no batch."""
    batch, _, height, width = latent_BCHW.shape
    if mask_BHW.shape[0] not in (1, batch):
        raise ValueError(f"mask: expected 1 or {batch} items for {batch} latents, got {mask_BHW.shape[0]}")
    return sized(mask_BHW, height, width)[:, None].to(latent_BCHW)


def growing(prediction: Prediction, mask_B1HW: Tensor, first: float) -> MaskAt:
    """Of a way down from the level `first`: at each level what is marked at least as much as there is of the way left,
    1 or 0 (differential diffusion, Levin & Fried, arXiv 2306.00950)."""

    def mask_at(sigma: float) -> Tensor:
        left = (1 - progress(prediction, sigma)) / (1 - progress(prediction, first))
        return ((mask_B1HW >= left) & (mask_B1HW > 0)).to(mask_B1HW)

    return mask_at


def keeping(
    denoise: GuidedDenoiser, prediction: Prediction, clean: Tensor, noise: Tensor, mask_at: MaskAt
) -> GuidedDenoiser:
    """Where the mask of a level is 0 the model sees `clean` under `noise`, and `clean` is its estimate; between 0 and
    1, a blend.

    (RePaint without resampling, arXiv 2201.09865, eq. 8.)
    """

    def kept(x: Tensor, sigma: float, both: bool) -> Guided:
        mask_B1HW, known = mask_at(sigma), prediction.alpha(sigma) * clean + sigma * noise
        found = denoise(torch.lerp(known, x, mask_B1HW), sigma, both)
        estimate, away = (torch.lerp(clean, made, mask_B1HW) for made in (found.estimate, found.away))
        return Guided(estimate, away, found.spread)

    return kept


def put_back(original: Tensor, painted: Tensor, mask_B1HW: Tensor) -> Tensor:
    """What was painted, and where the mask is 0 the original, bit by bit."""
    return torch.where(mask_B1HW == 0, original, painted)
