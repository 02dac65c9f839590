"""The refiner of Stable Diffusion XL, which ends what the base began."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from diffusion.conditioning import Conditioning, Sizes
from diffusion.families.sdxl import POOLED, SIZE, embedded
from diffusion.family import Checkpoint, Family, Metadata, UNetExtra, check_context, unet_of, unet_signature
from diffusion.latents import SDXL
from diffusion.model import Assemble, Fit
from diffusion.networks.shapes import Shapes
from diffusion.prediction import Eps
from diffusion.text.encode import Encoding
from diffusion.text.slots import ClipRules, TextSlot
from diffusion.unfit import Unfit

TITLE = "Stable Diffusion XL refiner"
WIDTH = 1280
VECTOR = POOLED + 5 * SIZE


def _recognise(shapes: Shapes) -> bool:
    return unet_signature(shapes) == (WIDTH, True, VECTOR)


def _prediction(_: Checkpoint) -> Eps:
    return Eps()


def _assemble(_shapes: Shapes, _metadata: Metadata) -> Assemble:
    def assemble(encodings: Mapping[str, Encoding]) -> Conditioning:
        encoding = encodings["clip_g"]
        return Conditioning.of(encoding.context_1LD, encoding.pooled_1P, encoding.said)

    return assemble


def _fit(_shapes: Shapes, _metadata: Metadata) -> Fit:
    def fit(context_BLD: Tensor, pooled_BD: Tensor | None, sizes: Sizes) -> tuple[Tensor, Tensor]:
        """The pooled text, the picture's size, the corner it is cropped at, and how beautiful it is to be."""
        check_context(context_BLD, WIDTH, TITLE)
        if pooled_BD is None or pooled_BD.shape[1] != POOLED:
            raise Unfit(f"{TITLE} needs the pooled text of CLIP-G; load its text encoder")
        numbers = (sizes.height, sizes.width, sizes.top, sizes.left, sizes.aesthetic)
        return context_BLD, torch.cat((pooled_BD, embedded(pooled_BD, numbers)), dim=1)

    return fit


FAMILY = Family(
    name="sdxl_refiner",
    title=TITLE,
    architecture="U-Net",
    recognise=_recognise,
    network=unet_of,
    prediction=_prediction,
    latent_format=SDXL,
    text=(
        TextSlot(
            "clip_g",
            ("conditioner.embedders.0.model.",),
            ClipRules(activation="gelu", layer=2, final_norm=False, projected=True, pad=0),
        ),
    ),
    assemble=_assemble,
    fit=_fit,
    half=torch.float16,
    beside=UNetExtra(SDXL, grey=None),
)
