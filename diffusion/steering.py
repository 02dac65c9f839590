"""ControlNets from files, and hints for them from pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from diffusion.controls import ControlNet
from diffusion.fill import Part, build, compute_dtype
from diffusion.latents import SD3
from diffusion.layouts import controlnet
from diffusion.model import VAE
from diffusion.networks.controlnet import ControlMMDiT, ControlTokens, ControlUNet, ControlUnion
from diffusion.regions import sized
from diffusion.residency import Home, home_of
from diffusion.resize import covering, resized
from diffusion.weights import BadWeights, Weights

DOWNSCALE = 8

UNION_KINDS = ("pose", "depth", "scribble", "edges", "normals", "segments", "tile", "repaint")
"""What ControlNet Union knows, in the order of its table; a smaller one the first of them."""
LARGE_KINDS = ("blur", "edges", "depth")
"""What those for Stable Diffusion 3.5 large are made for, by the number in their file."""


def load_controlnet(path: Path, device: str | Home) -> ControlNet:
    """A ControlNet for U-Nets (its authors' or diffusers' layout) or SD3 (Stability's or diffusers'); BadWeights for
    other files. One whose name has "shuffle" in it adds the same all over the picture."""
    weights, home = Weights.open(path), home_of(device)
    try:
        tensors = controlnet.single_file(weights)
        kind = _kind_in(weights)
    except ValueError as error:
        raise BadWeights(path, str(error)) from error
    dtype = compute_dtype(home.device, tensors.dtypes, torch.float16)
    part = Part(path, "ControlNet", tensors, tensors.shapes, home, dtype, weights.header.identity)
    made = ControlNet(
        build(part, _NETWORKS[controlnet.kind_of(tensors.shapes)]),
        home.device,
        dtype,
        f"controlnet:{weights.header.identity}",
        everywhere="shuffle" in path.stem.lower(),
    )
    return _with_kinds(made, kind)


_NETWORKS: Mapping[controlnet.Kind, Callable[[controlnet.Shapes], ControlUNet | ControlMMDiT | ControlTokens]] = (
    MappingProxyType(
        {
            "U-Net": ControlUNet.from_shapes,
            "MMDiT": ControlMMDiT.from_shapes,
            "tokens of an MMDiT": ControlTokens.from_shapes,
        }
    )
)


def _kind_in(weights: Weights) -> str | None:
    if controlnet.CONTROL_TYPE not in weights:
        return None
    number = weights[controlnet.CONTROL_TYPE].float().flatten().tolist()
    if len(number) != 1 or number[0] not in range(len(LARGE_KINDS)):
        raise ValueError(f"tensor {controlnet.CONTROL_TYPE!r}: expected a number from 0 to 2, got {number[:4]}")
    return LARGE_KINDS[int(number[0])]


def _with_kinds(net: ControlNet, kind: str | None) -> ControlNet:
    match net.network:
        case ControlUnion():
            return replace(net, kinds=UNION_KINDS[: len(net.network.task_embedding)])
        case ControlTokens():
            return replace(net, kinds=LARGE_KINDS, kind=kind, borrows=True)
        case _:
            return net


def _unchanged(picture_B3HW: Tensor) -> Tensor:
    return picture_B3HW


@dataclass(frozen=True)
class AsPicture:
    """The hint is the picture itself, each pixel the nearest; what a mask says is to be painted is -1."""

    mask_BHW: Tensor | None = None

    def __call__(self, image_B3HW: Tensor, height: int, width: int) -> Tensor:
        picture, hole_B1HW = _fitted(image_B3HW, self.mask_BHW, height * DOWNSCALE, width * DOWNSCALE, "nearest")
        return picture if hole_B1HW is None else torch.where(hole_B1HW, -1.0, picture)


@dataclass(frozen=True)
class AsLatents:
    """The hint is the picture's latents, scaled, and moved by `shift`, after `change` was done to it.

    With a mask, what is to be painted is black, and a channel more marks what is to stay.
    """

    vae: VAE
    mask_BHW: Tensor | None = None
    shift: float = 0.0
    change: Callable[[Tensor], Tensor] = _unchanged

    def __call__(self, image_B3HW: Tensor, height: int, width: int) -> Tensor:
        scale = self.vae.downscale
        picture, hole_B1HW = _fitted(image_B3HW, self.mask_BHW, height * scale, width * scale, "bilinear")
        if hole_B1HW is not None:
            picture = torch.where(hole_B1HW, 0.0, picture)
        latents_BCHW = (self.vae.encode(self.change(picture)) - self.shift) * SD3.scale
        if hole_B1HW is None:
            return latents_BCHW
        kept_B1HW = 1 - resized(hole_B1HW.to(latents_BCHW), height, width, "nearest")
        return torch.cat((latents_BCHW, kept_B1HW.expand(len(latents_BCHW), -1, -1, -1)), dim=1)


def preparation(net: ControlNet, vae: VAE | None, mask_BHW: Tensor | None = None) -> AsPicture | AsLatents:
    """How pictures become hints of a ControlNet. ValueError if that takes a VAE or a mask and there is none, or if
    there is a mask and it takes none."""
    network = net.network
    if not isinstance(network, ControlMMDiT | ControlTokens):
        return AsPicture(mask_BHW)
    if vae is None:
        raise ValueError("vae: this ControlNet reads pictures through the model's VAE; connect it")
    takes_mask = isinstance(network, ControlMMDiT) and network.takes_mask
    channels = network.pos_embed_input.proj.in_channels - takes_mask
    if vae.channels != channels:
        raise ValueError(f"vae: this ControlNet reads latents of {channels} channels, got a VAE of {vae.channels}")
    if takes_mask != (mask_BHW is not None):
        raise ValueError(f"mask: this ControlNet {'paints into pictures; connect one' if takes_mask else 'takes none'}")
    if takes_mask:
        return AsLatents(vae, mask_BHW, SD3.shift)
    return AsLatents(vae, shift=SD3.shift, change=_CHANGES[net.kind or "blur"]) if net.borrows else AsLatents(vae)


_CHANGES: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {
        "blur": _unchanged,
        # Trained so: the autoencoder saw 127.5 for white and 0.5 for black, where it expects 1 and -1.
        "edges": lambda picture: (127.5 * picture + 1.5) / 2,
        "depth": lambda picture: 1 - picture,
    }
)


def _fitted(
    image_B3HW: Tensor, mask_BHW: Tensor | None, height: int, width: int, method: str
) -> tuple[Tensor, Tensor | None]:
    """A picture and what of it is to be painted, at that size."""
    picture = resized(covering(image_B3HW, height, width), height, width, method)
    if mask_BHW is None:
        return picture, None
    mask_B1HW = sized(mask_BHW, *image_B3HW.shape[2:])[:, None]
    return picture, resized(covering(mask_B1HW, height, width), height, width, "nearest") > 0.5
