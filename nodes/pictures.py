"""Between tensors in 0..1 and picture files."""

from __future__ import annotations

import io
import json
import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image, ImageCms, ImageOps, PngImagePlugin
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


MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg", "avif": "image/avif"}
)
"""What pictures can be saved as."""

_DESCRIPTION = 0x010E
_LONGEST_EXIF = 65_000  # bytes a JPEG has room for


def encode(image_3HW: Tensor, format: str, quality: int, workflow: Mapping[str, Any]) -> bytes:
    """A picture file of one of MEDIA_TYPES, with the workflow's document in it: as text of a PNG, in the others as the
    description of their EXIF data, which in a JPEG has to be short enough.

    `quality` is 1..100; PNG, and WebP at 100, keep every level.
    """
    if format == "png":
        return encode_png(image_3HW, workflow)
    if format not in MEDIA_TYPES:
        raise ValueError(f"format: expected one of {', '.join(MEDIA_TYPES)}, got {format!r}")
    exif = Image.Exif()
    exif[_DESCRIPTION] = json.dumps(workflow, separators=(",", ":"))
    options: dict[str, Any] = {"quality": quality, "exif": exif}
    if format == "webp":
        options |= {"lossless": quality == 100, "exact": True}
    if format == "jpeg":
        options |= {"subsampling": 0 if quality >= 90 else 2}
        if len(exif.tobytes()) > _LONGEST_EXIF:
            del options["exif"]
    file = io.BytesIO()
    _picture(image_3HW).save(file, format.upper(), **options)
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
    """A picture file as sRGB 3 H W and transparency H W, both in 0..1; transparency 1 is see-through.

    Turned the way its EXIF data says, its colours brought to sRGB from those its ICC profile names. Of a film the first
    frame. ValueError for what is no picture, is damaged, or is of more than MOST_PIXELS.
    """
    try:
        with Image.open(path, formats=FORMATS) as file:
            if file.width * file.height > MOST_PIXELS:
                raise Image.DecompressionBombError(f"{file.width} x {file.height} pixels")
            return _tensors(_in_srgb(ImageOps.exif_transpose(file)))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{path.name}: expected at most {MOST_PIXELS} pixels, got more: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise ValueError(f"{path.name}: expected a picture file ({', '.join(FORMATS)})") from error
    except DAMAGED as error:
        raise ValueError(f"{path.name}: the picture is damaged: {error}") from error


def _in_srgb(picture: Image.Image) -> Image.Image:
    """The picture without its ICC profile; one that cannot be used counts as none, as it does in browsers."""
    icc = picture.info.get("icc_profile")
    if not icc or picture.mode[0] in "IF":
        return picture
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return picture
        colours = picture if picture.mode in ("L", "CMYK", "LAB") else picture.convert("RGB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        converted = ImageCms.profileToProfile(colours, profile, ImageCms.createProfile("sRGB"), intent, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return picture
    assert converted is not None  # it is only when the picture is changed in place
    if picture.has_transparency_data:
        converted.putalpha(picture.convert("RGBA").getchannel("A"))
    return converted


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
