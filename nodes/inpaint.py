"""Nodes that paint into a picture, around it, or change it as told."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F

from diffusion.conditioning import Reference
from diffusion.masks import grown, outpainting_mask
from diffusion.regions import sized
from graph import Slider, node
from nodes.types import VAE, Conditioning, Image, Latent, Mask, Model, vae_in

_GREY = 0.5
_Side = Annotated[int, Slider(0, 8192, 8)]


class Padded(NamedTuple):
    image: Image
    mask: Mask


class Prepared(NamedTuple):
    positive: Conditioning
    negative: Conditioning
    latent: Latent


@node("SetLatentNoiseMask", category="inpaint", title="Paint only here")
def set_latent_noise_mask(latent: Latent, mask: Mask) -> Latent:
    """Have the sampler paint a part of a picture only; what the mask leaves out stays exactly as it is.

    latent: the picture, from VAE encode. mask: 1 where to paint, 0 where to keep, stretched over the picture.
    """
    return replace(latent, mask_BHW=mask)


@node("DifferentialDiffusion", category="inpaint", title="Paint by degrees")
def differential_diffusion(model: Model) -> Model:
    """Have masks say how much to change: full parts are painted from the start, faint ones only at the end.

    model: from a loader; masks are set on latents.
    """
    return replace(model, grows_masks=True, origin=f"{model.origin}, masks grow")


@node("VAEEncodeForInpaint", category="inpaint", title="VAE encode to paint anew", resource="gpu")
def vae_encode_for_inpaint(vae: VAE, image: Image, mask: Mask, grow: Annotated[int, Slider(0, 64)] = 6) -> Latent:
    """Turn a picture into latents with a hole to be painted from nothing, at a denoise of 1.

    vae: of the model that will paint. image: the picture. mask: 1 where to paint; what was there is forgotten. grow: by
    how many pixels the painted part reaches over the edge of the hole, so that both meet.
    """
    hole, around = _hole(image, mask), Mask(grown(_like(mask, image), grow))
    return Latent(vae_in(vae).encode(hole), around.round())


@node("InpaintConditioning", category="inpaint", title="Prompts for an inpainting model", resource="gpu")
def inpaint_conditioning(
    positive: Conditioning, negative: Conditioning, vae: VAE, image: Image, mask: Mask
) -> Prepared:
    """Show an inpainting model, which was taught to fill holes, the picture around the hole.

    positive, negative: the prompts. vae: of the model that will paint. image: the picture. mask: 1 where to paint, 0
    where to keep. Models that are no inpainting models take no notice and paint by the mask alone.
    """
    vae, mask = vae_in(vae), _like(mask, image)
    start = Reference(vae.encode(_hole(image, mask)), mask.round())
    return _started(positive, negative, start, Latent(vae.encode(image), mask))


@node("InstructPix2PixConditioning", category="inpaint", title="Prompts for an editing model", resource="gpu")
def instruct_pix2pix_conditioning(positive: Conditioning, negative: Conditioning, vae: VAE, image: Image) -> Prepared:
    """Show a model of the InstructPix2Pix kind the picture that the prompt says to change.

    positive, negative: the prompts, such as "make it winter". vae: of the model that will paint. image: the picture.
    """
    latent_BCHW = vae_in(vae).encode(image)
    return _started(positive, negative, Reference(latent_BCHW), Latent(torch.zeros_like(latent_BCHW)))


@node("ImagePadForOutpaint", category="inpaint", title="Make room around")
def image_pad_for_outpaint(
    image: Image,
    left: _Side = 0,
    top: _Side = 0,
    right: _Side = 0,
    bottom: _Side = 0,
    feather: Annotated[int, Slider(0, 1024)] = 40,
) -> Padded:
    """Put grey room around a picture and mark it to be painted.

    image: the picture. left, top, right, bottom: how many pixels to add on each side. feather: over how many pixels of
    the picture itself the mark fades, so that what is painted meets it softly.
    """
    _, _, height, width = image.shape
    mask_HW = outpainting_mask(height, width, (left, top, right, bottom), feather)
    return Padded(Image(F.pad(image, (left, right, top, bottom), value=_GREY)), Mask(mask_HW[None]))


def _like(mask: Mask, image: Image) -> Mask:
    return Mask(sized(mask, *image.shape[2:]))


def _hole(image: Image, mask: Mask) -> Image:
    """The picture, grey where the mask says more than half."""
    return Image(torch.where(_like(mask, image).round()[:, None] > 0, _GREY, image))


def _started(positive: Conditioning, negative: Conditioning, start: Reference, latent: Latent) -> Prepared:
    both = [c.each(lambda entry: replace(entry, reference=start)) for c in (positive, negative)]
    return Prepared(both[0], both[1], latent)
