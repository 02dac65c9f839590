"""The catalogue: every node there is, with its ports and widgets."""

from __future__ import annotations

import asyncio

from aiohttp import web

from api.problems import Refused
from api.services import Services


async def catalogue(_request: web.Request, services: Services) -> web.StreamResponse:
    """The definitions of all nodes; file widgets list the names that can be chosen now."""
    known = services.jobs.catalogue
    if not known.version:
        raise Refused(
            503,
            "starting",
            "The node definitions are not known yet: the first worker is starting.",
            hint="Try again in a few seconds, or wait for the worker to be ready on /api/v1/events.",
            headers={"Retry-After": "2"},
        )
    answer = web.json_response(await asyncio.to_thread(known.to_json))
    answer.enable_compression()
    return answer
