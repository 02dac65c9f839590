"""The networks at the sizes they were published in, for tests and benchmarks on the meta device."""

from __future__ import annotations

from dataclasses import replace

from diffusion.networks.autoencoder import AutoencoderParams
from diffusion.networks.dit import DiTParams
from diffusion.networks.flux import FluxParams
from diffusion.networks.mmdit import MMDiTParams
from diffusion.networks.pixart import PixArtParams
from diffusion.networks.unet import UNetParams

SD1_5 = UNetParams(
    channels=320,
    multipliers=(1, 2, 4, 4),
    res_blocks=(2, 2, 2, 2),
    depths_down=(1, 1, 1, 1, 1, 1, 0, 0),
    depth_mid=1,
    depths_up=(0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    context_dim=768,
    linear_projection=False,
    heads=8,
)
SD2_1 = replace(SD1_5, context_dim=1024, linear_projection=True, heads=None)
SDXL = UNetParams(
    channels=320,
    multipliers=(1, 2, 4),
    res_blocks=(2, 2, 2),
    depths_down=(0, 0, 2, 2, 10, 10),
    depth_mid=10,
    depths_up=(10, 10, 10, 2, 2, 2, 0, 0, 0),
    context_dim=2048,
    linear_projection=True,
    heads=None,
    y_dim=2816,
)
SDXL_REFINER = UNetParams(
    channels=384,
    multipliers=(1, 2, 4, 4),
    res_blocks=(2, 2, 2, 2),
    depths_down=(0, 0, 4, 4, 4, 4, 0, 0),
    depth_mid=4,
    depths_up=(0, 0, 0, 4, 4, 4, 4, 4, 4, 0, 0, 0),
    context_dim=1280,
    linear_projection=True,
    heads=None,
    y_dim=2560,
)
SD3_MEDIUM = MMDiTParams(depth=24, width=1536, context_dim=4096, y_dim=2048)
SD3_5_MEDIUM = replace(SD3_MEDIUM, positions=384, qk_norm=True, dual_blocks=tuple(range(13)))
SD3_5_LARGE = replace(SD3_MEDIUM, depth=38, width=2432, qk_norm=True)
DIT_XL_2 = DiTParams(depth=28, width=1152, rows=1001)
DIT_XL_2_512 = replace(DIT_XL_2, positions=32)
DIT = {
    f"DiT-{size}/{patch}": replace(DIT_XL_2, depth=depth, width=width, patch=patch, positions=32 // patch)
    for size, depth, width in (("S", 12, 384), ("B", 12, 768), ("L", 24, 1024), ("XL", 28, 1152))
    for patch in (2, 4, 8)
}
"""All sizes, for 256 x 256 pixels."""
PIXART_SIGMA = PixArtParams(depth=28, width=1152, context_dim=4096, tokens=300, heads=16)
PIXART_ALPHA = replace(PIXART_SIGMA, tokens=120, told_size=True)
FLUX_DEV = FluxParams(double_blocks=19, single_blocks=38, width=3072, context_dim=4096, y_dim=768, guided=True)
FLUX_SCHNELL = replace(FLUX_DEV, guided=False)
SD1_5_INPAINT, SD1_5_EDIT = replace(SD1_5, in_channels=9), replace(SD1_5, in_channels=8)
SDXL_INPAINT = replace(SDXL, in_channels=9)
SD1_AUTOENCODER = AutoencoderParams(channels=128, multipliers=(1, 2, 4, 4))
SD3_AUTOENCODER = replace(SD1_AUTOENCODER, latent_channels=16, quant_conv=False)
