"""What programs ask before they send a prompt: classes, models, the machine, what this server can do."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import struct
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from aiohttp import web

from api.jobs import unavailable
from api.services import Services
from compat.protocol.listeners import FEATURES
from compat.protocol.peer import Peer
from compat.workflows.definitions import definition, definitions
from jobs.files import MODEL_FOLDERS
from jobs.job import WorkerUnavailable

SPOKEN: Final = "0.8.0"
"""The version of ComfyUI whose protocol this is."""
MOST_HEADER: Final = 100 << 20


async def object_info(request: web.Request, services: Services, _peer: Peer) -> web.StreamResponse:
    """All classes that run here, or the one named."""
    try:
        registry = (await services.jobs.definitions()).registry
    except WorkerUnavailable as error:
        raise unavailable(error) from error
    name = request.match_info.get("name")
    if name is None:
        return web.json_response(await asyncio.to_thread(definitions, registry, services.files))
    found = await asyncio.to_thread(definition, name, registry, services.files)
    return web.json_response({} if found is None else {name: found})


async def embeddings(_request: web.Request, services: Services, _peer: Peer) -> web.StreamResponse:
    names = await asyncio.to_thread(services.files.names, "embeddings")
    return web.json_response([str(PurePosixPath(name).with_suffix("")) for name in names])


async def models(request: web.Request, services: Services, _peer: Peer) -> web.StreamResponse:
    """The folders, or the names in one."""
    folder = request.match_info.get("folder")
    if folder is None:
        return web.json_response(list(MODEL_FOLDERS))
    if folder not in MODEL_FOLDERS:
        return web.Response(status=404)
    return web.json_response(list(await asyncio.to_thread(services.files.names, folder)))


async def metadata(request: web.Request, services: Services, _peer: Peer) -> web.StreamResponse:
    """What the header of a file of weights says beside its tensors."""
    folder, name = request.match_info["folder"], request.query.get("filename", "")
    if folder not in MODEL_FOLDERS:
        return web.Response(status=404)
    try:
        path = services.files.path(folder, name)
    except ValueError:
        return web.Response(status=404)
    found = await asyncio.to_thread(_metadata, path)
    return web.Response(status=404) if found is None else web.json_response(found)


async def system_stats(_request: web.Request, services: Services, _peer: Peer) -> web.StreamResponse:
    """The machine and the devices of the workers. All memory of a device counts as free: what lies there leaves when
    room is needed."""
    total, free = _memory()
    system: dict[str, object] = {
        "os": sys.platform,
        "ram_total": total,
        "ram_free": free,
        "comfyui_version": SPOKEN,
        "weft_version": services.config.version,
        "python_version": platform.python_version(),
        "pytorch_version": _version("torch"),
        "embedded_python": False,
        "argv": [],
    }
    devices = [device(worker) for worker in services.jobs.workers()]
    return web.json_response({"system": system, "devices": devices})


async def features(_request: web.Request, _services: Services, _peer: Peer) -> web.StreamResponse:
    return web.json_response(FEATURES)


async def nothing(_request: web.Request, _services: Services, _peer: Peer) -> web.StreamResponse:
    """An empty list: there are no modules for the peer's own page here."""
    return web.json_response([])


def device(worker: Mapping[str, Any]) -> dict[str, Any]:
    """What `/system_stats` says of the device of a worker."""
    name, bytes = worker["device"] or "cpu", worker["device_bytes"]
    type, _, index = name.partition(":")
    total, free = (bytes, bytes) if bytes else _memory()
    vram = {"vram_total": total, "vram_free": free, "torch_vram_total": total, "torch_vram_free": free}
    return {"name": name, "type": type, "index": int(index) if index else None, **vram}


def _memory() -> tuple[int | None, int | None]:
    """Bytes of memory of the machine, and of it free, where the platform tells."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
    except (AttributeError, ValueError, OSError):
        return None, None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _metadata(path: Path) -> dict[str, Any] | None:
    """Of a file that was found sound; None for a model in several files, and for one that says nothing."""
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else MOST_HEADER + 1
        if path.suffix not in (".safetensors", ".sft") or length > MOST_HEADER:
            return None
        said: Any = json.loads(file.read(length))
    found = said.get("__metadata__")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None
