"""Files: pictures that come in, results that go out; content decides what a file is, never its name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import BinaryIO
from urllib.parse import quote

from aiohttp import BodyPartReader, hdrs, web

from api.bodies import read_body, too_large
from api.media import EXTENSIONS, BadImage, ImageInfo, ImageTooLarge, inspect_image, sniff
from api.problems import Refused, bad_name
from api.services import Services
from jobs.files import BadName, FileStore, NoSuchFile, parts_of

MAX_UPLOAD = 64 << 20
CHUNK = 1 << 18
UPLOADS = tuple(EXTENSIONS)

USER_CONTENT: Mapping[str, str] = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    hdrs.CACHE_CONTROL: "private, no-cache",
    hdrs.ACCEPT_RANGES: "bytes",
}


def unknown_file(folder: str, name: str) -> Refused:
    """404 for a file that is not there, or of a name that can be none."""
    return Refused(404, "unknown_file", f"There is no file {name!r:.100} in {folder!r:.40}.", facts={"name": name})


def picture_too_large(name: str, error: ImageTooLarge) -> Refused:
    """413 for a picture that is not decoded."""
    return Refused(413, "picture_too_large", f"{name!r:.100} is too large: {error}.", facts={"name": name})


def file_url(folder: str, name: str) -> str:
    """Where a file of "input", "output" or "temp" is served."""
    return f"/api/v1/files/{folder}/{quote(name)}"


async def get_input(request: web.Request, services: Services) -> web.StreamResponse:
    """An uploaded file."""
    return await send(request, services.files, "input", request.match_info["name"])


async def get_output(request: web.Request, services: Services) -> web.StreamResponse:
    """A result that is kept."""
    return await send(request, services.files, "output", request.match_info["name"])


async def get_temp(request: web.Request, services: Services) -> web.StreamResponse:
    """A result that is only shown."""
    return await send(request, services.files, "temp", request.match_info["name"])


async def delete_output(request: web.Request, services: Services) -> web.StreamResponse:
    """Delete a result for good. Its file goes first: what a crash in between leaves, `fsck` takes for what it is."""
    name = request.match_info["name"]
    try:
        await asyncio.to_thread(services.files.delete, "output", name)
        there = True
    except (BadName, NoSuchFile):
        there = False
    if not (await services.jobs.forget_result(name) or there):
        raise unknown_file("output", name)
    return web.Response(status=204)


async def upload(request: web.Request, services: Services) -> web.StreamResponse:
    """Store a picture; its type is what its content says, and no upload ever replaces another."""
    if request.content_type == "multipart/form-data":
        name, data = await _read_form(request)
    else:
        name, data = request.query.get("name"), await read_body(request, MAX_UPLOAD)
    stored, info = await store_picture(services.files, name or "picture", data)
    url = file_url("input", stored)
    answer = {"name": stored, "url": url, "media_type": info.media_type, "width": info.width, "height": info.height}
    return web.json_response({**answer, "size": len(data)}, status=201, headers={hdrs.LOCATION: url})


async def store_picture(files: FileStore, name: str, data: bytes) -> tuple[str, ImageInfo]:
    """The name a picture is kept under, and what it is. Refused for a bad name and for what is no picture."""
    try:
        if len(parts_of(name)) != 1:
            raise BadName(name, "it must not contain '/'")
        info = inspect_image(data)
        return await asyncio.to_thread(_store, files, _named_by_content(name, info.media_type), data), info
    except BadName as error:
        raise bad_name(error, hint="Send a plain file name such as photo.png.") from error
    except BadImage as error:
        hint = "Save it as PNG, JPEG or WebP first."
        raise Refused(
            415, "not_a_picture", f"The upload is refused: {error}.", hint=hint, facts={"name": name}
        ) from error
    except ImageTooLarge as error:
        raise picture_too_large(name, error) from error


async def _read_form(request: web.Request) -> tuple[str | None, bytes]:
    """File name and content of the one field "file" of a form."""
    try:
        part = await (await request.multipart()).next()
    except ValueError as error:
        raise Refused(400, "bad_form", f"Expected multipart/form-data with its boundary: {error}.") from error
    if not isinstance(part, BodyPartReader) or part.name != "file":
        raise Refused(400, "bad_form", "Expected the picture in the form's first field, named 'file'.")
    data = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        data += chunk
        if len(data) > MAX_UPLOAD:
            raise too_large(MAX_UPLOAD)
    return request.query.get("name") or part.filename, bytes(data)


def _named_by_content(name: str, media_type: str) -> str:
    path = PurePosixPath(name)
    same = {".jpeg": ".jpg"}
    suffix = path.suffix.lower()
    return name if same.get(suffix, suffix) == EXTENSIONS[media_type] else path.stem + EXTENSIONS[media_type]


def _store(files: FileStore, name: str, data: bytes) -> str:
    incoming = files.receive()
    try:
        incoming.write(data)
        return incoming.keep(name)
    finally:
        incoming.discard()


async def send(request: web.Request, files: FileStore, folder: str, name: str) -> web.StreamResponse:
    """A file, whole or the range asked for. It is opened once, so what was checked is what is sent."""
    try:
        file = await asyncio.to_thread(files.open, folder, name)
    except (BadName, NoSuchFile) as error:
        raise unknown_file(folder, name) from error
    with file:
        stat = os.fstat(file.fileno())
        headers = {**USER_CONTENT, hdrs.ETAG: f'"{stat.st_mtime_ns:x}-{stat.st_size:x}-{stat.st_ino:x}"'}
        if headers[hdrs.ETAG] in {f'"{tag.value}"' for tag in request.if_none_match or ()}:
            return web.Response(status=304, headers=headers)
        headers |= _presented(await asyncio.to_thread(file.read, 32), name)
        start, stop, status = _range(request, stat.st_size, headers[hdrs.ETAG])
        if status == 206:
            headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{stat.st_size}"
        headers[hdrs.CONTENT_LENGTH] = str(stop - start)
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        if request.method != "HEAD":
            await _copy(file, start, stop, response)
        await response.write_eof()
        return response


def _presented(head: bytes, name: str) -> dict[str, str]:
    """A raster picture by content is shown in place; anything else is a download whatever its name says."""
    media_type = sniff(head)
    disposition = "attachment" if media_type is None else "inline"
    file_name = quote(PurePosixPath(name).name, safe="")
    return {
        hdrs.CONTENT_TYPE: media_type or "application/octet-stream",
        hdrs.CONTENT_DISPOSITION: f"{disposition}; filename*=UTF-8''{file_name}",
    }


def _range(request: web.Request, size: int, etag: str) -> tuple[int, int, int]:
    """(first byte, end, status) of what is asked for; 416 for a range that lies outside or makes no sense."""
    if request.headers.get(hdrs.IF_RANGE, etag) != etag:
        return 0, size, 200
    try:
        asked = request.http_range
    except ValueError:
        raise _unsatisfiable(size) from None
    if asked.start is None and asked.stop is None:
        return 0, size, 200
    start, stop, _ = asked.indices(size)
    if start >= stop:
        raise _unsatisfiable(size)
    return start, stop, 206


def _unsatisfiable(size: int) -> Refused:
    return Refused(
        416, "bad_range", f"Expected one range within {size} bytes.", headers={hdrs.CONTENT_RANGE: f"bytes */{size}"}
    )


async def _copy(file: BinaryIO, start: int, stop: int, response: web.StreamResponse) -> None:
    file.seek(start)
    while start < stop:
        chunk = await asyncio.to_thread(file.read, min(CHUNK, stop - start))
        if not chunk:
            raise ConnectionError("the file became shorter while it was sent")
        start += len(chunk)
        await response.write(chunk)
