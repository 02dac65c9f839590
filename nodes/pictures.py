"""Between tensors in 0..1 and picture files."""

from __future__ import annotations

import io
import json
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps, PngImagePlugin
from torch import Tensor

MOST_PIXELS = 2**26
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
WORKFLOW = "workflow"
"""The text chunk of a PNG that holds the workflow it was made by."""

DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)
"""What Pillow raises for files that break the rules of their format."""


def encode_png(image_3HW: Tensor, workflow: Mapping[str, Any]) -> bytes:
    """A PNG with the workflow's document in it."""
    text = PngImagePlugin.PngInfo()
    text.add_text(WORKFLOW, json.dumps(workflow, separators=(",", ":")))
    file = io.BytesIO()
    _picture(image_3HW).save(file, "PNG", pnginfo=text, compress_level=4)
    return file.getvalue()


def encode_jpeg(image_3HW: Tensor, width: int) -> bytes:
    """A JPEG, made larger or smaller to `width` pixels."""
    picture = _picture(image_3HW)
    size = (width, max(1, round(width * picture.height / picture.width)))
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.BILINEAR).save(file, "JPEG", quality=80)
    return file.getvalue()


def grid(images_B3HW: Tensor) -> Tensor:
    """A batch as one picture 3 H W, row by row on about a square; places left over are black."""
    count = len(images_B3HW)
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    places_B3HW = torch.cat([images_B3HW, images_B3HW.new_zeros(rows * columns - count, *images_B3HW.shape[1:])])
    return places_B3HW.unflatten(0, (rows, columns)).permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)


def decode(path: Path) -> tuple[Tensor, Tensor]:
    """A picture file as RGB 3 H W and transparency H W, both in 0..1; transparency 1 is see-through.

    Turned the way its EXIF data says. Of a film the first frame. ValueError for what is no picture, is damaged, or is
    of more than MOST_PIXELS.
    """
    try:
        with Image.open(path, formats=FORMATS) as file:
            if file.width * file.height > MOST_PIXELS:
                raise Image.DecompressionBombError(f"{file.width} x {file.height} pixels")
            return _tensors(ImageOps.exif_transpose(file))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{path.name}: expected at most {MOST_PIXELS} pixels, got more: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise ValueError(f"{path.name}: expected a picture file ({', '.join(FORMATS)})") from error
    except DAMAGED as error:
        raise ValueError(f"{path.name}: the picture is damaged: {error}") from error


def _tensors(picture: Image.Image) -> tuple[Tensor, Tensor]:
    width, height = picture.size
    deep = _values(picture, torch.float32) if picture.mode == "F" else None
    if picture.mode.startswith("I"):
        deep = _values(picture.convert("I"), torch.int32) / (2**16 - 1)
    if deep is not None:
        gray_HW = deep.nan_to_num().clamp(0, 1).view(height, width)
        return gray_HW.expand(3, -1, -1).contiguous(), torch.zeros(height, width)
    rgba_4HW = _values(picture.convert("RGBA"), torch.uint8).view(height, width, 4).permute(2, 0, 1) / 255
    return rgba_4HW[:3].contiguous(), 1 - rgba_4HW[3]


def _values(picture: Image.Image, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(bytearray(picture.tobytes()), dtype=dtype)


def _picture(image_3HW: Tensor) -> Image.Image:
    """Rounded to the nearest of 256 levels. ValueError for values that are not numbers."""
    if image_3HW.isnan().any():
        raise ValueError(
            "the picture holds values that are not numbers (NaN); the model or VAE that made it overflowed"
        )
    levels_HW3 = (image_3HW.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    return Image.fromarray(levels_HW3.cpu().numpy())
