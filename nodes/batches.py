"""Nodes that put pictures and latents together and take them apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from diffusion.masks import pasted
from diffusion.regions import sized
from graph import Colour, Slider, node
from nodes.pictures import grid
from nodes.reading import read
from nodes.types import Image, Latent, Mask

_Index = Annotated[int, Slider(0, 4095)]
_Count = Annotated[int, Slider(1, 4096)]
_Place = Annotated[int, Slider(-16384, 16384, 8)]
_Size = Annotated[int, Slider(8, 16384, 8)]
_COLOUR = Colour()


@node("ImageBatch", category="image", title="Batch pictures")
def image_batch(images: list[Image]) -> Image:
    """Make one batch of several pictures of one size.

    images: any number of links.
    """
    return Image(_joined(list(images), "pictures"))


@node("ImageFromBatch", category="image", title="Picture from batch")
def image_from_batch(image: Image, index: _Index = 0, count: _Count = 1) -> Image:
    """Take some pictures out of a batch.

    image: the batch. index: the first one, from 0. count: how many.
    """
    return Image(image[_some(len(image), index, count)])


@node("RepeatImageBatch", category="image", title="Repeat pictures")
def repeat_image_batch(image: Image, count: _Count = 2) -> Image:
    """Have the same pictures several times.

    image: the batch. count: how often.
    """
    return Image(image.repeat(count, 1, 1, 1))


@node("ImageGrid", category="image", title="Contact sheet")
def image_grid(image: Image) -> Image:
    """Lay the pictures of a batch side by side in one.

    image: the batch, row by row.
    """
    return Image(grid(image)[None])


@node("SolidImage", category="image", title="Even picture")
def solid_image(
    width: _Size = 512, height: _Size = 512, colour: Annotated[str, _COLOUR] = "#808080", batch: _Count = 1
) -> Image:
    """A picture of one colour, to paint on, to lay others on or to fill up with.

    width, height: its size in pixels. colour: of all its pixels. batch: how many of it.
    """
    rgb = torch.tensor(read("colour", colour, _COLOUR.parts))
    return Image(rgb.view(1, 3, 1, 1).expand(batch, 3, height, width).contiguous())


@node("ImageCrop", category="image", title="Crop picture")
def image_crop(image: Image, width: _Size = 512, height: _Size = 512, x: _Place = 0, y: _Place = 0) -> Image:
    """Cut a rectangle out of pictures.

    image: the pictures. width, height: of the rectangle, in pixels; what hangs over is left out. x, y: its corner.
    """
    return Image(_cut(image, width, height, x, y))


@node("ImageComposite", category="image", title="Paste picture")
def image_composite(image: Image, patch: Image, x: _Place = 0, y: _Place = 0, mask: Mask | None = None) -> Image:
    """Lay one picture on another; what the mask leaves out stays exactly as it is.

    image: the one below. patch: the one on top; what hangs over is cut. x, y: where its upper left corner comes to lie.
    mask: 1 where the patch shows, stretched over it.
    """
    where = torch.ones(1, *patch.shape[2:]) if mask is None else sized(mask, *patch.shape[2:])
    return Image(pasted(image, patch, x, y, where))


@node("LatentBatch", category="latent", title="Batch latents")
def latent_batch(latents: list[Latent]) -> Latent:
    """Make one batch of several latents of one size, for one sampler to paint.

    latents: any number of links; their masks are left behind unless all have one of the same size.
    """
    masks = [latent.mask_BHW for latent in latents]
    samples_BCHW = _joined([latent.samples_BCHW for latent in latents], "latents")
    if any(mask is None for mask in masks) or len({mask.shape[1:] for mask in masks if mask is not None}) != 1:
        return Latent(samples_BCHW)
    each = [
        mask.expand(len(latent.samples_BCHW), -1, -1)
        for mask, latent in zip(masks, latents, strict=True)
        if mask is not None
    ]
    return Latent(samples_BCHW, torch.cat(each))


@node("LatentFromBatch", category="latent", title="Latent from batch")
def latent_from_batch(latent: Latent, index: _Index = 0, count: _Count = 1) -> Latent:
    """Take some latents out of a batch; a sampler gives each the noise it has in there.

    latent: the batch. index: the first one, from 0. count: how many.
    """
    length, mask = len(latent.samples_BCHW), latent.mask_BHW
    rows, items = _some(length, index, count), latent.items or tuple(range(length))
    taken = mask if mask is None or len(mask) == 1 else mask[rows]
    return Latent(latent.samples_BCHW[rows], taken, items[rows])


@node("RepeatLatentBatch", category="latent", title="Repeat latents")
def repeat_latent_batch(latent: Latent, count: _Count = 2) -> Latent:
    """Have the same latents several times; a sampler gives each its own noise.

    latent: the batch. count: how often.
    """
    mask = latent.mask_BHW
    repeated = mask if mask is None or len(mask) == 1 else mask.repeat(count, 1, 1)
    return Latent(latent.samples_BCHW.repeat(count, 1, 1, 1), repeated)


@node("LatentCrop", category="latent", title="Crop latent")
def latent_crop(latent: Latent, width: _Size = 512, height: _Size = 512, x: _Place = 0, y: _Place = 0) -> Latent:
    """Cut a rectangle out of latents.

    latent: the latents. width, height: of the rectangle, in pixels of the picture; what hangs over is left out. x, y:
    its corner. All are rounded down to 8.
    """
    cells = (width // 8, height // 8, x // 8, y // 8)
    mask = latent.mask_BHW
    if mask is not None:
        mask = _cut(sized(mask, *latent.samples_BCHW.shape[2:]), *cells)
    return replace(latent, samples_BCHW=_cut(latent.samples_BCHW, *cells), mask_BHW=mask)


@node("LatentComposite", category="latent", title="Paste latent")
def latent_composite(latent: Latent, patch: Latent, x: _Place = 0, y: _Place = 0, mask: Mask | None = None) -> Latent:
    """Lay one latent on another.

    latent: the one below. patch: the one on top; what hangs over is cut. x, y: where its upper left corner comes to
    lie, in pixels of the picture, rounded down to 8. mask: 1 where the patch shows, stretched over it.
    """
    below, above = latent.samples_BCHW, patch.samples_BCHW
    if not below.any():  # an empty latent is one of any kind
        below = below.new_zeros(len(below), above.shape[1], *below.shape[2:])
    if below.shape[1] != above.shape[1]:
        raise ValueError(f"latents: expected the same kind, got {below.shape[1]} and {above.shape[1]} channels")
    where = torch.ones(1, *above.shape[2:]) if mask is None else sized(mask, *above.shape[2:])
    return Latent(pasted(below, above, x // 8, y // 8, where), latent.mask_BHW)


def _joined(parts: list[Tensor], what: str) -> Tensor:
    if not parts:
        raise ValueError(f"{what}: expected one or more, got none")
    sizes = {tuple(part.shape[1:]) for part in parts}
    if len(sizes) != 1:
        raise ValueError(f"{what}: expected one size, got {', '.join(str(list(size)) for size in sorted(sizes))}")
    return torch.cat(parts)


def _some(length: int, index: int, count: int) -> slice:
    if index >= length:
        raise ValueError(f"expected an index from 0 to {length - 1}, got {index}")
    return slice(index, index + count)


def _cut(x: Tensor, width: int, height: int, left: int, top: int) -> Tensor:
    rows, columns = x.shape[-2:]
    if left >= columns or top >= rows or left + width <= 0 or top + height <= 0:
        raise ValueError(f"crop: expected a rectangle that meets the picture, got {width} x {height} at {left}, {top}")
    return x[..., max(0, top) : top + height, max(0, left) : left + width]
