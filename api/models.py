"""The weights there are, by folder, and which of them has a certain content."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.services import Services
from jobs.files import MODEL_FOLDERS, FileStore
from jobs.several import parts_beside


async def models(_request: web.Request, services: Services) -> web.StreamResponse:
    """The names in every models folder; the first root that has a name wins."""
    found = await asyncio.to_thread(services.files.models)
    return web.json_response({folder: list(names) for folder, names in found.items()})


async def model(request: web.Request, services: Services) -> web.StreamResponse:
    """Size and content hash of a model; where none has the name, of one that has what was asked, or nothing."""
    folder, name, size = request.match_info["folder"], request.match_info["name"], request.query.get("size", "")
    if folder not in MODEL_FOLDERS:
        return web.Response(status=204)
    found = await asyncio.to_thread(_told, services.files, folder, name)
    if found is None and size.isdecimal():
        found = await asyncio.to_thread(_with_content, services.files, folder, int(size), request.query.get("hash", ""))
    return web.Response(status=204) if found is None else web.json_response(found)


def _with_content(files: FileStore, folder: str, size: int, hash: str) -> dict[str, object] | None:
    """Only files of the right size are read."""
    told = (_told(files, folder, name, size) for name in files.names(folder))
    return next((each for each in told if each is not None and each["hash"] == hash), None)


def _told(files: FileStore, folder: str, name: str, size: int | None = None) -> dict[str, object] | None:
    """None for what is no weights, is gone, or has another size than `size`."""
    try:
        path = files.path(folder, name)
        there = sum(each.stat().st_size for each in (path, *parts_beside(path)))
        if size is not None and size != there:
            return None
        return {"name": name, "size": there, "hash": files.fingerprint(folder, name)}
    except (ValueError, OSError):
        return None
