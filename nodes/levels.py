"""Nodes that say which noise levels to visit."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from diffusion import samplers, schedules
from diffusion.schedules import SCHEDULES
from graph import Choice, Curve, Slider, node
from nodes.reading import read
from nodes.types import Model, Sigmas

NOISE = Curve(0, 1)


class Split(NamedTuple):
    high: Sigmas
    low: Sigmas


@node("BasicScheduler", category="sampling/levels", title="Levels of a schedule")
def basic_scheduler(
    model: Model,
    schedule: Annotated[str, Choice(tuple(SCHEDULES))] = "normal",
    steps: Annotated[int, Slider(1, 1000)] = 20,
    denoise: Annotated[float, Slider(0, 1, 0.01)] = 1.0,
    sampler: Annotated[str, Choice(samplers.names())] = "euler",
) -> Sigmas:
    """The levels a KSampler visits.

    model: knows its highest and lowest level. schedule: how they are spaced. steps: how many. denoise: how much of
    the way to go, from below the top. sampler: the one the levels are for, as some want one step more.
    """
    return Sigmas(schedules.sigmas(schedule, model.prediction, steps, denoise, samplers.get(sampler).adapt))


@node("PolyexponentialScheduler", category="sampling/levels", title="Polyexponential levels")
def polyexponential_scheduler(
    model: Model, steps: Annotated[int, Slider(1, 1000)] = 20, rho: Annotated[float, Slider(0.1, 10, 0.1)] = 1.0
) -> Sigmas:
    """Levels even in a power of log sigma.

    model: knows its highest and lowest level. steps: how many. rho: above 1 more steps at low noise; 1 is the
    schedule "exponential".
    """
    return Sigmas(schedules.polyexponential(model.prediction, steps, rho))


@node("LaplaceScheduler", category="sampling/levels", title="Laplace levels")
def laplace_scheduler(
    model: Model,
    steps: Annotated[int, Slider(1, 1000)] = 20,
    middle: Annotated[float, Slider(-5, 5, 0.1)] = 0.0,
    width: Annotated[float, Slider(0.05, 5, 0.05)] = 0.5,
) -> Sigmas:
    """Most levels around one noise level.

    model: knows its highest and lowest level. steps: how many. middle: the logarithm of that level. width: how far
    they spread.
    """
    return Sigmas(schedules.laplace(model.prediction, steps, middle, width))


@node("VPScheduler", category="sampling/levels", title="Variance-preserving levels")
def vp_scheduler(
    steps: Annotated[int, Slider(1, 1000)] = 20,
    spread: Annotated[float, Slider(0.1, 50, 0.1)] = 19.9,
    least: Annotated[float, Slider(0.01, 5, 0.01)] = 0.1,
    end: Annotated[float, Slider(0.0001, 0.5, 0.0001)] = 0.001,
) -> Sigmas:
    """Levels of the continuous diffusion of score SDEs, for eps models.

    steps: how many. spread, least: how fast noise grows. end: how near to no noise to come, in its time.
    """
    return Sigmas(schedules.variance_preserving(steps, spread, least, end))


@node("AlignYourStepsScheduler", category="sampling/levels", title="Align Your Steps")
def align_your_steps_scheduler(
    kind: Annotated[str, Choice(tuple(schedules.ALIGNED))] = "SD1",
    steps: Annotated[int, Slider(1, 1000)] = 10,
    denoise: Annotated[float, Slider(0, 1, 0.01)] = 1.0,
) -> Sigmas:
    """Levels that were optimised for few steps.

    kind: of the model. steps: how many. denoise: how much of the way to go.
    """
    if denoise == 0:
        return Sigmas(())
    return Sigmas(schedules.align_your_steps(kind, int(steps / denoise))[-steps - 1 :])


@node("SDTurboScheduler", category="sampling/levels", title="Turbo levels")
def sd_turbo_scheduler(
    model: Model,
    steps: Annotated[int, Slider(1, schedules.TURBO_LEVELS)] = 1,
    denoise: Annotated[float, Slider(0, 1, 0.01)] = 1.0,
) -> Sigmas:
    """The levels SD-Turbo and SDXL-Turbo were distilled for.

    model: knows its levels. steps: how many of the ten. denoise: how much of the way to go, from below the top.
    """
    return Sigmas(schedules.turbo(model.prediction, steps, denoise))


@node("CurveScheduler", category="sampling/levels", title="Drawn levels")
def curve_scheduler(
    model: Model, steps: Annotated[int, Slider(1, 1000)] = 20, points: Annotated[str, NOISE] = "0: 1, 1: 0"
) -> Sigmas:
    """Levels along a curve: where it is steep the steps are large.

    model: knows its highest and lowest level. steps: how many. points: pairs of how many of the steps are done, 0 to 1,
    and how much of the way to pure noise is left, 1 to 0, between commas; straight lines in between.
    """
    return Sigmas(schedules.along(model.prediction, steps, read("points", points, NOISE.points)))


@node("SplitSigmas", category="sampling/levels", title="Split levels")
def split_sigmas(sigmas: Sigmas, step: Annotated[int, Slider(0, 1000)] = 0) -> Split:
    """Two parts of a way: that of the first steps, and what is left of it.

    sigmas: the whole way. step: after which to part.
    """
    return Split(Sigmas(sigmas[: step + 1]), Sigmas(sigmas[step:]))


@node("FlipSigmas", category="sampling/levels", title="Levels upwards")
def flip_sigmas(sigmas: Sigmas) -> Sigmas:
    """The same levels upwards: a sampler that follows them finds the noise a picture would have come from.

    sigmas: the way down.
    """
    upwards = sigmas[::-1]
    return Sigmas((1e-4, *upwards[1:]) if upwards and upwards[0] == 0 else upwards)
