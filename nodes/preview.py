"""Pictures of a generation under way, from a linear guess of the colours of latents."""

from __future__ import annotations

import time

from torch import Tensor

from diffusion.latents import LatentFormat
from diffusion.model import Model
from diffusion.samplers import OnStep, Step
from graph.context import Context, Preview
from nodes.pictures import encode_jpeg, grid

WIDTH = 256
INTERVAL_S = 0.1


class Previews:
    """Shows steps as they come, the last one always, others no more often than the eye asks for."""

    def __init__(self, latent_format: LatentFormat, show: Preview) -> None:
        self._format, self._show = latent_format, show
        self._next = 0.0

    def show(self, step: Step) -> None:
        now = time.monotonic()
        if now >= self._next or step.number == step.total:
            self._show("image/jpeg", latent_jpeg(step.denoised, self._format))
            self._next = time.monotonic() + INTERVAL_S


def shown(model: Model, ctx: Context) -> OnStep:
    """What tells of each step of a generation: progress, and a picture of it now and then."""
    previews = Previews(model.latent_format, ctx.preview)

    def on_step(step: Step) -> None:
        ctx.progress(step.number, step.total)
        previews.show(step)

    return on_step


def latent_jpeg(latent_BCHW: Tensor, latent_format: LatentFormat) -> bytes:
    """The pictures of latents (in the model's scale) side by side in one JPEG, about WIDTH pixels wide."""
    rgb_B3HW = (latent_format.preview(latent_BCHW).cpu() + 1) / 2
    return encode_jpeg(grid(rgb_B3HW.nan_to_num()), WIDTH)
