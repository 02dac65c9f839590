"""Modules that packs bring to the page: what lies in the folder `web` of a pack, and nothing else of it."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath

from aiohttp import hdrs, web

from api.page import CONTENT_TYPES, send
from api.problems import Refused
from api.services import Services
from api.site import asset_of
from jobs.files import BadName, NoSuchFile

FOLDER = "packs"
WEB = "web"
FIRST = "index.js"


async def list_packs(_request: web.Request, services: Services) -> web.StreamResponse:
    """Names of the packs that have a module for the page. None of them runs before a person allows it there."""
    names = await asyncio.to_thread(services.files.names, FOLDER)
    parts = [PurePosixPath(name).parts for name in names]
    return web.json_response({"packs": [each[0] for each in parts if each[1:] == (WEB, FIRST)]})


async def module(request: web.Request, services: Services) -> web.StreamResponse:
    """A module, style sheet or picture of a pack."""
    pack, path = request.match_info["pack"], request.match_info["path"]
    suffix = PurePosixPath(path).suffix
    try:
        if suffix not in CONTENT_TYPES or suffix == ".html":
            raise NoSuchFile(f"packs have no files that end in {suffix!r:.20}")
        body = await asyncio.to_thread(services.files.read, FOLDER, f"{pack}/{WEB}/{path}")
        asset = await asyncio.to_thread(asset_of, path, body)
    except (BadName, NoSuchFile) as error:
        raise Refused(404, "not_found", f"The pack {pack!r:.100} has no file {path!r:.200} for the page.") from error
    return await send(request, asset, path, {hdrs.CACHE_CONTROL: "no-cache"})
