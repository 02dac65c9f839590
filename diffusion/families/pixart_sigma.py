"""PixArt-Sigma, which reads longer texts and has the latents of SDXL."""

from __future__ import annotations

import torch

from diffusion.families.pixart_alpha import T5, Fit, fit_of, is_alpha, is_pixart, network, prediction
from diffusion.family import Family, Metadata, OneTower
from diffusion.latents import SDXL
from diffusion.networks.shapes import Shapes

TITLE = "PixArt-Sigma"


def _recognise(shapes: Shapes) -> bool:
    return is_pixart(shapes) and not is_alpha(shapes)


def _fit(shapes: Shapes, _metadata: Metadata) -> Fit:
    return fit_of(shapes, TITLE)


FAMILY = Family(
    name="pixart_sigma",
    title=TITLE,
    architecture="DiT",
    recognise=_recognise,
    network=network,
    prediction=prediction,
    latent_format=SDXL,
    text=(T5,),
    assemble=lambda _shapes, _metadata: OneTower("t5xxl"),
    fit=_fit,
    half=torch.float16,
)
