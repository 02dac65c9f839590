"""The catalogue: every node there is, with its ports and widgets."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from functools import lru_cache

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
    body, zipped, tag = await asyncio.to_thread(lambda: _made(json.dumps(known.to_json()).encode()))
    headers = {hdrs.CACHE_CONTROL: "private, no-cache", hdrs.VARY: hdrs.ACCEPT_ENCODING}
    if tag in {each.value for each in request.if_none_match or ()}:
        answer = web.Response(status=304, headers=headers)
    elif "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        answer = web.Response(body=zipped, content_type="application/json", headers=headers)
    else:
        answer = web.Response(body=body, content_type="application/json", headers=headers)
    answer.etag = ETag(tag, is_weak=True)  # weak: one for all compressions
    return answer


@lru_cache(maxsize=1)
def _made(body: bytes) -> tuple[bytes, bytes, str]:
    """An answer as it is and compressed, with its tag: many pages ask for the one that stands."""
    return body, gzip.compress(body, 6, mtime=0), hashlib.sha256(body).hexdigest()[:32]
