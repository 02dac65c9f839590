"""One generation: start noise, the sampler's way down the levels, and the clean latent at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion import samplers, schedules
from diffusion.alarm import explain
from diffusion.conditioning import Conditioning
from diffusion.guides import Guide, classifier_free
from diffusion.inpainting import growing, keeping, mask_for, put_back
from diffusion.model import Model
from diffusion.noise import Noise, per_item
from diffusion.prediction import Prediction
from diffusion.samplers import Informed, OnStep, Sampler, Step
from diffusion.schedules import Sigmas


class Painted(NamedTuple):
    """Latents in the autoencoder's own scale, float32, on the CPU: what a run came to, noise left over included, and
    the last estimate of the clean ones."""

    latent_BCHW: Tensor
    estimate_BCHW: Tensor


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
    items: Sequence[int] | None = None,
    on_step: OnStep = _unheard,
) -> Tensor:
    """A clean latent, with classifier-free guidance down a schedule: `follow` as it is used most.

    `denoise` below 1 starts part of the way down, keeping that much of the latent; 0 returns it. `items` as in
    `NoiseRule`. Raises ValueError for a setting out of range.
    """
    way = samplers.get(sampler)
    sigmas = schedules.sigmas(schedule, model.prediction, steps, denoise, way.adapt)
    guide = classifier_free(model, positive, negative, cfg)

    def noise_of(shape: tuple[int, ...]) -> Noise:
        return per_item(seed, shape, items)

    return follow(guide, way, sigmas, latent_BCHW, noise_of, mask_BHW=mask_BHW, on_step=on_step).latent_BCHW


def follow(
    guide: Guide,
    sampler: Sampler | Informed,
    sigmas: Sigmas,
    latent_BCHW: Tensor,
    noise_of: Callable[[tuple[int, ...]], Noise],
    *,
    mask_BHW: Tensor | None = None,
    on_step: OnStep = _unheard,
) -> Painted:
    """Down the levels `sigmas`, from a latent brought to the first of them with noise; none, and it stays as it is.

    `latent` is in the autoencoder's own scale; one that is all zeros is empty: it is left out of the scaling, and gets
    the model's number of channels. `noise_of` makes the noise of latents of a shape. Where `mask` is 0 the latent stays
    as it is; it is stretched to the latent's size. A level met twice in a row is one. `on_step` sees latents in the
    model's scale. Where the last level is not 0 the noise of that level is left in the result. ValueError for levels
    the model or the sampler cannot follow. NotFinite names the layer where numbers went wrong.
    """
    model = guide.model
    latent_BCHW = _fitting(model, latent_BCHW.float())
    if len(sigmas) < 2:
        return Painted(latent_BCHW, latent_BCHW)
    sigmas = tuple(level for level, _ in groupby(sigmas))
    _check(sigmas, model.prediction, sampler)
    clean = latent_BCHW.to(model.device)
    if latent_BCHW.any():
        clean = model.latent_format.process_in(clean)
    prediction, draw = model.prediction, noise_of(tuple(clean.shape))
    last = clean

    def fresh(number: int) -> Tensor:
        return draw(number).to(clean.device)

    def hear(step: Step) -> None:
        nonlocal last
        last = step.denoised
        on_step(step)

    with torch.no_grad():
        noise = fresh(0)
        # A latent that gets none has it already.
        start = prediction.noised(clean, noise, sigmas[0]) if noise.any() else prediction.resumed(clean, sigmas[0])
        denoise = guide.denoiser(clean)
        mask_B1HW = None if mask_BHW is None else mask_for(mask_BHW, clean)
        if mask_B1HW is not None:
            grown = growing(prediction, mask_B1HW, sigmas[0]) if model.grows_masks else lambda _: mask_B1HW
            denoise = keeping(denoise, prediction, clean, noise, grown)

        def run(on_step: OnStep) -> Tensor:
            return sampler.run(denoise, start, sigmas, prediction.alpha, fresh, on_step)

        x = run(hear)
        if not x.isfinite().all():
            raise explain(model.network, run, on_step)
        results = [model.latent_format.process_out(made).cpu() for made in (prediction.finish(x, sigmas[-1]), last)]
        if mask_B1HW is not None and sigmas[-1] == 0:
            results = [put_back(latent_BCHW, made, mask_B1HW.cpu()) for made in results]
        return Painted(*results)


def _check(sigmas: Sigmas, prediction: Prediction, sampler: Sampler | Informed) -> None:
    """ValueError for levels that this model has not, or that this sampler does not follow."""
    if prediction.alpha(max(sigmas)) < 0:
        raise ValueError(
            f"sigmas: expected levels of at most {prediction.sigma_max:g}, as flows have, got {max(sigmas):g}"
        )
    if not sampler.upwards and any(target > sigma for sigma, target in pairwise(sigmas)):
        able = ", ".join(name for name in samplers.names() if samplers.get(name).upwards)
        raise ValueError(f"sampler: this one takes noise away; levels that rise are followed by {able}")


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
