"""How a prompt falls into tokens."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.bodies import parse_members, read_body
from api.problems import Refused
from api.services import Services

MAX_TEXT = 1 << 18


async def tokens(request: web.Request, services: Services) -> web.StreamResponse:
    """The chunks of a prompt as CLIP reads it: in each its tokens, as text with weight."""
    members = await parse_members(await read_body(request, MAX_TEXT), ("text",))
    text, _ = members.get("text", (None, ""))
    if not isinstance(text, str):
        raise Refused(400, "bad_request", "Expected 'text' to be a text.", hint='Send {"text": "a red apple"}.')
    return web.json_response({"chunks": await asyncio.to_thread(services.tokens, text)})
