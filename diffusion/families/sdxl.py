"""Stable Diffusion XL, base and its distilled and fine-tuned kin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from diffusion.conditioning import Conditioning, Sizes
from diffusion.configs import NORMALISED
from diffusion.family import (
    EDM_SCALE,
    Checkpoint,
    Family,
    Metadata,
    UNetExtra,
    check_context,
    eps_or_v,
    unet_of,
    unet_signature,
)
from diffusion.latents import SDXL
from diffusion.model import Assemble, Fit
from diffusion.networks.layers import timestep_embedding
from diffusion.networks.shapes import Shapes
from diffusion.prediction import EdmV, Eps, V
from diffusion.text.encode import Encoding
from diffusion.text.join import Joined, join_clip
from diffusion.text.slots import ClipRules, TextSlot
from diffusion.unfit import Unfit

TITLE = "Stable Diffusion XL"
WIDTH = 2048
POOLED = 1280
SIZE = 256  # each of six picture sizes is embedded in as many numbers
VECTOR = POOLED + 6 * SIZE


def _recognise(shapes: Shapes) -> bool:
    return unet_signature(shapes) == (WIDTH, True, VECTOR)


def _prediction(checkpoint: Checkpoint) -> Eps | V | EdmV:
    """By marker tensors: `v_pred`, `ztsnr` for levels that end in pure noise, `edm_vpred.*` for the levels of EDM."""
    found = [name for name in NORMALISED if name in checkpoint.markers]
    if found:
        raise ValueError(
            f"its latents are normalised one by one (marked {', '.join(found)}); such networks cannot be used"
        )
    if any(name in checkpoint.markers for name in EDM_SCALE):
        highest, lowest = (_number(checkpoint, name) for name in EDM_SCALE)
        return EdmV(lowest or EdmV.lowest, highest or EdmV.highest)
    return eps_or_v(checkpoint)


def _number(checkpoint: Checkpoint, name: str) -> float | None:
    if name not in checkpoint.markers:
        return None
    values = checkpoint.markers[name].flatten().tolist()
    if len(values) != 1 or not 0 < values[0] < 1e6:
        raise ValueError(f"tensor {name!r}: expected a noise level, got {values[:4]}")
    return float(values[0])


def _assemble(_shapes: Shapes, _metadata: Metadata) -> Assemble:
    def assemble(encodings: Mapping[str, Encoding]) -> Conditioning:
        joined: Joined = join_clip(encodings, context_width=WIDTH, pooled_width=WIDTH)
        return Conditioning.of(*joined)

    return assemble


def _fit(_shapes: Shapes, _metadata: Metadata) -> Fit:
    def fit(context_BLD: Tensor, pooled_BD: Tensor | None, sizes: Sizes) -> tuple[Tensor, Tensor]:
        check_context(context_BLD, WIDTH, TITLE)
        if pooled_BD is None or pooled_BD.shape[1] < POOLED:
            raise Unfit(f"{TITLE} needs the pooled text of CLIP-G; load its two text encoders")
        return context_BLD, torch.cat((pooled_BD[:, -POOLED:], size_vector(pooled_BD, sizes)), dim=1)

    return fit


def size_vector(like_BD: Tensor, sizes: Sizes) -> Tensor:
    """The picture's size, the corner it is cropped at and the size it stands for: six numbers, height first."""
    target = (sizes.target_height, sizes.target_width)
    return embedded(like_BD, (sizes.height, sizes.width, sizes.top, sizes.left, *target))


def embedded(like_BD: Tensor, numbers: Sequence[float]) -> Tensor:
    """Numbers as the network takes them, 256 values each, one after the other."""
    # Made on the device: bringing them there would wait for all that is under way.
    numbers_N = torch.cat([torch.full((1,), number, dtype=torch.float32, device=like_BD.device) for number in numbers])
    return timestep_embedding(numbers_N, SIZE).flatten().to(like_BD.dtype).expand(like_BD.shape[0], -1)


FAMILY = Family(
    name="sdxl",
    title=TITLE,
    architecture="U-Net",
    recognise=_recognise,
    network=unet_of,
    prediction=_prediction,
    latent_format=SDXL,
    text=(
        TextSlot(
            "clip_l",
            ("conditioner.embedders.0.transformer.",),
            ClipRules(activation="quick_gelu", layer=2, final_norm=False, projected=False, pad=49407),
        ),
        TextSlot(
            "clip_g",
            ("conditioner.embedders.1.model.",),
            ClipRules(activation="gelu", layer=2, final_norm=False, projected=True, pad=0),
        ),
    ),
    assemble=_assemble,
    fit=_fit,
    half=torch.float16,
    beside=UNetExtra(SDXL, grey=None),
)
