"""Flux.1 dev, which is told how closely to follow the text, and schnell, which needs few steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion.conditioning import Conditioning, Sizes
from diffusion.family import Checkpoint, Family, Metadata, check_context
from diffusion.latents import FLUX
from diffusion.networks.flux import Flux, FluxParams
from diffusion.networks.shapes import Shapes
from diffusion.prediction import FluxFlow
from diffusion.text.encode import Encoding
from diffusion.text.said import UNSAID
from diffusion.text.slots import ClipRules, T5Rules, TextSlot
from diffusion.unfit import Unfit

TITLE = "Flux"
TOKENS, T5_WIDTH, POOLED = 256, 4096, 768
GUIDANCE = 3.5


@dataclass(frozen=True)
class Assemble:
    """Rows of T5, the vector of CLIP-L; zeros for what is missing."""

    context_width: int
    pooled_width: int

    def __call__(self, encodings: Mapping[str, Encoding]) -> Conditioning:
        t5, clip = encodings.get("t5xxl"), encodings.get("clip_l")
        context_1LD = torch.zeros(1, TOKENS, self.context_width) if t5 is None else t5.context_1LD
        pooled_1P = None if clip is None else clip.pooled_1P
        said = UNSAID if t5 is None else t5.said
        return Conditioning.of(context_1LD, torch.zeros(1, self.pooled_width) if pooled_1P is None else pooled_1P, said)


@dataclass(frozen=True)
class Fit:
    """`guidance`: the scale a network is told that was distilled to follow it; None for one that is not told."""

    context_width: int
    pooled_width: int
    guidance: float | None

    def __call__(self, context_BLD: Tensor, pooled_BD: Tensor | None, _sizes: Sizes) -> tuple[Tensor, Tensor]:
        check_context(context_BLD, self.context_width, TITLE)
        if pooled_BD is None or pooled_BD.shape[1] != self.pooled_width:
            raise Unfit(
                f"{TITLE} needs the pooled text of CLIP-L, {self.pooled_width} wide; load both of its text encoders"
            )
        # Not in half precision, which has no number for every scale.
        pooled_BD = pooled_BD.float()
        return context_BLD, pooled_BD if self.guidance is None else F.pad(pooled_BD, (0, 1), value=self.guidance)


def _recognise(shapes: Shapes) -> bool:
    return "double_blocks.0.img_attn.norm.key_norm.scale" in shapes and "img_in.weight" in shapes


def _network(shapes: Shapes) -> Flux:
    return Flux(FluxParams.from_shapes(shapes))


def _prediction(checkpoint: Checkpoint) -> FluxFlow:
    """dev is shifted as for 1024 x 1024 pixels, schnell not at all."""
    return FluxFlow() if FluxParams.from_shapes(checkpoint.network.shapes).guided else FluxFlow(shift=0.0)


def _assemble(shapes: Shapes, _metadata: Metadata) -> Assemble:
    if not shapes:
        return Assemble(T5_WIDTH, POOLED)
    params = FluxParams.from_shapes(shapes)
    return Assemble(params.context_dim, params.y_dim)


def _fit(shapes: Shapes, _metadata: Metadata) -> Fit:
    params = FluxParams.from_shapes(shapes)
    return Fit(params.context_dim, params.y_dim, GUIDANCE if params.guided else None)


FAMILY = Family(
    name="flux",
    title=TITLE,
    architecture="MMDiT",
    recognise=_recognise,
    network=_network,
    prediction=_prediction,
    latent_format=FLUX,
    text=(
        TextSlot(
            "clip_l",
            ("text_encoders.clip_l.transformer.",),
            ClipRules(activation="quick_gelu", layer=1, final_norm=True, projected=False, pad=49407),
        ),
        TextSlot("t5xxl", ("text_encoders.t5xxl.transformer.",), T5Rules(min_length=TOKENS)),
    ),
    assemble=_assemble,
    fit=_fit,
    half=torch.bfloat16,
)
