"""Nodes that show how a picture came about: every step of a sampler, kept and looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from diffusion import samplers, schedules
from diffusion.resize import resized
from diffusion.samplers import Step
from diffusion.sampling import sample
from diffusion.schedules import SCHEDULES
from graph import NO_CONTEXT, Choice, Context, Seed, Slider, node
from nodes.preview import shown
from nodes.types import Conditioning, Film, Image, Latent, Model

_SHOW = ("estimates", "noisy")
_Item = Annotated[int, Slider(0, 4095)]


class Filmed(NamedTuple):
    latent: Latent
    film: Film


class Told(NamedTuple):
    text: str


@node("KSamplerFilm", category="understanding", title="KSampler with film", resource="gpu")
def ksampler_film(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    latent: Latent,
    seed: Annotated[int, Seed()] = 0,
    steps: Annotated[int, Slider(1, 1000)] = 20,
    cfg: Annotated[float, Slider(0, 100, 0.1)] = 7.0,
    sampler: Annotated[str, Choice(samplers.names())] = "euler",
    schedule: Annotated[str, Choice(tuple(SCHEDULES))] = "normal",
    denoise: Annotated[float, Slider(0, 1, 0.01)] = 1.0,
    ctx: Context = NO_CONTEXT,
) -> Filmed:
    """Paint as KSampler does, the same picture, and keep every step of the way to look at.

    model, positive, negative, latent, seed, steps, cfg, sampler, schedule, denoise: as in KSampler.
    """
    show, seen = shown(model, ctx), dict[int, tuple[Tensor, Tensor]]()

    def on_step(step: Step) -> None:
        show(step)
        seen[step.number] = step.x.half().cpu(), step.denoised.half().cpu()

    samples_BCHW = sample(
        model,
        positive,
        negative,
        latent.samples_BCHW,
        seed=seed,
        steps=steps,
        cfg=cfg,
        sampler=sampler,
        schedule=schedule,
        denoise=denoise,
        mask_BHW=latent.mask_BHW,
        items=latent.items,
        on_step=on_step,
    )
    if not seen:
        raise ValueError("film: there is no step to keep at a denoise of 0")
    way = samplers.get(sampler)
    levels = schedules.sigmas(schedule, model.prediction, steps, denoise, way.adapt)
    sigmas = tuple(levels[number - 1] for number in seen)
    noisy, estimates = (torch.stack(frames) for frames in zip(*seen.values(), strict=True))
    return Filmed(replace(latent, samples_BCHW=samples_BCHW), Film(sigmas, noisy, estimates, model.latent_format))


@node("FilmStrip", category="understanding", title="Film strip")
def film_strip(film: Film, item: _Item = 0, height: Annotated[int, Slider(16, 1024, 8)] = 128) -> Image:
    """See a film at a glance: above the latents with their noise, below what the model took the picture for.

    film: from a KSampler with film. item: which picture of the batch, from 0. height: of one frame, in pixels. Colours
    are a linear guess; for exact ones decode the latents of the film.
    """
    rows = [film.latent_format.preview(_item(frames, item)) for frames in (film.noisy_SBCHW, film.estimates_SBCHW)]
    _, _, old_height, old_width = rows[0].shape
    frames = [resized(row, height, max(1, round(old_width * height / old_height)), "nearest") for row in rows]
    strip_3HW = torch.cat([row.permute(1, 2, 0, 3).flatten(2) for row in frames], dim=1)
    return Image(((strip_3HW + 1) / 2).clamp(0, 1)[None])


@node("FilmLatents", category="understanding", title="Latents of a film")
def film_latents(
    film: Film,
    show: Annotated[str, Choice(_SHOW)] = "estimates",
    item: _Item = 0,
    first: Annotated[int, Slider(1, 1000)] = 1,
    last: Annotated[int, Slider(1, 1000)] = 1000,
) -> Latent:
    """Take steps out of a film as a batch of latents, to decode them or to paint on from one.

    film: from a KSampler with film. show: what the model took the picture for, or the latents with their noise. item:
    which picture of the batch, from 0. first, last: which steps, from 1.
    """
    frames = _item(film.estimates_SBCHW if show == "estimates" else film.noisy_SBCHW, item)[first - 1 : last]
    if not len(frames):
        raise ValueError(f"film: expected steps from 1 to {len(film.sigmas)}, got {first} to {last}")
    return Latent(film.latent_format.process_out(frames))


@node("FilmStatistics", category="understanding", title="Numbers of a film")
def film_statistics(film: Film) -> Told:
    """Read how latents change on the way: for each step and channel the mean, the spread and the ends, as JSON.

    film: from a KSampler with film.
    """
    steps = [
        {"step": number, "sigma": sigma, "noisy": statistics(noisy), "estimate": statistics(estimate)}
        for number, (sigma, noisy, estimate) in enumerate(
            zip(film.sigmas, film.noisy_SBCHW, film.estimates_SBCHW, strict=True), 1
        )
    ]
    return Told(json.dumps(steps, indent=1))


@node("LatentStatistics", category="understanding", title="Numbers of a latent")
def latent_statistics(latent: Latent) -> Told:
    """Read what is in a latent: of each channel the mean, the spread and the ends, as JSON.

    latent: from a sampler or VAE encode.
    """
    return Told(json.dumps(statistics(latent.samples_BCHW), indent=1))


def statistics(x_BCHW: Tensor) -> list[dict[str, float | int]]:
    """Of each channel; values that are not finite are counted and left out."""
    result: list[dict[str, float | int]] = []
    for channel in x_BCHW.float().movedim(1, 0).flatten(1):
        finite = channel[channel.isfinite()]
        bad = {"not_finite": len(channel) - len(finite)} if len(finite) < len(channel) else {}
        if not len(finite):
            result.append({"not_finite": len(channel)})
            continue
        numbers = {"mean": finite.mean(), "std": finite.std(correction=0), "min": finite.min(), "max": finite.max()}
        result.append({name: round(float(value), 6) for name, value in numbers.items()} | bad)
    return result


def _item(frames_SBCHW: Tensor, item: int) -> Tensor:
    if item >= frames_SBCHW.shape[1]:
        raise ValueError(f"film: expected an item from 0 to {frames_SBCHW.shape[1] - 1}, got {item}")
    return frames_SBCHW[:, item].float()
