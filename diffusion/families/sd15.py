"""Stable Diffusion 1.x; its U-Nets alone have convolutions around their transformers, so text may be of any width."""

from __future__ import annotations

import torch

from diffusion.family import ContextOnly, Family, Metadata, OneTower, UNetExtra, eps_or_v, unet_of, unet_signature
from diffusion.latents import SD15, SD15_GREY
from diffusion.networks.shapes import Shapes
from diffusion.text.slots import ClipRules, TextSlot

TITLE = "Stable Diffusion 1"


def _recognise(shapes: Shapes) -> bool:
    signature = unet_signature(shapes)
    return signature is not None and not signature.linear_projection and signature.y_dim is None


def _fit(shapes: Shapes, _: Metadata) -> ContextOnly:
    signature = unet_signature(shapes)
    return ContextOnly(0 if signature is None else signature.context_dim, TITLE)


FAMILY = Family(
    name="sd15",
    title=TITLE,
    architecture="U-Net",
    recognise=_recognise,
    network=unet_of,
    prediction=eps_or_v,
    latent_format=SD15,
    text=(
        TextSlot(
            "clip_l",
            ("cond_stage_model.transformer.",),
            ClipRules(activation="quick_gelu", layer=1, final_norm=True, projected=False, pad=49407),
        ),
    ),
    assemble=lambda _shapes, _metadata: OneTower("clip_l"),
    fit=_fit,
    half=torch.float16,
    beside=UNetExtra(SD15, SD15_GREY),
)
