"""Request bodies: read up to a limit, parsed whole or refused whole."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

from aiohttp import web

from api.problems import Refused
from graph.problems import InvalidGraph
from graph.workflow import parse_json as parse_strictly

READ_TIMEOUT_S = 60.0
PARSED_ON_LOOP = 1 << 18


def too_large(limit: int) -> Refused:
    """The refusal of a body over `limit` bytes."""
    return Refused(413, "too_large", f"Expected at most {limit:,} bytes in the body.", facts={"limit": limit})


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body; 413 over `limit` bytes, 408 when it does not arrive in a minute."""
    body = bytearray()
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise too_large(limit)
    except TimeoutError:
        raise Refused(408, "slow_body", f"The body did not arrive within {READ_TIMEOUT_S:.0f} s.") from None
    return bytes(body)


async def parse_json(body: bytes) -> object:
    """The body as JSON; 400 says what is not JSON, nests too deep, repeats a key or is a number JSON does not have.

    A large body is parsed in a thread, so that other requests are answered meanwhile.
    """
    try:
        return parse_strictly(body) if len(body) < PARSED_ON_LOOP else await asyncio.to_thread(parse_strictly, body)
    except InvalidGraph as error:
        raise Refused(400, "bad_json", str(error), hint="Send one JSON document in UTF-8.") from error


async def read_members(request: web.Request, limit: int, allowed: tuple[str, ...]) -> Mapping[str, object]:
    """The body as a JSON object with no members but `allowed`; 400 otherwise."""
    body = await parse_json(await read_body(request, limit))
    if not isinstance(body, dict):
        raise Refused(400, "bad_request", f"Expected a JSON object, got {type(body).__name__}.")
    members = cast("dict[str, object]", body)
    unknown = sorted(members.keys() - set(allowed))
    if unknown:
        raise Refused(
            400,
            "unknown_member",
            f"Expected only {', '.join(allowed)} in the request, got {', '.join(unknown)!r:.200}.",
        )
    return members
