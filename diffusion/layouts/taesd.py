"""Tiny autoencoders: both parts in one file, one part alone with bare numbers, and diffusers' AutoencoderTiny."""

from __future__ import annotations

import re

from diffusion.latents import FLUX, SD3, SD15, SDXL, LatentFormat
from diffusion.layouts.arranged import Arranged, Made
from diffusion.networks.taesd import DECODER, ENCODER
from diffusion.weights import Weights

_NUMBERS = ("vae_scale", "vae_shift")
_ROOTS = (f"{ENCODER}0.weight", f"{DECODER}1.weight", "decoder.layers.0.weight", "encoder.layers.0.weight")


def recognises(tensors: Weights) -> bool:
    return any(name in tensors.shapes for name in _ROOTS) or "3.conv.0.weight" in tensors.shapes


def single_file(tensors: Weights) -> Arranged:
    """Names `taesd_encoder.N` and `taesd_decoder.N`."""
    # A lone decoder begins with a clamp, which has no weights.
    alone = ENCODER if "0.weight" in tensors.shapes else DECODER
    result: dict[str, Made] = {}
    for name in tensors:
        if name in _NUMBERS:
            continue
        ours = alone + name if re.match(r"\d", name) else name.replace("encoder.layers.", ENCODER)
        found = re.match(r"decoder\.layers\.(\d+)\.(.+)", name)
        result[f"{DECODER}{int(found[1]) + 1}.{found[2]}" if found else ours] = Made((name,))
    return Arranged(tensors, result)


def scale_and_shift(tensors: Weights, channels: int) -> tuple[float, float]:
    """Those in the file, or those of the large autoencoder by its number of channels and what the file is called.

    Nothing in a file without them tells taesd from taesdxl, or taesd3 from taef1. ValueError for numbers that are none.
    """
    name = tensors.header.path.stem.lower()
    like: LatentFormat = SDXL if "xl" in name else SD15
    if channels == SD3.channels:
        like = FLUX if "f1" in name else SD3
    scale, shift = (
        float(tensors[number].float().reshape(-1)[0]) if tensors.shapes.get(number) in ((), (1,)) else usual
        for number, usual in zip(_NUMBERS, (like.scale, like.shift), strict=True)
    )
    if not 0 < scale < 1e3 or not abs(shift) < 1e3:
        raise ValueError(f"expected a scale and a shift of latents, got {scale} and {shift}")
    return scale, shift
