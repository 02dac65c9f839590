"""The catalogue: every node there is, with its ports and widgets."""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from typing import Final

from aiohttp import hdrs, web

from api.page import send
from api.problems import Refused
from api.services import Services
from api.site import Asset, asset_of

NAME: Final = "nodes.json"


async def catalogue(request: web.Request, services: Services) -> web.StreamResponse:
    """The definitions of all nodes; file widgets list the names that can be chosen now. 304 while all is as it was."""
    known = services.jobs.catalogue
    if not known.version:
        raise Refused(
            503,
            "starting",
            "The node definitions are not known yet: the first worker is starting.",
            hint="Try again in a few seconds, or wait for the worker to be ready on /api/v1/events.",
            headers={"Retry-After": "2"},
        )
    asset = await asyncio.to_thread(lambda: _asset(json.dumps(known.to_json()).encode()))
    return await send(request, asset, NAME, {hdrs.CACHE_CONTROL: "private, no-cache"})


@lru_cache(maxsize=1)
def _asset(body: bytes) -> Asset:
    """Compressed once: many pages ask for what stands."""
    return asset_of(NAME, body)
