"""Nodes that make pictures and latents larger, smaller, and cut them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from diffusion.resize import METHODS, covering, proportional, resized
from diffusion.upscale import load_upscaler, upscaled
from graph import NO_CONTEXT, Choice, Context, ModelFile, Slider, node
from nodes.types import Image, Latent

_Pixels = Annotated[int, Slider(0, 16384, 8)]
_Factor = Annotated[float, Slider(0.01, 8, 0.05)]
_Method = Annotated[str, Choice(METHODS)]
_Fit = Annotated[str, Choice(("stretch", "crop"))]


@node("ImageScale", category="image", title="Resize picture")
def image_scale(
    image: Image, width: _Pixels = 1024, height: _Pixels = 0, method: _Method = "lanczos", fit: _Fit = "stretch"
) -> Image:
    """Give pictures another size.

    image: the pictures. width, height: in pixels; 0 follows from the other. method: lanczos is sharpest, nearest keeps
    pixels as they are. fit: stretch them, or crop them around the middle to the new proportions.
    """
    height, width = proportional((image.shape[2], image.shape[3]), height, width)
    source = covering(image, height, width) if fit == "crop" else image
    return Image(resized(source, height, width, method).clamp(0, 1))


@node("ImageScaleBy", category="image", title="Resize picture by factor")
def image_scale_by(image: Image, factor: _Factor = 2.0, method: _Method = "lanczos") -> Image:
    """Make pictures so many times as large.

    image: the pictures. factor: 2 is twice the width and height. method: lanczos is sharpest, nearest keeps pixels as
    they are.
    """
    height, width = (max(1, round(side * factor)) for side in image.shape[2:])
    return Image(resized(image, height, width, method).clamp(0, 1))


@node("ImageUpscaleWithModel", category="image", title="Upscale with model", resource="gpu")
def image_upscale_with_model(
    image: Image, upscaler: Annotated[Path, ModelFile("upscale_models")], ctx: Context = NO_CONTEXT
) -> Image:
    """Make pictures larger with a network that was taught how small ones look large, such as ESRGAN.

    image: the pictures. upscaler: a file in models/upscale_models; its network says how many times larger.
    """
    network = load_upscaler(upscaler, ctx.device)
    return Image(upscaled(network, image, ctx.progress))


@node("LatentUpscale", category="latent", title="Resize latent")
def latent_upscale(
    latent: Latent, width: _Pixels = 1024, height: _Pixels = 0, method: _Method = "bicubic", fit: _Fit = "stretch"
) -> Latent:
    """Give latents another size, for a second pass of the sampler at a denoise of about 0.5.

    latent: from a sampler or VAE encode. width, height: of the picture in pixels; 0 follows from the other. method: how
    values between are found. fit: stretch, or crop around the middle to the new proportions.
    """
    _, _, old_height, old_width = latent.samples_BCHW.shape
    height, width = proportional((old_height * 8, old_width * 8), height, width)
    rows, columns = max(1, height // 8), max(1, width // 8)
    source = covering(latent.samples_BCHW, rows, columns) if fit == "crop" else latent.samples_BCHW
    return replace(latent, samples_BCHW=resized(source, rows, columns, method))


@node("LatentUpscaleBy", category="latent", title="Resize latent by factor")
def latent_upscale_by(latent: Latent, factor: _Factor = 1.5, method: _Method = "bicubic") -> Latent:
    """Make latents so many times as large, for a second pass of the sampler at a denoise of about 0.5.

    latent: from a sampler or VAE encode. factor: 2 is twice the width and height. method: how values between are found.
    """
    rows, columns = (max(1, round(side * factor)) for side in latent.samples_BCHW.shape[2:])
    return replace(latent, samples_BCHW=resized(latent.samples_BCHW, rows, columns, method))
