"""The catalogue: every node there is, with its ports and widgets."""

from __future__ import annotations

import asyncio
import hashlib
import json

from aiohttp import ETag, hdrs, web

from api.problems import Refused
from api.services import Services


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
    body = json.dumps(await asyncio.to_thread(known.to_json)).encode()
    tag = ETag(hashlib.sha256(body).hexdigest()[:32], is_weak=True)  # weak: one for all compressions
    unchanged = tag.value in {each.value for each in request.if_none_match or ()}
    answer = web.Response(status=304) if unchanged else web.Response(body=body, content_type="application/json")
    answer.headers[hdrs.CACHE_CONTROL] = "private, no-cache"
    answer.etag = tag
    if not unchanged:
        answer.enable_compression()
    return answer
