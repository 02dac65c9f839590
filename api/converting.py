"""Workflows of other programs as documents of Weft."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.bodies import parse_json, read_body
from api.problems import invalid_graph
from api.services import Services
from graph.problems import InvalidGraph

MAX_FOREIGN = 32 << 20


async def convert(request: web.Request, services: Services) -> web.StreamResponse:
    """A workflow of ComfyUI, in the format of its API or of its files, as a document of Weft, with notes of what could
    not be carried over. Nothing is kept; 422 for what is none."""
    foreign = await parse_json(await read_body(request, MAX_FOREIGN))
    try:
        made = await asyncio.to_thread(services.converts, foreign, services.jobs.catalogue.registry)
    except InvalidGraph as error:
        raise invalid_graph(error) from error
    return web.json_response(made)
