"""TAESD: a tiny autoencoder that stands in for the large ones, to preview or where memory is short.

After github.com/madebyollin/taesd (MIT): residual blocks of 64 channels without normalisation. A file may have the
decoder or the encoder alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion.networks.shapes import Shapes, shape_of

ENCODER, DECODER = "taesd_encoder.", "taesd_decoder."


@dataclass(frozen=True)
class TaesdParams:
    """`scale` and `shift` lead from the large autoencoder's latents to these: (raw - shift) * scale."""

    latent_channels: int
    scale: float
    shift: float
    encodes: bool = True
    decodes: bool = True
    channels: int = 64

    @classmethod
    def from_shapes(cls, shapes: Shapes, scale: float, shift: float) -> TaesdParams:
        """The rest from the tensors of a file."""
        encodes, decodes = f"{ENCODER}0.weight" in shapes, f"{DECODER}1.weight" in shapes
        if decodes:
            channels, latent_channels, _, _ = shape_of(shapes, f"{DECODER}1.weight", 4)
        else:
            latent_channels, channels, _, _ = shape_of(shapes, f"{ENCODER}14.weight", 4)
        return cls(latent_channels, scale, shift, encodes, decodes, channels)


class Taesd(nn.Module):
    """Pictures in -1..1 and latents in the scale of the large autoencoder, as of `Autoencoder`."""

    downscale = 8

    def __init__(self, params: TaesdParams) -> None:
        super().__init__()
        p = self.params = params
        self.taesd_encoder = nn.Sequential(*_encoder(p.channels, p.latent_channels)) if p.encodes else None
        self.taesd_decoder = nn.Sequential(*_decoder(p.channels, p.latent_channels)) if p.decodes else None

    def encode(self, x_BCHW: Tensor) -> Tensor:
        """ValueError where the file has no encoder."""
        if self.taesd_encoder is None:
            raise ValueError("VAE: this file has the decoder of a TAESD alone; encode with a whole one")
        return self.taesd_encoder((x_BCHW + 1) / 2) / self.params.scale + self.params.shift

    def decode(self, z_BCHW: Tensor) -> Tensor:
        """ValueError where the file has no decoder."""
        if self.taesd_decoder is None:
            raise ValueError("VAE: this file has the encoder of a TAESD alone; decode with a whole one")
        return self.taesd_decoder((z_BCHW - self.params.shift) * self.params.scale) * 2 - 1

    def encode_in_bands(self, x_BCHW: Tensor, device: torch.device) -> Tensor:
        """There is little to save: as `encode`."""
        return self.encode(x_BCHW.to(device)).to(x_BCHW.device)

    def decode_in_bands(self, z_BCHW: Tensor, device: torch.device) -> Tensor:
        """There is little to save: as `decode`."""
        return self.decode(z_BCHW.to(device)).to(z_BCHW.device)


class Clamp(nn.Module):
    def forward(self, z_BCHW: Tensor) -> Tensor:
        return torch.tanh(z_BCHW / 3) * 3


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3)]
        self.conv = nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2])

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return F.relu(self.conv(x_BCHW) + x_BCHW)


def _encoder(channels: int, latent_channels: int) -> Iterable[nn.Module]:
    yield nn.Conv2d(3, channels, 3, padding=1)
    yield Block(channels)
    for _ in range(3):
        yield nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False)
        yield from (Block(channels) for _ in range(3))
    yield nn.Conv2d(channels, latent_channels, 3, padding=1)


def _decoder(channels: int, latent_channels: int) -> Iterable[nn.Module]:
    yield from (Clamp(), nn.Conv2d(latent_channels, channels, 3, padding=1), nn.ReLU())
    for _ in range(3):
        yield from (Block(channels) for _ in range(3))
        yield nn.Upsample(scale_factor=2)
        yield nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    yield Block(channels)
    yield nn.Conv2d(channels, 3, 3, padding=1)
