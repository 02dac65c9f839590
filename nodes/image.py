"""Nodes that load, show and save pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

from graph import NO_CONTEXT, Context, InputFile, OutputFile, OutputName, node
from nodes.pictures import decode, encode_png
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
    image: Image, prefix: Annotated[str, OutputName()] = "weft", ctx: Context = NO_CONTEXT
) -> list[OutputFile]:
    """Save pictures as PNG files that carry this workflow: drop one on the page to get it back.

    image: from VAE decode; each picture of a batch is a file of its own. prefix: how their names begin; `cats/weft`
    puts them in a folder.
    """
    return _write(image, prefix, ctx, temporary=False)


@node("PreviewImage", category="image", title="Preview image", sink=True, resource="io")
def preview_image(image: Image, ctx: Context = NO_CONTEXT) -> list[OutputFile]:
    """Look at pictures without keeping them.

    image: from VAE decode, or anywhere in between.
    """
    return _write(image, "preview", ctx, temporary=True)


def _write(image: Image, prefix: str, ctx: Context, *, temporary: bool) -> list[OutputFile]:
    files: list[OutputFile] = []
    for number, picture_3HW in enumerate(image):
        ctx.progress(number, len(image))
        _, height, width = picture_3HW.shape
        data = encode_png(picture_3HW, ctx.document)
        files.append(
            ctx.save(data, prefix=prefix, media_type="image/png", width=width, height=height, temporary=temporary)
        )
    return files
