"""Feature maps larger than the memory of a device: kept on the host, computed a band of rows at a time.

The result is that of the whole map: convolutions see the rows around their band, normalisation the statistics of the
whole, which are added up while a map is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion.networks.layers import attention

BAND = 2**23
"""Values, of a map or of the one it is made of, that are on the device at a time, unless a single row has more."""


@dataclass(frozen=True)
class Whole:
    """A feature map B C H W on the host, and where it is computed with.

    `sums_2BC`: for each channel the sum of its values and of their squares, float64.
    """

    values_BCHW: Tensor
    sums_2BC: Tensor
    device: torch.device
    band: int

    @staticmethod
    def of(values_BCHW: Tensor, device: torch.device, band: int = BAND) -> Whole:
        """A map whose statistics nobody asks for: pictures, latents."""
        return Whole(values_BCHW, torch.zeros(2, *values_BCHW.shape[:2], dtype=torch.float64), device, band)

    def rows(self, top: int, bottom: int) -> Tensor:
        """Some rows on the device; those beyond the map are left out."""
        return self.values_BCHW[:, :, max(0, top) : bottom].to(self.device)

    def made(self, height: int, band_of: Callable[[int, int], Tensor]) -> Whole:
        """The map of that height whose rows from `top` to `bottom` are `band_of(top, bottom)`."""
        made: list[Tensor] = []
        sums_2BC = torch.zeros(2, 1, 1, dtype=torch.float64)
        top, step = 0, 1
        while top < height:
            bottom = min(height, top + step)
            band_BCHW = band_of(top, bottom)
            wide = band_BCHW.double() if self.device.type == "cpu" else band_BCHW.float()
            sums_2BC = sums_2BC + torch.stack((wide.sum((2, 3)), wide.square().sum((2, 3)))).double().cpu()
            made.append(band_BCHW.to(self.values_BCHW.device))
            values = max(band_BCHW.numel() / (bottom - top), self.values_BCHW.numel() / height)
            top, step = bottom, max(1, int(self.band / values))
        return Whole(torch.cat(made, dim=2), sums_2BC, self.device, self.band)

    def normalised(self, norm: nn.GroupNorm) -> Callable[[Tensor], Tensor]:
        """What `norm` makes of any rows of the map."""
        batch, channels, height, width = self.values_BCHW.shape
        per_group = channels // norm.num_groups
        mean_BG, square_BG = self.sums_2BC.unflatten(2, (norm.num_groups, per_group)).sum(3) / (
            per_group * height * width
        )
        scale_BG = (square_BG - mean_BG.square()).clamp(min=0).add(norm.eps).rsqrt()
        mean, scale = (
            part.float().repeat_interleave(per_group, 1).view(batch, channels, 1, 1).to(self.device)
            for part in (mean_BG, scale_BG)
        )

        def apply(rows_BCHW: Tensor) -> Tensor:
            gain, offset = (part.float()[:, None, None] for part in (norm.weight, norm.bias))
            return (rows_BCHW.float() - mean).mul_(scale * gain).add_(offset).to(rows_BCHW.dtype)

        return apply


MapT = TypeVar("MapT", Tensor, Whole)


def convolved(conv: nn.Conv2d, x: MapT, norm: nn.GroupNorm | None = None) -> MapT:
    """A convolution that keeps the size; of what `norm` and SiLU make of the map, where it is given."""
    if isinstance(x, Tensor):
        return conv(x if norm is None else F.silu(norm(x)))
    whole, halo = x, conv.kernel_size[0] // 2
    apply = None if norm is None else whole.normalised(norm)

    def band(top: int, bottom: int) -> Tensor:
        h = whole.rows(top - halo, bottom + halo)
        h = conv(h if apply is None else F.silu(apply(h)))
        start = min(top, halo)
        return h[:, :, start : start + bottom - top]

    return whole.made(whole.values_BCHW.shape[2], band)


def added(x: MapT, h: MapT, shortcut: nn.Module) -> MapT:
    """What `shortcut`, position by position, makes of `x`, plus `h`."""
    if isinstance(x, Tensor):
        return shortcut(x) + h
    assert isinstance(h, Whole)
    whole, more = x, h
    return whole.made(
        whole.values_BCHW.shape[2], lambda top, bottom: shortcut(whole.rows(top, bottom)) + more.rows(top, bottom)
    )


def doubled(conv: nn.Conv2d, x: MapT) -> MapT:
    """Nearest neighbour to twice the size, then a 3x3 convolution."""
    if isinstance(x, Tensor):
        return conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))

    def band(top: int, bottom: int) -> Tensor:
        first = max(0, top // 2 - 1)
        h = x.rows(first, -(-bottom // 2) + 1)
        h = conv(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        return h[:, :, top - 2 * first : bottom - 2 * first]

    return x.made(2 * x.values_BCHW.shape[2], band)


def halved(conv: nn.Conv2d, x: MapT) -> MapT:
    """A 3x3 convolution of every second position, padded right and below."""
    if isinstance(x, Tensor):
        return conv(F.pad(x, (0, 1, 0, 1)))

    def band(top: int, bottom: int) -> Tensor:
        h = conv(F.pad(x.rows(2 * top, 2 * bottom + 1), (0, 1, 0, 1)))
        return h[:, :, : bottom - top]

    return x.made(x.values_BCHW.shape[2] // 2, band)


def attended(norm: nn.GroupNorm, layers: tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d, nn.Conv2d], x: MapT) -> MapT:
    """Attention with one head over all positions, by the 1x1 convolutions q, k, v and out, added to the map.

    Of a map in bands, keys and values of all positions are on the device together.
    """
    *qkv, out = layers
    if isinstance(x, Tensor):
        h = norm(x)
        q, k, v = (_tokens(layer(h)) for layer in qkv)
        return x + out(attention(q, k, v).transpose(1, 2).unflatten(2, x.shape[-2:]))
    whole, apply, height = x, x.normalised(norm), x.values_BCHW.shape[2]
    to_q, *others = qkv

    def everywhere(layer: nn.Conv2d) -> Tensor:
        made = whole.made(height, lambda top, bottom: layer(apply(whole.rows(top, bottom))))
        return _tokens(made.values_BCHW.to(whole.device))

    k, v = (everywhere(layer) for layer in others)

    def band(top: int, bottom: int) -> Tensor:
        rows = whole.rows(top, bottom)
        q = _tokens(to_q(apply(rows)))
        return rows + out(attention(q, k, v).transpose(1, 2).unflatten(2, rows.shape[-2:]))

    return whole.made(height, band)


def _tokens(x_BCHW: Tensor) -> Tensor:
    """B (H W) 1 C: one head, each token in one piece, without which a GPU makes a matrix of all pairs of tokens."""
    return x_BCHW.flatten(2).transpose(1, 2).contiguous()[:, :, None]
