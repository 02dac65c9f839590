"""PixArt-alpha, at 256, 512 and 1024 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion.conditioning import Sizes
from diffusion.family import Checkpoint, Family, Metadata, OneTower, check_context
from diffusion.latents import SD15
from diffusion.networks.pixart import PixArt, PixArtParams
from diffusion.networks.shapes import Shapes
from diffusion.prediction import LINEAR, Eps, LearnedEps
from diffusion.text.slots import T5Rules, TextSlot

TITLE = "PixArt-alpha"
TOKENS = 120
T5 = TextSlot("t5xxl", ("text_encoders.t5xxl.transformer.",), T5Rules(min_length=1))


@dataclass(frozen=True)
class Fit:
    """Text, and where `told_size` the picture's height, width and the one over the other."""

    width: int
    told_size: bool
    title: str

    def __call__(self, context_BLD: Tensor, _pooled_BD: Tensor | None, sizes: Sizes) -> tuple[Tensor, Tensor | None]:
        check_context(context_BLD, self.width, self.title)
        if not self.told_size:
            return context_BLD, None
        numbers = (sizes.height, sizes.width, sizes.height / sizes.width)
        return context_BLD, torch.tensor([numbers], device=context_BLD.device).expand(context_BLD.shape[0], -1)


def is_pixart(shapes: Shapes) -> bool:
    return "t_block.1.weight" in shapes and len(shapes.get("y_embedder.y_proj.fc1.weight", ())) == 2


def is_alpha(shapes: Shapes) -> bool:
    """By the number of tokens it was trained with, or by being told sizes."""
    return shapes.get("y_embedder.y_embedding", ())[:1] == (TOKENS,) or "ar_embedder.mlp.0.weight" in shapes


def network(shapes: Shapes) -> PixArt:
    return PixArt(PixArtParams.from_shapes(shapes))


def prediction(checkpoint: Checkpoint) -> Eps:
    params = PixArtParams.from_shapes(checkpoint.network.shapes)
    return LearnedEps() if params.out_channels == 2 * params.in_channels else Eps(LINEAR)


def fit_of(shapes: Shapes, title: str) -> Fit:
    params = PixArtParams.from_shapes(shapes)
    return Fit(params.context_dim, params.told_size, title)


def _recognise(shapes: Shapes) -> bool:
    return is_pixart(shapes) and is_alpha(shapes)


def _fit(shapes: Shapes, _metadata: Metadata) -> Fit:
    return fit_of(shapes, TITLE)


FAMILY = Family(
    name="pixart_alpha",
    title=TITLE,
    architecture="DiT",
    recognise=_recognise,
    network=network,
    prediction=prediction,
    latent_format=SD15,
    text=(T5,),
    assemble=lambda _shapes, _metadata: OneTower("t5xxl"),
    fit=_fit,
    half=torch.float16,
)
