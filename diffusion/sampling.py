"""One generation: start noise, the sampler's way down the schedule, and the clean latent at its end."""

from __future__ import annotations

import torch
from torch import Tensor

from diffusion import noise, samplers, schedules
from diffusion.conditioning import Conditioning
from diffusion.guidance import classifier_free
from diffusion.model import Model
from diffusion.noise import NoiseRule
from diffusion.samplers import OnStep, Step


def _no_report(_step: Step) -> None:
    pass


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
    on_step: OnStep = _no_report,
    noise_rule: NoiseRule = noise.per_item,
) -> Tensor:
    """A clean latent in the autoencoder's own scale, float32, on the CPU.

    `latent` is in that scale too; one that is all zeros is empty: it is left out of the scaling, and gets the model's
    number of channels. `denoise` below 1 starts part of the way down, keeping that much of the latent; 0 returns it.
    `on_step` sees latents in the model's scale. Raises ValueError for a setting out of range.
    """
    follow = samplers.get(sampler)
    sigmas = schedules.sigmas(schedule, model.prediction, steps, denoise)
    clean = _entering(model, latent_BCHW)
    if not sigmas:
        return latent_BCHW
    draws = noise_rule(seed, tuple(clean.shape))
    with torch.no_grad():
        x = model.prediction.noised(clean, draws(0).to(clean.device), sigmas[0])
        x = follow(
            classifier_free(model, positive, negative, cfg),
            x,
            sigmas,
            model.prediction.alpha,
            lambda number: draws(number).to(clean.device),
            on_step,
        )
        return model.latent_format.process_out(model.prediction.finish(x, sigmas[-1])).cpu()


def _entering(model: Model, latent_BCHW: Tensor) -> Tensor:
    """The latent in the model's scale, float32, on the model's device."""
    channels = model.latent_format.channels
    latent_BCHW = latent_BCHW.to(model.device, torch.float32)
    if not latent_BCHW.any():
        return latent_BCHW.new_zeros(latent_BCHW.shape[0], channels, *latent_BCHW.shape[2:])
    if latent_BCHW.shape[1] != channels:
        raise ValueError(
            f"latent: this model works on {channels} channels, got {latent_BCHW.shape[1]}; "
            "encode the picture with the model's own VAE"
        )
    return model.latent_format.process_in(latent_BCHW)
