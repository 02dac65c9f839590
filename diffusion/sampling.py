"""One generation: start noise, the sampler's way down the schedule, and the clean latent at its end."""

from __future__ import annotations

import torch
from torch import Tensor

from diffusion import noise, samplers, schedules
from diffusion.conditioning import Conditioning
from diffusion.guidance import classifier_free
from diffusion.inpainting import keeping, mask_for, put_back
from diffusion.model import Model
from diffusion.noise import NoiseRule
from diffusion.regions import aligned, placed
from diffusion.samplers import OnStep, Step


def _unheard(_step: Step) -> None:
    """What is told of steps where nobody listens."""


def sample(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    latent_BCHW: Tensor,
    *,
    seed: int,
    steps: int,
    cfg: float,
    sampler: str = "euler",
    schedule: str = "normal",
    denoise: float = 1.0,
    mask_BHW: Tensor | None = None,
    on_step: OnStep = _unheard,
    noise_rule: NoiseRule = noise.per_item,
) -> Tensor:
    """A clean latent in the autoencoder's own scale, float32, on the CPU.

    `latent` is in that scale too; one that is all zeros is empty: it is left out of the scaling, and gets the model's
    number of channels. `denoise` below 1 starts part of the way down, keeping that much of the latent; 0 returns it.
    Where `mask` is 0 the latent stays as it is; it is stretched to the latent's size.
    `on_step` sees latents in the model's scale. Raises ValueError for a setting out of range.
    """
    way = samplers.get(sampler)
    sigmas = schedules.sigmas(schedule, model.prediction, steps, denoise, way.adapt)
    latent_BCHW = _fitting(model, latent_BCHW.float())
    if not sigmas:
        return latent_BCHW
    clean = latent_BCHW.to(model.device)
    if latent_BCHW.any():
        clean = model.latent_format.process_in(clean)
    prediction, draw = model.prediction, noise_rule(seed, tuple(clean.shape))

    def fresh(number: int) -> Tensor:
        return draw(number).to(clean.device)

    with torch.no_grad():
        towards, away = aligned(placed([positive, negative], clean))
        guided = classifier_free(model, towards, away, cfg)
        x = prediction.noised(clean, fresh(0), sigmas[0])
        mask_B1HW = None if mask_BHW is None else mask_for(mask_BHW, clean)
        if mask_B1HW is not None:
            guided = keeping(guided, prediction, clean, fresh(0), mask_B1HW)
        x = way.follow(guided, x, sigmas, prediction.alpha, fresh, on_step)
        painted = model.latent_format.process_out(prediction.finish(x, sigmas[-1])).cpu()
        return painted if mask_B1HW is None else put_back(latent_BCHW, painted, mask_B1HW.cpu())


def _fitting(model: Model, latent_BCHW: Tensor) -> Tensor:
    """The latent, an empty one with as many channels as the model works on; ValueError for one of another number."""
    channels = model.latent_format.channels
    if latent_BCHW.shape[1] == channels:
        return latent_BCHW
    if latent_BCHW.any():
        raise ValueError(
            f"latent: this model works on {channels} channels, got {latent_BCHW.shape[1]}; "
            "encode the picture with the model's own VAE"
        )
    return latent_BCHW.new_zeros(latent_BCHW.shape[0], channels, *latent_BCHW.shape[2:])
