from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from api.media import MAX_METADATA, BadImage, ImageTooLarge, inspect_image, sniff


def encoded(format: str, size: tuple[int, int] = (37, 21), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(buffer, format, **options)
    return buffer.getvalue()


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *extra: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("format", "media_type", "options"),
    [
        ("PNG", "image/png", {}),
        ("JPEG", "image/jpeg", {}),
        ("JPEG", "image/jpeg", {"progressive": True}),
        ("GIF", "image/gif", {}),
        ("WEBP", "image/webp", {}),
        ("WEBP", "image/webp", {"lossless": True}),
        ("WEBP", "image/webp", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
        ("AVIF", "image/avif", {}),
    ],
)
def test_type_and_size_of_what_an_encoder_wrote(format: str, media_type: str, options: dict[str, object]) -> None:
    info = inspect_image(encoded(format, **options))
    assert (info.media_type, info.width, info.height) == (media_type, 37, 21)


@pytest.mark.parametrize(
    "content", [b"", b"GIF8", b"<svg/>", b"%PDF-1.7", b"PK\x03\x04", b"RIFF1234WAVE", b"import os"]
)
def test_what_is_no_raster_image_is_not_sniffed_as_one(content: bytes) -> None:
    assert sniff(content) is None
    with pytest.raises(BadImage):
        inspect_image(content)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "WEBP", "AVIF"])
def test_every_cut_of_a_header_is_refused(format: str) -> None:
    data = encoded(format)
    header = {"GIF": 10, "WEBP": 30}.get(format, 40)
    for length in range(header):
        with pytest.raises(BadImage):
            inspect_image(data[:length])


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (65_535, 1), (16_000, 16_000)])
def test_pixels_over_the_limit_are_refused_by_the_header(width: int, height: int) -> None:
    with pytest.raises(ImageTooLarge, match=f"{width} x {height}"):
        inspect_image(png(width, height))


def test_an_animation_counts_all_its_frames() -> None:
    control = png_chunk(b"acTL", struct.pack(">II", 10_000, 0))
    with pytest.raises(ImageTooLarge, match="10000 frame"):
        inspect_image(png(512, 512, control))


@pytest.mark.parametrize("name", [b"iCCP", b"zTXt", b"iTXt"])
def test_metadata_that_could_inflate_is_limited(name: bytes) -> None:
    with pytest.raises(ImageTooLarge, match="metadata"):
        inspect_image(png(8, 8, png_chunk(name, bytes(MAX_METADATA + 1))))


def test_bytes_after_the_end_of_a_png_are_refused() -> None:
    with pytest.raises(BadImage, match="more bytes"):
        inspect_image(png(8, 8) + b"<html><script>alert(1)</script></html>")


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(BadImage, match="0 x 8"):
        inspect_image(png(0, 8))
