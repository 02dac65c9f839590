"""What one family of checkpoints is: how to recognise it, and the facts its tensors do not tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffusion.conditioning import Conditioning, Sizes
from diffusion.configs import LEVELS, NORMALISED, PREDICTS, ZERO_SNR
from diffusion.extra import Edit, Inpaint
from diffusion.latents import LatentFormat
from diffusion.layouts.arranged import Tensors
from diffusion.model import Assemble, Extra, Fit
from diffusion.networks.shapes import Shapes
from diffusion.networks.unet import UNet, UNetParams
from diffusion.prediction import SCALED_LINEAR, Eps, Prediction, V
from diffusion.text.encode import Encoding
from diffusion.text.slots import TextSlot
from diffusion.training import predicted, scaled
from diffusion.unfit import Unfit

Metadata = Mapping[str, str]

EDM_SCALE = ("edm_vpred.sigma_max", "edm_vpred.sigma_min")
MARKS = frozenset(("v_pred", ZERO_SNR, *NORMALISED, *EDM_SCALE))
"""Tensors that are part of no network and tell how it was trained."""


def _takes_latents_alone(_: Checkpoint) -> None:
    """The extra channels of most networks."""


class Checkpoint(NamedTuple):
    """What is read of a file to learn how its network was trained.

    `network`: the network's tensors, under its own names. `markers`: tensors of the file that are part of no network.
    """

    network: Tensors
    markers: Mapping[str, Tensor]
    metadata: Metadata


@dataclass(frozen=True)
class Family:
    """One family; shapes are those of the network's tensors, prefix stripped.

    `recognise` never raises. `network` raises ValueError for shapes that make no network, `prediction` for a variant
    that cannot be sampled. `assemble` and `fit` join text towers and network; for text encoders in files of their own,
    `assemble` is given no shapes. `half` is the precision on a GPU where the file has no half precision. `beside`
    tells of channels the network takes beside latents.
    """

    name: str
    title: str
    architecture: str
    recognise: Callable[[Shapes], bool]
    network: Callable[[Shapes], nn.Module]
    prediction: Callable[[Checkpoint], Prediction]
    latent_format: LatentFormat
    text: tuple[TextSlot, ...]
    assemble: Callable[[Shapes, Metadata], Assemble]
    fit: Callable[[Shapes, Metadata], Fit]
    half: torch.dtype
    beside: Callable[[Checkpoint], Extra | None] = _takes_latents_alone

    def trained(self, checkpoint: Checkpoint) -> Prediction:
        """What a checkpoint of the family predicts, by its own word where it has one; ValueError as `prediction`."""
        return predicted(self.prediction(checkpoint), checkpoint.metadata)

    def latents(self, metadata: Metadata) -> LatentFormat:
        """How a checkpoint of the family scales latents; ValueError for metadata that does not say it."""
        return scaled(self.latent_format, metadata)


def eps_or_v(checkpoint: Checkpoint, *, unsaid_v: bool = False) -> Eps | V:
    """What a file says its network predicts, v where it says nothing and `unsaid_v`. On the levels of latent diffusion,
    or as marked on such as end in pure noise; ValueError for eps on those."""
    stated = checkpoint.metadata.get(PREDICTS)
    predicts_v = "v_pred" in checkpoint.markers or (unsaid_v if stated is None else stated == "v")
    ends_in_noise = ZERO_SNR in checkpoint.markers
    if ends_in_noise and not predicts_v:
        raise ValueError("it is marked ztsnr but not v_pred; eps says nothing where a latent is all noise")
    return V(replace(SCALED_LINEAR, ends_in_noise=ends_in_noise)) if predicts_v else Eps()


class UNetSignature(NamedTuple):
    """What tells the U-Net families apart."""

    context_dim: int
    linear_projection: bool
    y_dim: int | None


def unet_signature(shapes: Shapes) -> UNetSignature | None:
    """The signature of a U-Net, or None for anything else."""
    if "input_blocks.0.0.weight" not in shapes:
        return None
    key = next((name for name in shapes if name.endswith(".transformer_blocks.0.attn2.to_k.weight")), "")
    projection = shapes.get(key.removesuffix("transformer_blocks.0.attn2.to_k.weight") + "proj_in.weight", ())
    to_k, label = shapes.get(key, ()), shapes.get("label_emb.0.0.weight")
    if len(to_k) != 2 or (label is not None and len(label) != 2):
        return None
    return UNetSignature(to_k[1], len(projection) == 2, None if label is None else label[1])


def unet_of(shapes: Shapes) -> UNet:
    """The U-Net of these shapes; ValueError if it takes what nobody can give it beside the latents."""
    params = UNetParams.from_shapes(shapes)
    _extra_channels(params)
    return UNet(params)


def _extra_channels(params: UNetParams) -> int:
    extra, latent = params.in_channels - params.out_channels, params.out_channels
    if extra not in (0, latent, latent + 1):
        raise ValueError(
            f"its network takes {params.in_channels} input channels, {extra} of them beside latents; expected none, "
            f"{latent} of a picture to edit, or {latent + 1} of a mask and a picture to paint into"
        )
    return extra


@dataclass(frozen=True)
class UNetExtra:
    """What U-Nets take beside latents, by their number of channels. `grey` as in `Inpaint`."""

    latent_format: LatentFormat
    grey: tuple[float, ...] | None

    def __call__(self, checkpoint: Checkpoint) -> Extra | None:
        params = UNetParams.from_shapes(checkpoint.network.shapes)
        extra = _extra_channels(params)
        if extra == params.out_channels:
            is_edm = LEVELS in checkpoint.metadata or any(name in checkpoint.markers for name in EDM_SCALE)
            return Edit(self.latent_format if is_edm else None)
        return Inpaint(self.latent_format, self.grey) if extra else None


@dataclass(frozen=True)
class OneTower:
    """Assembling the text of a family with a single tower and no pooled vector."""

    slot: str

    def __call__(self, encodings: Mapping[str, Encoding]) -> Conditioning:
        encoding = encodings[self.slot]
        return Conditioning.of(encoding.context_1LD, said=encoding.said)


@dataclass(frozen=True)
class ContextOnly:
    """Fitting text to a network that takes no vector beside it."""

    width: int
    title: str

    def __call__(self, context_BLD: Tensor, _pooled_BD: Tensor | None, _sizes: Sizes) -> tuple[Tensor, Tensor | None]:
        check_context(context_BLD, self.width, self.title)
        return context_BLD, None


def check_context(context_BLD: Tensor, width: int, title: str) -> None:
    """Unfit if encoded text is not `width` wide."""
    if context_BLD.shape[2] != width:
        raise Unfit(
            f"{title} takes text {width} wide, got {context_BLD.shape[2]}; "
            "encode the prompt with the text encoders of the same family"
        )
