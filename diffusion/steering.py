"""ControlNets from files, and hints for them from pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from diffusion.controls import ControlNet
from diffusion.fill import Part, build, compute_dtype
from diffusion.latents import SD3
from diffusion.layouts import controlnet
from diffusion.model import VAE
from diffusion.networks.controlnet import ControlMMDiT, ControlUNet
from diffusion.residency import Home, home_of
from diffusion.resize import covering, resized
from diffusion.weights import BadWeights, Weights

DOWNSCALE = 8


def load_controlnet(path: Path, device: str | Home) -> ControlNet:
    """A ControlNet for U-Nets (its authors' or diffusers' layout) or SD3 (diffusers'); BadWeights for other files."""
    weights, home = Weights.open(path), home_of(device)
    try:
        tensors = controlnet.single_file(weights)
    except ValueError as error:
        raise BadWeights(path, str(error)) from error
    dtype = compute_dtype(home.device, tensors.dtypes, torch.float16)
    part = Part(path, "ControlNet", tensors, tensors.shapes, home, dtype, weights.header.identity)
    architecture = "MMDiT" if controlnet.is_mmdit(tensors) else "U-Net"
    network = build(part, ControlMMDiT.from_shapes if architecture == "MMDiT" else ControlUNet.from_shapes)
    return ControlNet(network, architecture, home.device, dtype, f"controlnet:{weights.header.identity}")


@dataclass(frozen=True)
class AsPicture:
    """The hint is the picture itself, each pixel the nearest."""

    def __call__(self, image_B3HW: Tensor, height: int, width: int) -> Tensor:
        height, width = height * DOWNSCALE, width * DOWNSCALE
        return resized(covering(image_B3HW, height, width), height, width, "nearest")


@dataclass(frozen=True)
class AsLatents:
    """The hint is the picture's latents, scaled but not shifted, as these ControlNets were trained."""

    vae: VAE

    def __call__(self, image_B3HW: Tensor, height: int, width: int) -> Tensor:
        rows, columns = height * self.vae.downscale, width * self.vae.downscale
        picture = resized(covering(image_B3HW, rows, columns), rows, columns, "bilinear")
        return self.vae.encode(picture) * SD3.scale


def preparation(net: ControlNet, vae: VAE | None) -> AsPicture | AsLatents:
    """How pictures become hints of a ControlNet. ValueError if that takes a VAE and there is none."""
    if net.architecture == "U-Net":
        return AsPicture()
    if vae is None:
        raise ValueError("ControlNet: this one reads pictures through the model's VAE; connect it")
    return AsLatents(vae)
