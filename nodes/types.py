"""The values that travel along links. A type here is a port's colour in the editor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from torch import Tensor

from diffusion.conditioning import Conditioning
from diffusion.controls import ControlNet
from diffusion.guides import Guide
from diffusion.latents import LatentFormat
from diffusion.model import CLIP, VAE, Model
from diffusion.picture_prompts import IPAdapter, Vision

__all__ = (
    "CLIP",
    "VAE",
    "Conditioning",
    "ControlNet",
    "Film",
    "Guide",
    "IPAdapter",
    "Image",
    "Latent",
    "Mask",
    "Model",
    "Noise",
    "Sampler",
    "Sigmas",
    "Vision",
    "clip_in",
    "vae_in",
)

Image = NewType("Image", Tensor)
"""A batch of RGB pictures, B 3 H W, float32 in 0..1."""

Mask = NewType("Mask", Tensor)
"""A batch of masks, B H W, float32 in 0..1; 1 marks what is to change."""


@dataclass(frozen=True)
class Latent:
    """A batch of pictures in an autoencoder's own scale, float32; all zeros is an empty one, whatever its channels.

    `mask_BHW` of any size is stretched over them: 1 is to be painted, 0 stays as it is; None paints all. `items`: their
    numbers in the batch they were taken out of, which say what noise each gets; None for a batch that is whole.
    """

    samples_BCHW: Tensor
    mask_BHW: Tensor | None = None
    items: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Film:
    """What a sampler saw on its way, step by step, in the model's scale, half precision: the latents it led to and the
    clean estimates it made them from. `sigmas`: the level each step began at."""

    sigmas: tuple[float, ...]
    noisy_SBCHW: Tensor
    estimates_SBCHW: Tensor
    latent_format: LatentFormat


Sigmas = NewType("Sigmas", tuple[float, ...])
"""Noise levels from the highest down, in the unit of the model they were made for."""


@dataclass(frozen=True)
class Sampler:
    """A sampler by name. `eta`, where it has such a setting, is how much of the noise is made anew at each step."""

    name: str
    eta: float | None = None


@dataclass(frozen=True)
class Noise:
    """Which noise a seed means, by the rule of that name; `begin` adds it to the latent a generation starts from."""

    seed: int
    rule: str = "weft"
    begin: bool = True


def clip_in(clip: CLIP | None, port: str = "clip") -> CLIP:
    """The text encoders of a checkpoint, which may be in files of their own; ValueError says where to get them."""
    if clip is None:
        raise ValueError(
            f"{port}: the checkpoint this comes from holds no text encoder; add a CLIPLoader and connect it"
        )
    return clip


def vae_in(vae: VAE | None, port: str = "vae") -> VAE:
    """The VAE of a checkpoint, which may be in a file of its own; ValueError says where to get it."""
    if vae is None:
        raise ValueError(f"{port}: the checkpoint it comes from holds no VAE; add a VAELoader and connect it")
    return vae
