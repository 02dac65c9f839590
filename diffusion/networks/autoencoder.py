"""AutoencoderKL: the convolutional autoencoder that gives latent diffusion its latents.

Rombach et al. 2021, "High-Resolution Image Synthesis with Latent Diffusion Models", arXiv:2112.10752. Four latent
channels in SD 1, 2 and XL (with 1x1 convolutions around the latent), sixteen in SD 3 and Flux (without).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffusion.networks.bands import BAND, MapT, Whole, added, attended, convolved, doubled, halved
from diffusion.networks.shapes import Shapes, count, shape_of

GROUPS = 32


@dataclass(frozen=True)
class AutoencoderParams:
    """A level has `channels * multiplier` channels and halves the image, except the last. Channels: multiples of 32."""

    channels: int
    multipliers: tuple[int, ...]
    res_blocks: int = 2
    latent_channels: int = 4
    image_channels: int = 3
    quant_conv: bool = True

    def __post_init__(self) -> None:
        if self.channels % GROUPS or not self.multipliers or min(self.multipliers) < 1:
            raise ValueError(
                f"autoencoder: expected channels in multiples of {GROUPS} and at least one level, "
                f"got {self.channels} channels times {self.multipliers}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(self.channels * multiplier for multiplier in self.multipliers)

    @property
    def scale(self) -> int:
        """Pixels along one side of a latent position."""
        return 2 ** (len(self.multipliers) - 1)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> AutoencoderParams:
        """Read everything from the tensors of a checkpoint whose prefix is stripped."""
        channels, image_channels, _, _ = shape_of(shapes, "encoder.conv_in.weight", 4)
        levels = range(count(shapes, "encoder.down."))
        return cls(
            channels=channels,
            multipliers=tuple(
                shape_of(shapes, f"encoder.down.{n}.block.0.conv1.weight", 4)[0] // channels for n in levels
            ),
            res_blocks=count(shapes, "encoder.down.0.block."),
            latent_channels=shape_of(shapes, "decoder.conv_in.weight", 4)[1],
            image_channels=image_channels,
            quant_conv="post_quant_conv.weight" in shapes,
        )


class Moments(NamedTuple):
    """The posterior over latents, a diagonal Gaussian; both B C H W."""

    mean: Tensor
    logvar: Tensor


class Autoencoder(nn.Module):
    def __init__(self, params: AutoencoderParams) -> None:
        super().__init__()
        p = self.params = params
        self.encoder = Encoder(p)
        self.decoder = Decoder(p)
        self.quant_conv = nn.Conv2d(2 * p.latent_channels, 2 * p.latent_channels, 1) if p.quant_conv else None
        self.post_quant_conv = nn.Conv2d(p.latent_channels, p.latent_channels, 1) if p.quant_conv else None

    def encode(self, x_BCHW: Tensor) -> Tensor:
        """Image in -1..1 to the mean of its latents, unscaled; H and W shrink by `params.scale`."""
        return self.moments(x_BCHW).mean

    def moments(self, x_BCHW: Tensor) -> Moments:
        """Image in -1..1 to mean and log variance of its latents."""
        return _moments(self._encoded(x_BCHW))

    def decode(self, z_BCHW: Tensor) -> Tensor:
        """Unscaled latents to an image, nominally in -1..1."""
        return self._decoded(z_BCHW)

    def encode_in_bands(self, x_BCHW: Tensor, device: torch.device, band: int = BAND) -> Tensor:
        """As `encode`, with bands of about `band` values on the device at a time; the picture and the result stay
        where the picture is."""
        return _moments(self._encoded(Whole.of(x_BCHW, device, band)).values_BCHW).mean

    def decode_in_bands(self, z_BCHW: Tensor, device: torch.device, band: int = BAND) -> Tensor:
        """As `decode`, see `encode_in_bands`."""
        return self._decoded(Whole.of(z_BCHW, device, band)).values_BCHW

    def _encoded(self, x: MapT) -> MapT:
        h = self.encoder(x)
        return h if self.quant_conv is None else convolved(self.quant_conv, h)

    def _decoded(self, z: MapT) -> MapT:
        return self.decoder(z if self.post_quant_conv is None else convolved(self.post_quant_conv, z))


def _moments(h_BCHW: Tensor) -> Moments:
    mean, logvar = h_BCHW.chunk(2, dim=1)
    return Moments(mean, logvar.clamp(-30, 20))


class Encoder(nn.Module):
    def __init__(self, p: AutoencoderParams) -> None:
        super().__init__()
        self.conv_in = conv3(p.image_channels, p.channels)
        before = (p.channels, *p.widths)
        self.down = nn.ModuleList(
            EncoderLevel(before[n], width, p.res_blocks, downsample=n < len(p.widths) - 1)
            for n, width in enumerate(p.widths)
        )
        self.mid = MidBlock(p.widths[-1])
        self.norm_out = norm(p.widths[-1])
        self.conv_out = conv3(p.widths[-1], 2 * p.latent_channels)

    def forward(self, x: MapT) -> MapT:
        h = convolved(self.conv_in, x)
        for level in self.down:
            h = level(h)
        return convolved(self.conv_out, self.mid(h), self.norm_out)


class Decoder(nn.Module):
    def __init__(self, p: AutoencoderParams) -> None:
        super().__init__()
        self.conv_in = conv3(p.latent_channels, p.widths[-1])
        self.mid = MidBlock(p.widths[-1])
        before = (*p.widths, p.widths[-1])
        self.up = nn.ModuleList(
            DecoderLevel(before[n + 1], width, p.res_blocks + 1, upsample=n > 0) for n, width in enumerate(p.widths)
        )
        self.norm_out = norm(p.widths[0])
        self.conv_out = conv3(p.widths[0], p.image_channels)

    def forward(self, z: MapT) -> MapT:
        h = self.mid(convolved(self.conv_in, z))
        for level in reversed(self.up):
            h = level(h)
        return convolved(self.conv_out, h, self.norm_out)


class EncoderLevel(nn.Module):
    def __init__(self, in_channels: int, channels: int, blocks: int, *, downsample: bool) -> None:
        super().__init__()
        self.block = res_blocks(in_channels, channels, blocks)
        self.downsample = Downsample(channels) if downsample else nn.Identity()

    def forward(self, x: MapT) -> MapT:
        return self.downsample(self.block(x))


class DecoderLevel(nn.Module):
    def __init__(self, in_channels: int, channels: int, blocks: int, *, upsample: bool) -> None:
        super().__init__()
        self.block = res_blocks(in_channels, channels, blocks)
        self.upsample = Upsample(channels) if upsample else nn.Identity()

    def forward(self, x: MapT) -> MapT:
        return self.upsample(self.block(x))


class MidBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = ResBlock(channels, channels)
        self.attn_1 = SpatialAttention(channels)
        self.block_2 = ResBlock(channels, channels)

    def forward(self, x: MapT) -> MapT:
        return self.block_2(self.attn_1(self.block_1(x)))


class ResBlock(nn.Module):
    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.norm1 = norm(in_channels)
        self.conv1 = conv3(in_channels, channels)
        self.norm2 = norm(channels)
        self.conv2 = conv3(channels, channels)
        self.nin_shortcut = nn.Identity() if in_channels == channels else nn.Conv2d(in_channels, channels, 1)

    def forward(self, x: MapT) -> MapT:
        h = convolved(self.conv1, x, self.norm1)
        h = convolved(self.conv2, h, self.norm2)
        return added(x, h, self.nin_shortcut)


class SpatialAttention(nn.Module):
    """Self-attention over all positions with a single head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: MapT) -> MapT:
        return attended(self.norm, (self.q, self.k, self.v, self.proj_out), x)


class Downsample(nn.Module):
    """Halve both sides; pads right and bottom only, as LDM was trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: MapT) -> MapT:
        return halved(self.conv, x)


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3(channels, channels)

    def forward(self, x: MapT) -> MapT:
        return doubled(self.conv, x)


def res_blocks(in_channels: int, channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(ResBlock(channels if n else in_channels, channels) for n in range(blocks)))


def norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels, eps=1e-6)


def conv3(in_channels: int, channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, 3, padding=1)
