"""Nodes that show what is behind a picture: noise levels, the tokens of a prompt, what is in a checkpoint."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, NamedTuple

from diffusion import samplers, schedules
from diffusion.inspection import inspected, viewed
from diffusion.schedules import SCHEDULES
from graph import NO_CONTEXT, Choice, Context, ModelFile, OutputFile, Slider, Text, node
from nodes.film import Told
from nodes.plots import Curve, plots
from nodes.types import CLIP, Image, Model, clip_in

_Fraction = Annotated[float, Slider(0, 1, 0.01)]
_WIDTH, _HEIGHT = 480, 320


class Plotted(NamedTuple):
    image: Image
    text: str


@node("SchedulePlot", category="understanding", title="Plot of a schedule")
def schedule_plot(
    model: Model,
    steps: Annotated[int, Slider(1, 1000)] = 20,
    sampler: Annotated[str, Choice(samplers.names())] = "euler",
    schedule: Annotated[str, Choice(tuple(SCHEDULES))] = "normal",
    denoise: Annotated[float, Slider(0.01, 1, 0.01)] = 1.0,
    guidance_start: _Fraction = 0.0,
    guidance_end: _Fraction = 1.0,
) -> Plotted:
    """See which noise levels a sampler visits: a picture of them, and the numbers as JSON.

    model: from a loader. steps, sampler, schedule, denoise: as in KSampler; what a denoise below 1 leaves out is pale.
    guidance_start, guidance_end: a part of the way, in fractions, to see which steps are in it.
    """
    prediction, way = model.prediction, samplers.get(sampler)
    levels = schedules.sigmas(schedule, prediction, int(steps / denoise), 1.0, way.adapt)
    used = range(max(0, len(levels) - 1 - steps), len(levels))
    low, high = prediction.level(guidance_end), prediction.level(guidance_start)
    rows = [
        {
            "step": number - used.start + 1,
            "sigma": sigma,
            "time": prediction.timestep(sigma) if sigma else 0.0,
            "log_snr": 2 * math.log(prediction.alpha(sigma) / sigma) if sigma > 0 and prediction.alpha(sigma) else None,
            "used": number in used,
            "guided": low <= sigma <= high and sigma > 0,
        }
        for number, sigma in enumerate(levels)
    ]
    band = [bool(row["guided"]) for row in rows]
    logs = [row["log_snr"] for row in rows]
    known = [value for value in logs if isinstance(value, float)]
    ends = (min(known, default=0.0) - 1, max(known, default=0.0) + 1)
    # Pure noise has no logarithm, and neither has none; both are drawn just beyond the others.
    drawn = [value if isinstance(value, float) else ends[int(sigma == 0)] for value, sigma in zip(logs, levels)]
    curves = [Curve("sigma", levels, used, band), Curve("log signal-to-noise ratio", drawn, used, band)]
    return Plotted(Image(plots(curves, _WIDTH, _HEIGHT)[None]), json.dumps(rows, indent=1))


@node("TokenView", category="understanding", title="Tokens of a prompt")
def token_view(clip: CLIP, text: Annotated[str, Text(multiline=True)] = "") -> Told:
    """See how a prompt is read: for each text encoder the chunks, and in them the tokens with their weights, as JSON.

    clip: the text encoders, from a loader. text: the prompt.
    """
    return Told(json.dumps(viewed(clip_in(clip), text), indent=1, ensure_ascii=False))


@node("CheckpointInspector", category="understanding", title="What is in a checkpoint", resource="io")
def checkpoint_inspector(checkpoint: Annotated[Path, ModelFile("checkpoints")]) -> Told:
    """See what a file holds without loading it: family, parts, precision, what is missing or left over, as JSON.

    checkpoint: a file in models/checkpoints.
    """
    return Told(json.dumps(inspected(checkpoint), indent=1))


@node("ShowText", category="understanding", title="Show text", sink=True, resource="io")
def show_text(text: str, ctx: Context = NO_CONTEXT) -> list[OutputFile]:
    """Look at a text, such as numbers as JSON.

    text: from a node that tells something.
    """
    kind = "application/json" if text[:1] in ("{", "[") else "text/plain"
    return [ctx.save(text.encode(), prefix="text", media_type=kind, width=0, height=0, temporary=True)]
