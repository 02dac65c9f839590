"""Nodes that make latents, and turn pictures into latents and back."""

from __future__ import annotations

from typing import Annotated

import torch

from graph import AtMost, Slider, node
from nodes.types import VAE, Image, Latent, vae_in

MOST_PIXELS = AtMost(16384 * 16384, "pixels", ("width", "height", "batch"))


@node("EmptyLatent", category="latent", title="Empty latent", at_most=MOST_PIXELS)
def empty_latent(
    width: Annotated[int, Slider(16, 16384, 8)] = 512,
    height: Annotated[int, Slider(16, 16384, 8)] = 512,
    batch: Annotated[int, Slider(1, 4096)] = 1,
) -> Latent:
    """Start from nothing: a blank canvas of a given size for the sampler to paint on.

    width, height: size of the picture in pixels, rounded down to a multiple of 8. batch: how many pictures at once;
    together they may have 16384 x 16384 pixels.
    """
    return Latent(torch.zeros(batch, 4, height // 8, width // 8))


@node("VAEDecode", category="latent", title="VAE decode", resource="gpu")
def vae_decode(vae: VAE, latent: Latent) -> Image:
    """Turn latents, which a model works on, into a picture you can see.

    vae: of the model that painted, from a loader. latent: from a sampler.
    """
    return Image(vae_in(vae).decode(latent.samples_BCHW))


@node("VAEEncode", category="latent", title="VAE encode", resource="gpu")
def vae_encode(vae: VAE, image: Image) -> Latent:
    """Turn a picture into latents, for a sampler to start from.

    vae: of the model that will paint, from a loader. image: sides that are no multiple of 8 lose their edges.
    """
    return Latent(vae_in(vae).encode(image))
