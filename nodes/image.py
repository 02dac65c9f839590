"""Nodes that load, show and save pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

from graph import NO_CONTEXT, Choice, Context, InputFile, OutputFile, OutputName, Slider, node
from nodes.pictures import MEDIA_TYPES, decode, encode
from nodes.types import Image, Mask


class Picture(NamedTuple):
    image: Image
    mask: Mask


@node("LoadImage", category="image", title="Load image", resource="io")
def load_image(image: Annotated[Path, InputFile("image")]) -> Picture:
    """Bring in a picture from your computer; the mask is 1 where the picture is transparent.

    image: an uploaded PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF; photographs are turned upright.
    """
    rgb_3HW, transparency_HW = decode(image)
    return Picture(Image(rgb_3HW[None]), Mask(transparency_HW[None]))


@node("SaveImage", category="image", title="Save image", sink=True, resource="io")
def save_image(
    image: Image,
    prefix: Annotated[str, OutputName()] = "weft",
    format: Annotated[str, Choice(tuple(MEDIA_TYPES))] = "png",
    quality: Annotated[int, Slider(1, 100)] = 90,
    ctx: Context = NO_CONTEXT,
) -> list[OutputFile]:
    """Save pictures as files that carry this workflow: drop a PNG on the page to get it back.

    image: from VAE decode; each picture of a batch is a file of its own. prefix: how their names begin; `cats/weft`
    puts them in a folder. format: PNG keeps every pixel; WebP, JPEG and AVIF are smaller, with the workflow in their
    EXIF data (in a JPEG, if it is below 64 KB). quality: of those; WebP at 100 keeps every pixel too.
    """
    return _write(image, prefix, ctx, format=format, quality=quality)


@node("PreviewImage", category="image", title="Preview image", sink=True, resource="io")
def preview_image(image: Image, ctx: Context = NO_CONTEXT) -> list[OutputFile]:
    """Look at pictures without keeping them.

    image: from VAE decode, or anywhere in between.
    """
    return _write(image, "preview", ctx, temporary=True)


def _write(
    image: Image, prefix: str, ctx: Context, *, format: str = "png", quality: int = 100, temporary: bool = False
) -> list[OutputFile]:
    # All pictures of a sweep carry the same workflow: who saved one tells which of its values it was made with.
    document = {**ctx.document, "saved_by": ctx.node} if "swept" in ctx.document else ctx.document
    files: list[OutputFile] = []
    for number, picture_3HW in enumerate(image):
        ctx.progress(number, len(image))
        data, (_, height, width) = encode(picture_3HW, format, quality, document), picture_3HW.shape
        kind = MEDIA_TYPES[format]
        files.append(ctx.save(data, prefix=prefix, media_type=kind, width=width, height=height, temporary=temporary))
    return files
