"""Stable Diffusion 3 and 3.5, every size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion.conditioning import Conditioning, Sizes
from diffusion.family import Checkpoint, Family, Metadata, check_context
from diffusion.latents import SD3
from diffusion.networks.mmdit import MMDiT, MMDiTParams
from diffusion.networks.shapes import Shapes
from diffusion.prediction import Flow
from diffusion.text.encode import Encoding
from diffusion.text.join import TOKENS, join_clip
from diffusion.text.slots import ClipRules, T5Rules, TextSlot
from diffusion.unfit import Unfit

TITLE = "Stable Diffusion 3"
T5_WIDTH = 4096
POOLED = 2048

AbsentT5 = Literal["zeros", "drop"]
"""What stands for T5 where it is not loaded: 77 rows of zeros, as in training, or nothing."""


@dataclass(frozen=True)
class Assemble:
    """CLIP rows, L and G side by side, then T5 rows; see `join_clip` for missing towers."""

    context_width: int
    pooled_width: int
    absent_t5: AbsentT5

    def __call__(self, encodings: Mapping[str, Encoding]) -> Conditioning:
        clip = join_clip(encodings, self.context_width, self.pooled_width)
        if "t5xxl" not in encodings:
            return Conditioning.of(_without_t5(clip.context_1LD, self.absent_t5), clip.pooled_1P, clip.said)
        t5 = encodings["t5xxl"]
        check_context(t5.context_1LD, self.context_width, TITLE)
        said = clip.said.then(t5.said, clip.context_1LD.shape[1])
        return Conditioning.of(torch.cat((clip.context_1LD, t5.context_1LD), dim=1), clip.pooled_1P, said)


@dataclass(frozen=True)
class Fit:
    """Text that is narrower than the context is taken for CLIP alone, from towers in files of their own."""

    context_width: int
    pooled_width: int | None
    absent_t5: AbsentT5

    def __call__(self, context_BLD: Tensor, pooled_BD: Tensor | None, _sizes: Sizes) -> tuple[Tensor, Tensor | None]:
        if self.pooled_width is None:
            pooled_BD = None
        elif pooled_BD is None or pooled_BD.shape[1] != self.pooled_width:
            got = "none" if pooled_BD is None else f"one {pooled_BD.shape[1]} wide"
            raise Unfit(
                f"this {TITLE} network takes pooled text {self.pooled_width} wide, got {got}; "
                "encode the prompt with the text encoders of the same family"
            )
        missing = self.context_width - context_BLD.shape[2]
        if missing > 0:
            context_BLD = _without_t5(F.pad(context_BLD, (0, missing)), self.absent_t5)
        check_context(context_BLD, self.context_width, TITLE)
        return context_BLD, pooled_BD


def _without_t5(context_BLD: Tensor, absent: AbsentT5) -> Tensor:
    return F.pad(context_BLD, (0, 0, 0, TOKENS)) if absent == "zeros" else context_BLD


def _recognise(shapes: Shapes) -> bool:
    return "joint_blocks.0.context_block.attn.qkv.weight" in shapes


def _network(shapes: Shapes) -> MMDiT:
    return MMDiT(MMDiTParams.from_shapes(shapes))


def _prediction(_: Checkpoint) -> Flow:
    return Flow()


def _assemble(shapes: Shapes, metadata: Metadata) -> Assemble:
    context_width = shapes["context_embedder.weight"][1] if shapes else T5_WIDTH
    return Assemble(context_width, _pooled_width(shapes) or POOLED, _absent_t5(metadata))


def _fit(shapes: Shapes, metadata: Metadata) -> Fit:
    return Fit(shapes["context_embedder.weight"][1], _pooled_width(shapes), _absent_t5(metadata))


def _pooled_width(shapes: Shapes) -> int | None:
    return shapes["y_embedder.mlp.0.weight"][1] if "y_embedder.mlp.0.weight" in shapes else None


def _absent_t5(metadata: Metadata) -> AbsentT5:
    """The file's own choice, as it was trained."""
    match metadata.get("weft.absent_t5", "zeros"):
        case "zeros":
            return "zeros"
        case "drop":
            return "drop"
        case other:
            raise ValueError(f"metadata weft.absent_t5: expected 'zeros' or 'drop', got {other!r}")


FAMILY = Family(
    name="sd3",
    title=TITLE,
    architecture="MMDiT",
    recognise=_recognise,
    network=_network,
    prediction=_prediction,
    latent_format=SD3,
    text=(
        TextSlot(
            "clip_l",
            ("text_encoders.clip_l.transformer.",),
            ClipRules(activation="quick_gelu", layer=2, final_norm=False, projected=False, pad=49407),
        ),
        TextSlot(
            "clip_g",
            ("text_encoders.clip_g.transformer.",),
            ClipRules(activation="gelu", layer=2, final_norm=False, projected=True, pad=0),
        ),
        TextSlot("t5xxl", ("text_encoders.t5xxl.transformer.",), T5Rules(min_length=77)),
    ),
    assemble=_assemble,
    fit=_fit,
    half=torch.bfloat16,
)
