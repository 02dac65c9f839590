"""Nodes that make masks and change them."""

from __future__ import annotations

from typing import Annotated

import torch

from diffusion import masks
from diffusion.regions import sized
from graph import Choice, Slider, node
from nodes.types import Image, Mask

_Side = Annotated[int, Slider(0, 8192)]
_CHANNELS = ("red", "green", "blue", "brightness")
_LUMA = (0.2126, 0.7152, 0.0722)
_OPERATIONS = ("add", "subtract", "multiply", "or", "and", "xor")


@node("SolidMask", category="mask", title="Even mask")
def solid_mask(
    width: Annotated[int, Slider(1, 16384)] = 512,
    height: Annotated[int, Slider(1, 16384)] = 512,
    value: Annotated[float, Slider(0, 1, 0.01)] = 1.0,
) -> Mask:
    """A mask of one value everywhere.

    width, height: its size in pixels. value: 1 is to be painted, 0 is to stay.
    """
    return Mask(torch.full((1, height, width), value))


@node("MaskFromImage", category="mask", title="Mask from picture")
def mask_from_image(image: Image, channel: Annotated[str, Choice(_CHANNELS)] = "brightness") -> Mask:
    """Take a picture, black where to keep and white where to paint, for a mask.

    image: the picture. channel: which of its colours counts.
    """
    if channel == "brightness":
        return Mask(torch.einsum("bchw,c->bhw", image, image.new_tensor(_LUMA)))
    return Mask(image[:, _CHANNELS.index(channel)])


@node("MaskToImage", category="mask", title="Picture from mask")
def mask_to_image(mask: Mask) -> Image:
    """Look at a mask as a picture, white where it is 1.

    mask: the mask.
    """
    return Image(mask[:, None].expand(-1, 3, -1, -1).contiguous())


@node("InvertMask", category="mask", title="Invert mask")
def invert_mask(mask: Mask) -> Mask:
    """Keep what was to be painted, paint what was to stay.

    mask: the mask.
    """
    return Mask(1 - mask)


@node("GrowMask", category="mask", title="Grow mask")
def grow_mask(mask: Mask, pixels: Annotated[int, Slider(-256, 256)] = 8) -> Mask:
    """Make what a mask marks wider or narrower all around.

    mask: the mask. pixels: by how much; below 0 it gets narrower.
    """
    return Mask(masks.grown(mask, pixels))


@node("FeatherMask", category="mask", title="Feather mask")
def feather_mask(mask: Mask, left: _Side = 0, top: _Side = 0, right: _Side = 0, bottom: _Side = 0) -> Mask:
    """Let a mask fade out towards the edges of the picture.

    mask: the mask. left, top, right, bottom: over how many pixels from each edge.
    """
    return Mask(masks.faded(mask, (left, top, right, bottom)))


@node("ThresholdMask", category="mask", title="Sharpen mask")
def threshold_mask(mask: Mask, value: Annotated[float, Slider(0, 1, 0.01)] = 0.5) -> Mask:
    """Make a soft mask a hard one.

    mask: the mask. value: what is above becomes 1, the rest 0.
    """
    return Mask((mask > value).float())


@node("CombineMasks", category="mask", title="Combine masks")
def combine_masks(mask_a: Mask, mask_b: Mask, operation: Annotated[str, Choice(_OPERATIONS)] = "or") -> Mask:
    """Make one mask of two; the second is stretched to the size of the first.

    mask_a, mask_b: the masks. operation: add and subtract stay within 0 and 1; or is the greater value, and the lesser,
    xor what is in one of them only.
    """
    a, b = mask_a, sized(mask_b, *mask_a.shape[1:])
    match operation:
        case "add":
            result = a + b
        case "subtract":
            result = a - b
        case "multiply":
            result = a * b
        case "or":
            result = torch.maximum(a, b)
        case "and":
            result = torch.minimum(a, b)
        case _:
            result = torch.maximum(torch.minimum(a, 1 - b), torch.minimum(1 - a, b))
    return Mask(result.clamp(0, 1))


@node("CompositeMask", category="mask", title="Paste mask")
def composite_mask(
    mask: Mask,
    patch: Mask,
    x: Annotated[int, Slider(-8192, 8192)] = 0,
    y: Annotated[int, Slider(-8192, 8192)] = 0,
) -> Mask:
    """Lay one mask on another.

    mask: the one below. patch: the one on top; what hangs over is cut. x, y: where its upper left corner comes to lie.
    """
    whole = torch.ones(1, *patch.shape[1:])
    return Mask(masks.pasted(mask[:, None], patch[:, None], x, y, whole)[:, 0])
