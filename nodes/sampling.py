"""Nodes that paint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, NamedTuple

from diffusion import samplers, schedules
from diffusion.guides import classifier_free
from diffusion.noise import RULES, after_start
from diffusion.noise import Noise as Drawn
from diffusion.sampling import follow, sample
from diffusion.schedules import SCHEDULES
from diffusion.unfit import Unfit
from graph import NO_CONTEXT, Choice, Context, Seed, Slider, node
from nodes.preview import shown
from nodes.types import Conditioning, Guide, Latent, Model, Noise, Sampler, Sigmas


@node("KSampler", category="sampling", title="KSampler", resource="gpu")
def ksampler(
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
) -> Latent:
    """Paint: begin with noise and take it away step by step, guided by a prompt, until a picture is left.

    model: from a loader. positive: what to show. negative: what to avoid. latent: the canvas, empty or from VAE encode.
    seed: which noise; the same seed and settings give the same picture. steps: more is finer and slower. cfg: how
    strictly to follow the prompt; 1 ignores the negative prompt and is twice as fast. sampler, schedule: how, and in
    what sizes of step, noise is taken away. denoise: how much of the latent to paint over; 1 all, 0 nothing.
    """
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
        on_step=shown(model, ctx),
    )
    return replace(latent, samples_BCHW=samples_BCHW)


@node("KSamplerAdvanced", category="sampling", title="KSampler (advanced)", resource="gpu")
def ksampler_advanced(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    latent: Latent,
    add_noise: bool = True,
    seed: Annotated[int, Seed()] = 0,
    steps: Annotated[int, Slider(1, 1000)] = 20,
    cfg: Annotated[float, Slider(0, 100, 0.1)] = 7.0,
    sampler: Annotated[str, Choice(samplers.names())] = "euler",
    schedule: Annotated[str, Choice(tuple(SCHEDULES))] = "normal",
    start_at_step: Annotated[int, Slider(0, 1000)] = 0,
    end_at_step: Annotated[int, Slider(0, 1000)] = 1000,
    return_with_leftover_noise: bool = False,
    noise_rule: Annotated[str, Choice(tuple(RULES))] = "weft",
    ctx: Context = NO_CONTEXT,
) -> Latent:
    """As KSampler, for some of the steps: two in a row can share a generation, such as base and refiner.

    model: from a loader. positive: what to show. negative: what to avoid. latent: the canvas, or what the one
    before left. add_noise: off where the latent has the noise already that the one before left in it. seed: which
    noise. steps: of the whole schedule. cfg: how strictly to follow the prompt. sampler, schedule: how, and in
    what sizes of step, noise is taken away. start_at_step, end_at_step: which steps to do.
    return_with_leftover_noise: on where another goes on; else the last step takes all noise away. noise_rule:
    "weft" gives every picture of a batch noise of its own, "comfy" that of ComfyUI on a CPU.
    """
    way = samplers.get(sampler)
    sigmas = schedules.sigmas(schedule, model.prediction, steps, adapt=way.adapt)[start_at_step : end_at_step + 1]
    if len(sigmas) > 1 and not return_with_leftover_noise:
        sigmas = (*sigmas[:-1], 0.0)
    guide = classifier_free(model, positive, negative, cfg)
    noise = Noise(seed, noise_rule, add_noise)
    return _followed(guide, way, sigmas, latent, noise, ctx, steps_done=start_at_step).latent


class Sampled(NamedTuple):
    latent: Latent
    denoised: Latent


@node("SamplerCustomAdvanced", category="sampling", title="Sample with a guide", resource="gpu")
def sampler_custom_advanced(
    noise: Noise, guide: Guide, sampler: Sampler, sigmas: Sigmas, latent: Latent, ctx: Context = NO_CONTEXT
) -> Sampled:
    """Paint with each part of it chosen on its own.

    noise: what to begin with. guide: which model, and what its estimates are guided by. sampler: how to go down the
    levels. sigmas: which levels. latent: the canvas. The first result is what came of it, with the noise of the last
    level left in it; denoised: the last estimate without noise.
    """
    way = samplers.get(sampler.name)
    if sampler.eta is not None:
        way = samplers.with_eta(sampler.name, sampler.eta)
    try:
        return _followed(guide, way, sigmas, latent, noise, ctx)
    except Unfit as error:
        raise ValueError(f"guide: {error}") from error


@node("RandomNoise", category="sampling/parts", title="Noise")
def random_noise(
    seed: Annotated[int, Seed()] = 0,
    rule: Annotated[str, Choice(tuple(RULES))] = "weft",
) -> Noise:
    """The noise of a seed.

    seed: which. rule: "weft" gives every picture of a batch noise of its own, on every device the same; "comfy" is
    that of ComfyUI on a CPU.
    """
    return Noise(seed, rule)


@node("DisableNoise", category="sampling/parts", title="No noise to begin with")
def disable_noise(seed: Annotated[int, Seed()] = 0) -> Noise:
    """No noise to begin with, for a latent that has its noise already.

    seed: of what a sampler adds on the way, if it does.
    """
    return Noise(seed, begin=False)


@node("KSamplerSelect", category="sampling/parts", title="Sampler")
def ksampler_select(sampler: Annotated[str, Choice(samplers.names())] = "euler") -> Sampler:
    """How noise is taken away.

    sampler: the method.
    """
    return Sampler(sampler)


@node("SamplerEta", category="sampling/parts", title="Sampler with fresh noise")
def sampler_eta(
    sampler: Annotated[str, Choice(samplers.WITH_ETA)] = "ddim", eta: Annotated[float, Slider(0, 1, 0.01)] = 1.0
) -> Sampler:
    """A sampler that makes part of the noise anew at each step.

    sampler: the method. eta: how much; 0 none, 1 as much as DDPM.
    """
    return Sampler(sampler, eta)


def _followed(
    guide: Guide,
    way: samplers.Sampler | samplers.Informed,
    sigmas: Sequence[float],
    latent: Latent,
    noise: Noise,
    ctx: Context,
    steps_done: int = 0,
) -> Sampled:
    def noise_of(shape: tuple[int, ...]) -> Drawn:
        drawn = RULES[noise.rule](noise.seed, shape, latent.items, steps_done * way.draws)
        return drawn if noise.begin else after_start(drawn, shape)

    made = follow(
        guide,
        way,
        tuple(sigmas),
        latent.samples_BCHW,
        noise_of,
        mask_BHW=latent.mask_BHW,
        on_step=shown(guide.model, ctx),
    )
    return Sampled(replace(latent, samples_BCHW=made.latent_BCHW), replace(latent, samples_BCHW=made.estimate_BCHW))
