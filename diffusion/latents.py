"""Latent formats: how an autoencoder's raw latents are scaled for the network, and a linear guess of their colours."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Rgb = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class LatentFormat:
    """Facts about one kind of latent space.

    `rgb` has a row for each channel and a last one for the bias: colours in -1..1 from latents as the network sees
    them.
    """

    channels: int
    scale: float
    rgb: Rgb
    shift: float = 0.0
    downscale: int = 8

    def process_in(self, raw_BCHW: Tensor) -> Tensor:
        """From the autoencoder to the network: (raw - shift) * scale."""
        return (raw_BCHW - self.shift) * self.scale

    def process_out(self, latent_BCHW: Tensor) -> Tensor:
        """From the network to the autoencoder, the inverse of `process_in`."""
        return latent_BCHW / self.scale + self.shift

    def preview(self, latent_BCHW: Tensor) -> Tensor:
        """Colours B 3 H W in -1..1, one pixel for each latent one, of latents as the network sees them."""
        factors = torch.tensor(self.rgb, dtype=torch.float32, device=latent_BCHW.device)
        rgb_BHW3 = latent_BCHW.float().movedim(1, -1) @ factors[:-1] + factors[-1]
        return rgb_BHW3.movedim(-1, 1).clamp(-1, 1)


def with_rgb(latent_format: LatentFormat, metadata_value: str) -> LatentFormat:
    """The format with a checkpoint's own colours: JSON, channels + 1 rows of 3 finite numbers; else ValueError."""
    try:
        rows = json.loads(metadata_value)
        rgb = tuple((float(red), float(green), float(blue)) for red, green, blue in rows)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"latent colours: expected JSON rows of 3 numbers, got {metadata_value[:60]!r}") from error
    if len(rgb) != latent_format.channels + 1:
        raise ValueError(f"latent colours: expected {latent_format.channels + 1} rows, got {len(rgb)}")
    if not all(math.isfinite(value) for row in rgb for value in row):
        raise ValueError("latent colours: expected finite numbers")
    return replace(latent_format, rgb=rgb)


# Colour factors: fitted and published by the InvokeAI project (Apache-2.0), for latents as the network sees them.
SD15 = LatentFormat(
    channels=4,
    scale=0.18215,
    rgb=(
        (0.3444, 0.1385, 0.0670),
        (0.1247, 0.4027, 0.1494),
        (-0.3192, 0.2513, 0.2103),
        (-0.1307, -0.1874, -0.7445),
        (0.0, 0.0, 0.0),
    ),
)

SD15_GREY = (0.8223, -0.6876, 0.6364, 0.1380)
"""A latent of a grey picture, as networks see it."""

SDXL = LatentFormat(
    channels=4,
    scale=0.13025,
    rgb=(
        (0.3816, 0.4930, 0.5320),
        (-0.3753, 0.1631, 0.1739),
        (0.1770, 0.3588, -0.2048),
        (-0.4350, -0.2644, -0.4289),
        (0.0, 0.0, 0.0),
    ),
)

SD3 = LatentFormat(
    channels=16,
    scale=1.5305,
    shift=0.0609,
    rgb=(
        (-0.05240681, 0.03251581, 0.0749016),
        (-0.0580572, 0.00759826, 0.05729818),
        (0.16144888, 0.01270368, -0.03768577),
        (0.14418615, 0.08460266, 0.15941818),
        (0.04894035, 0.0056485, -0.06686988),
        (0.05187166, 0.19222395, 0.06261094),
        (0.1539433, 0.04818359, 0.07103094),
        (-0.08601796, 0.09013458, 0.10893912),
        (-0.12398469, -0.06766567, 0.0033688),
        (-0.0439737, 0.07825329, 0.02258823),
        (0.03101129, 0.06382551, 0.07753657),
        (-0.01315361, 0.08554491, -0.08772475),
        (0.06464487, 0.05914605, 0.13262741),
        (-0.07863674, -0.02261737, -0.12761454),
        (-0.09923835, -0.08010759, -0.06264447),
        (-0.03392309, -0.0804029, -0.06078822),
        (0.0, 0.0, 0.0),
    ),
)

FLUX = LatentFormat(
    channels=16,
    scale=0.3611,
    shift=0.1159,
    rgb=(
        (-0.0412, 0.0149, 0.0521),
        (0.0056, 0.0291, 0.0768),
        (0.0342, -0.0681, -0.0427),
        (-0.0258, 0.0092, 0.0463),
        (0.0863, 0.0784, 0.0547),
        (-0.0017, 0.0402, 0.0158),
        (0.0501, 0.1058, 0.1152),
        (-0.0209, -0.0218, -0.0329),
        (-0.0314, 0.0083, 0.0896),
        (0.0851, 0.0665, -0.0472),
        (-0.0534, 0.0238, -0.0024),
        (0.0452, -0.0026, 0.0048),
        (0.0892, 0.0831, 0.0881),
        (-0.1117, -0.0304, -0.0789),
        (0.0027, -0.0479, -0.0043),
        (-0.1146, -0.0827, -0.0598),
        (0.0, 0.0, 0.0),
    ),
)
