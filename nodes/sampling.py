"""Nodes that paint."""

from __future__ import annotations

from typing import Annotated

from diffusion import samplers
from diffusion.samplers import Step
from diffusion.sampling import sample
from diffusion.schedules import SCHEDULES
from graph import NO_CONTEXT, Choice, Context, Seed, Slider, node
from nodes.preview import Previews
from nodes.types import Conditioning, Latent, Model


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
    previews = Previews(model.latent_format, ctx.preview)

    def on_step(step: Step) -> None:
        ctx.progress(step.number, step.total)
        previews.show(step)

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
        on_step=on_step,
    )
    return Latent(samples_BCHW, latent.mask_BHW)
