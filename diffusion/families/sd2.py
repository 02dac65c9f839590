"""Stable Diffusion 2.x: 2.0-base and 2.1-base, which predict the noise, 2.0 and 2.1 at 768 pixels, which predict v."""

from __future__ import annotations

import torch

from diffusion.family import Checkpoint, ContextOnly, Family, OneTower, UNetExtra, eps_or_v, unet_of, unet_signature
from diffusion.latents import SD15, SD15_GREY
from diffusion.networks.shapes import Shapes
from diffusion.prediction import Eps, V
from diffusion.text.slots import ClipRules, TextSlot

TITLE = "Stable Diffusion 2"
WIDTH = 1024
TELLTALE = "output_blocks.11.1.transformer_blocks.0.norm1.bias"


def _recognise(shapes: Shapes) -> bool:
    return unet_signature(shapes) == (WIDTH, True, None)


def _prediction(checkpoint: Checkpoint) -> Eps | V:
    """As the file says, or as it looks; those that start from a picture predict eps."""
    starts_from_noise = checkpoint.network.shapes["input_blocks.0.0.weight"][1] == SD15.channels
    return eps_or_v(checkpoint, unsaid_v=starts_from_noise and _looks_like_v(checkpoint))


def _looks_like_v(checkpoint: Checkpoint) -> bool:
    """A guess for files that do not say: where v is predicted one bias is spread wider than 0.09, elsewhere less."""
    return TELLTALE in checkpoint.network.shapes and float(checkpoint.network[TELLTALE].float().std()) > 0.09


FAMILY = Family(
    name="sd2",
    title=TITLE,
    architecture="U-Net",
    recognise=_recognise,
    network=unet_of,
    prediction=_prediction,
    latent_format=SD15,
    text=(
        TextSlot(
            "clip_h",
            ("cond_stage_model.model.", "conditioner.embedders.0.model."),
            ClipRules(activation="gelu", layer=2, final_norm=True, projected=False, pad=0, cut_at=23),
        ),
    ),
    assemble=lambda _shapes, _metadata: OneTower("clip_h"),
    fit=lambda _shapes, _metadata: ContextOnly(WIDTH, TITLE),
    half=torch.float16,
    beside=UNetExtra(SD15, SD15_GREY),
)
