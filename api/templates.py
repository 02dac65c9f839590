"""Workflows to start from, which come with the page."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.problems import Refused
from api.services import Services
from jobs.files import BadName, NoSuchFile

FOLDER = "templates"
SUFFIX = ".json"


async def list_templates(_request: web.Request, services: Services) -> web.StreamResponse:
    """The names of the templates."""
    names = await asyncio.to_thread(services.files.names, FOLDER)
    return web.json_response({"templates": [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]})


async def get(request: web.Request, services: Services) -> web.StreamResponse:
    """One template."""
    name = request.match_info["name"]
    try:
        content = await asyncio.to_thread(services.files.read, FOLDER, name + SUFFIX)
    except (BadName, NoSuchFile) as error:
        raise Refused(
            404, "unknown_template", f"There is no template {name!r:.100}.", hint="GET /api/v1/templates"
        ) from error
    return web.Response(body=content, content_type="application/json")
