"""Small forms of pictures, made off the event loop and remembered for a while."""

from __future__ import annotations

import asyncio
import io
from collections import OrderedDict
from typing import BinaryIO, Final

from api.media import BadImage, ImageTooLarge, inspect_image

SIDE: Final = 256
QUALITY: Final = 80
MOST_BYTES: Final = 64 << 20
MOST_PIXELS: Final = 50_000_000
KEPT_BYTES: Final = 32 << 20
AT_ONCE: Final = 2
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")


class Thumbnails:
    """Remembers those made last, up to KEPT_BYTES; by name, time and size of the file."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def of(self, file: BinaryIO, tag: str) -> bytes:
        """WebP of SIDE pixels at most. Raises BadImage and ImageTooLarge."""
        if tag in self._kept:
            self._kept.move_to_end(tag)
            return self._kept[tag]
        async with self._turn:
            made = await asyncio.to_thread(_shrunk, file)
        self._kept[tag] = made
        self._bytes += len(made)
        while self._bytes > KEPT_BYTES:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone)
        return made


def _shrunk(file: BinaryIO) -> bytes:
    from PIL import ImageOps, UnidentifiedImageError  # noqa: PLC0415 - the server starts without Pillow
    from PIL.Image import open as decoded  # noqa: PLC0415

    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ImageTooLarge(f"expected at most {MOST_BYTES:,} bytes")
    info = inspect_image(data)
    if info.width * info.height > MOST_PIXELS:
        raise ImageTooLarge(f"expected at most {MOST_PIXELS:,} pixels, got {info.width} x {info.height}")
    try:
        with decoded(io.BytesIO(data), formats=FORMATS) as picture:
            picture.draft("RGB", (SIDE, SIDE))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((SIDE, SIDE))
            has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
            small = upright.convert("RGBA" if has_alpha else "RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadImage(f"its content is damaged ({type(error).__name__})") from error
    written = io.BytesIO()
    small.save(written, "WEBP", quality=QUALITY)
    return written.getvalue()
