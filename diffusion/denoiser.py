"""A model as what samplers rely on: (noisy latent, sigma) -> clean estimate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from diffusion.conditioning import Conditioning
from diffusion.model import Model


def denoise(model: Model, x_BCHW: Tensor, sigma: float, conditionings: Sequence[Conditioning]) -> list[Tensor]:
    """The clean estimate of `x` under each conditioning, in float32.

    Conditionings of one shape go through the network as one batch. Prompts of different lengths take a call each: a
    padded text would change the picture where text and image attend to each other.
    """
    if len({(c.context_BLD.shape[1:], c.pooled_BD is None) for c in conditionings}) > 1:
        return [estimate for c in conditionings for estimate in denoise(model, x_BCHW, sigma, [c])]
    batch, count = x_BCHW.shape[0], len(conditionings)
    prediction = model.prediction

    def stacked(parts: Sequence[Tensor]) -> Tensor:
        return torch.cat([_for_batch(part, batch) for part in parts]).to(model.device, model.dtype)

    context_BLD = stacked([c.context_BLD for c in conditionings])
    pooled = [c.pooled_BD for c in conditionings if c.pooled_BD is not None]
    pooled_BD = stacked(pooled) if pooled else None
    scaled_BCHW = prediction.scale_input(x_BCHW, sigma).to(model.dtype).repeat(count, 1, 1, 1)
    t_B = torch.full((count * batch,), prediction.timestep(sigma), device=model.device)
    output_BCHW = model.output(scaled_BCHW, t_B, context_BLD, pooled_BD).to(x_BCHW.dtype)
    return [prediction.denoised(x_BCHW, output, sigma) for output in output_BCHW.chunk(count)]


def _for_batch(part: Tensor, batch: int) -> Tensor:
    """One conditioning for all pictures, or one each."""
    if part.shape[0] not in (1, batch):
        raise ValueError(f"conditioning: expected 1 or {batch} items for {batch} latents, got {part.shape[0]}")
    return part.expand(batch, *part.shape[1:])
