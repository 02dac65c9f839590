"""The weights there are, by folder."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.services import Services


async def models(_request: web.Request, services: Services) -> web.StreamResponse:
    """The names in every models folder; the first root that has a name wins."""
    found = await asyncio.to_thread(services.files.models)
    return web.json_response({folder: list(names) for folder, names in found.items()})
