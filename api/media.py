"""What an image file says about itself: type by magic number, size from the header, nothing decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

MAX_SIDE = 16_384
MAX_PIXELS = 100_000_000
MAX_METADATA = 1 << 20

EXTENSIONS: Mapping[str, str] = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/avif": ".avif",
}


class BadImage(ValueError):
    """The bytes are not the image they claim to be."""


class ImageTooLarge(ValueError):
    """The image is sound but larger than the server takes."""


@dataclass(frozen=True)
class ImageInfo:
    """Media type and size in pixels; `frames` above 1 for an animation whose header says so."""

    media_type: str
    width: int
    height: int
    frames: int = 1


def sniff(head: bytes) -> str | None:
    """Media type of a raster image by the first 32 bytes, or None for anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return "image/avif"
    return None


def inspect_image(data: bytes) -> ImageInfo:
    """Type and size of a whole image file; raises BadImage or ImageTooLarge without decoding a pixel."""
    media_type = sniff(data[:32])
    if media_type is None:
        raise BadImage("expected PNG, JPEG, WebP, GIF or AVIF by content")
    try:
        info = _READERS[media_type](data)
    except (struct.error, IndexError) as error:
        raise BadImage(f"the {media_type} header is cut short") from error
    if info.width < 1 or info.height < 1:
        raise BadImage(f"an image of {info.width} x {info.height} pixels has nothing to show")
    if max(info.width, info.height) > MAX_SIDE or info.width * info.height * info.frames > MAX_PIXELS:
        raise ImageTooLarge(
            f"expected at most {MAX_SIDE} pixels a side and {MAX_PIXELS} in all, "
            f"got {info.width} x {info.height} in {info.frames} frame(s)"
        )
    return info


def _png(data: bytes) -> ImageInfo:
    width = height = 0
    frames = 1
    ended = False
    for name, start, length in _png_chunks(data):
        if start == 16 and (name, length) != (b"IHDR", 13):
            raise BadImage("a PNG begins with an IHDR chunk of 13 bytes")
        if name == b"IHDR":
            width, height = struct.unpack_from(">II", data, start)
        elif name == b"acTL":
            (frames,) = struct.unpack_from(">I", data, start)
        elif name in (b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf") and length > MAX_METADATA:
            raise ImageTooLarge(f"expected at most {MAX_METADATA} bytes of metadata in a chunk, got {length}")
        ended = name == b"IEND"
    if not ended:
        raise BadImage("the PNG is cut short: no IEND chunk")
    return ImageInfo("image/png", width, height, max(frames, 1))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, offset of the content, its length) of every chunk."""
    at = 8
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            chunk = name.decode("ascii", "replace")
            raise BadImage(f"the PNG is cut short: its chunk {chunk!r} at byte {at} goes on past the end of the file")
        yield name, at + 8, length
        at += 12 + length
        if name == b"IEND" and at < len(data):
            raise BadImage("a PNG ends at its IEND chunk, but more bytes follow")


def _jpeg(data: bytes) -> ImageInfo:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise BadImage(f"expected a JPEG marker at byte {at}")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in (0xD9, 0xDA):
            raise BadImage("the JPEG has no frame header before its picture data")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return ImageInfo("image/jpeg", width, height)
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + max(length, 2)


def _gif(data: bytes) -> ImageInfo:
    width, height = struct.unpack_from("<HH", data, 6)
    return ImageInfo("image/gif", width, height)


def _webp(data: bytes) -> ImageInfo:
    chunk = data[12:16]
    if chunk == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise BadImage(f"expected a VP8, VP8L or VP8X chunk in the WebP, got {chunk!r}")
    return ImageInfo("image/webp", width, height)


def _avif(data: bytes) -> ImageInfo:
    """The largest of the image spatial extents boxes (ISO/IEC 23008-12, 6.5.3): picture, tiles, alpha, thumbnail."""
    sizes: list[tuple[int, int]] = []
    at = data.find(b"ispe", 0, MAX_METADATA)
    while at >= 0:
        width, height = struct.unpack_from(">II", data, at + 8)
        sizes.append((width, height))
        at = data.find(b"ispe", at + 4, MAX_METADATA)
    if not sizes:
        raise BadImage("the AVIF has no image size (ispe) box")
    return ImageInfo("image/avif", *max(sizes, key=lambda size: size[0] * size[1]))


_READERS: Mapping[str, Callable[[bytes], ImageInfo]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
    "image/avif": _avif,
}
