"""Pictures as ComfyUI's clients send and fetch them: `/upload/image`, `/upload/mask`, `/view`."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from aiohttp import BodyPartReader, web

from api.bodies import too_large
from api.files import CHUNK, MAX_UPLOAD, USER_CONTENT, send, store_picture
from api.media import BadImage, ImageTooLarge, inspect_image
from api.problems import Refused
from api.services import Services
from compat.protocol.peer import Peer
from compat.workflows.foreign import is_object
from jobs.files import BadName, FileStore, NoSuchFile

FOLDERS: Final = ("input", "output", "temp")
MOST_PIXELS: Final = 50_000_000
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")
WRITTEN: Final[Mapping[str, str]] = {"webp": "image/webp", "jpeg": "image/jpeg"}


async def upload_image(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """Keep a picture. No upload replaces another: where the name is taken it gets the next one, which is answered, and
    prompts that say the name they gave it mean it, too."""
    fields = await _form(request)
    return await _stored(fields, fields.get("image"), services, peer)


async def upload_mask(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """Keep a picture with the transparency of the one sent; `original_ref` says which."""
    fields = await _form(request)
    part, reference = fields.get("image"), _reference(fields.get("original_ref"))
    if not isinstance(part, tuple) or reference is None:
        raise Refused(400, "bad_form", "Expected the fields 'image' and 'original_ref'.")
    original = await asyncio.to_thread(_read, services.files, *_place(reference, peer, "output"))
    masked = await asyncio.to_thread(_decoding, _masked, original, part[1])
    return await _stored(fields, (part[0], masked), services, peer)


async def view(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """A picture; `preview=webp;90` or `jpeg;90` in another format, `channel=rgb` or `a` without or as its
    transparency."""
    folder, name = _place(request.query, peer, "output")
    format, _, quality = request.query.get("preview", "").partition(";")
    channel = request.query.get("channel", "rgba")
    if format not in WRITTEN and channel not in ("rgb", "a"):
        return await send(request, services.files, folder, name)
    data = await asyncio.to_thread(_read, services.files, folder, name)
    kind = format if format in WRITTEN else "png"
    number = int(quality) if quality.isdecimal() and 0 < len(quality) < 4 else 90
    written = await asyncio.to_thread(_decoding, _other, data, kind, min(number, 100), channel)
    return web.Response(body=written, content_type=WRITTEN.get(kind, "image/png"), headers=USER_CONTENT)


async def _stored(
    fields: Mapping[str, Any], part: str | tuple[str, bytes] | None, services: Services, peer: Peer
) -> web.Response:
    if not isinstance(part, tuple):
        raise Refused(400, "bad_form", "Expected a picture in the field 'image'.")
    if fields.get("type", "input") not in FOLDERS:
        raise Refused(400, "bad_form", f"Expected 'type' to be one of {', '.join(FOLDERS)}.")
    given = PurePosixPath(part[0].replace("\\", "/")).name or "picture"
    stored, _ = await store_picture(services.files, given, part[1])
    subfolder = str(fields.get("subfolder", "")).strip("/")
    peer.uploads.put(f"{subfolder}/{given}" if subfolder else given, stored)
    return web.json_response({"name": stored, "subfolder": "", "type": "input"})


async def _form(request: web.Request) -> dict[str, str | tuple[str, bytes]]:
    """Texts, and files with their names, by field. 413 for more than an upload may be."""
    fields: dict[str, str | tuple[str, bytes]] = {}
    total = 0
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            data = bytearray()
            while chunk := await part.read_chunk(CHUNK):
                data += chunk
                total += len(chunk)
                if total > MAX_UPLOAD:
                    raise too_large(MAX_UPLOAD)
            fields[part.name] = (part.filename, bytes(data)) if part.filename else data.decode("utf-8", "replace")
    except ValueError as error:
        raise Refused(400, "bad_form", f"Expected multipart/form-data with its boundary: {error}.") from error
    return fields


def _reference(text: object) -> Mapping[str, str] | None:
    try:
        said: object = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return {name: str(value) for name, value in said.items()} if is_object(said) else None


def _place(said: Mapping[str, str], peer: Peer, usual: str) -> tuple[str, str]:
    """Folder and name of `filename`, `subfolder` and `type`; a mark such as [input] after the name says the folder."""
    name, folder = said.get("filename", ""), said.get("type", usual)
    for each in FOLDERS:
        if name.endswith(f" [{each}]"):
            name, folder = name.removesuffix(f" [{each}]"), each
    if folder not in FOLDERS:
        raise Refused(400, "bad_query", f"Expected 'type' to be one of {', '.join(FOLDERS)}.")
    if subfolder := said.get("subfolder", "").strip("/"):
        name = f"{subfolder}/{name}"
    return folder, peer.uploads.find(name) if folder == "input" else name


def _read(files: FileStore, folder: str, name: str) -> bytes:
    try:
        with files.open(folder, name) as file:
            data = file.read(MAX_UPLOAD + 1)
    except (BadName, NoSuchFile) as error:
        raise Refused(404, "unknown_file", f"There is no {folder} file {name!r:.100}.") from error
    if len(data) > MAX_UPLOAD:
        raise too_large(MAX_UPLOAD)
    return data


def _decoding(work: Callable[..., bytes], *arguments: Any) -> bytes:
    """What pictures are made into. Refused for those that are damaged or too large."""
    try:
        return work(*arguments)
    except ImageTooLarge as error:
        raise Refused(413, "picture_too_large", f"The picture is refused: {error}.") from error
    except (BadImage, OSError, ValueError, SyntaxError, EOFError) as error:
        raise Refused(415, "not_a_picture", f"The picture is refused: {error}.") from error


def _opened(data: bytes) -> Any:
    from PIL.Image import open as decoded  # noqa: PLC0415 - the server starts without Pillow

    info = inspect_image(data)
    if info.width * info.height > MOST_PIXELS:
        raise ImageTooLarge(f"expected at most {MOST_PIXELS:,} pixels, got {info.width} x {info.height}")
    return decoded(io.BytesIO(data), formats=FORMATS)


def _masked(original: bytes, mask: bytes) -> bytes:
    """The picture with the transparency of `mask`, as a PNG that has the texts of the original."""
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

    texts = PngInfo()
    with _opened(original) as picture, _opened(mask) as other:
        for keyword, text in getattr(picture, "text", {}).items():
            texts.add_text(keyword, text)
        whole = picture.convert("RGBA")
        alpha = other.convert("RGBA").getchannel("A")
        whole.putalpha(alpha if alpha.size == whole.size else alpha.resize(whole.size))
    written = io.BytesIO()
    whole.save(written, "PNG", pnginfo=texts)
    return written.getvalue()


def _other(data: bytes, format: str, quality: int, channel: str) -> bytes:
    with _opened(data) as picture:
        if channel == "a":
            shown = picture.convert("RGBA").getchannel("A")
        else:
            shown = picture.convert("RGB" if channel == "rgb" or format == "jpeg" else "RGBA")
    written = io.BytesIO()
    shown.save(written, format.upper(), quality=quality)
    return written.getvalue()
