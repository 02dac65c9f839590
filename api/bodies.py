"""Request bodies: read up to a limit, parsed whole or refused whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeVar

from aiohttp import web

from api.problems import Refused
from graph.problems import InvalidGraph
from graph.workflow import parse_json as parse_strictly
from graph.workflow import parse_members as parse_each

T = TypeVar("T")

READ_TIMEOUT_S = 60.0
PARSED_ON_LOOP = 1 << 18
REMEMBERED = 2 << 20
"""Bytes of a body up to which what it says is remembered."""


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
    """The body as JSON; 400 says what is not JSON, repeats a key or is a number JSON does not have."""
    return await _parse(parse_strictly, body)


async def parse_members(body: bytes, allowed: tuple[str, ...]) -> Mapping[str, tuple[object, str]]:
    """The body as a JSON object with no members but `allowed`, each as value and as text; 400 otherwise."""
    members = await _parse(_members_of if len(body) < REMEMBERED else parse_each, body)
    unknown = sorted(members.keys() - set(allowed))
    if unknown:
        expected = f"Expected {'only ' + ', '.join(allowed) if allowed else 'no members'} in the request"
        raise Refused(400, "unknown_member", f"{expected}, got {', '.join(unknown)!r:.200}.")
    return members


@lru_cache(maxsize=2)
def _members_of(body: bytes) -> Mapping[str, tuple[object, str]]:
    """As `parse_each`; whoever presses Run again sends the same bytes. The result is shared: nobody may change it."""
    return parse_each(body)


async def _parse(parse: Callable[[bytes], T], body: bytes) -> T:
    """Parse a large body in a thread, so that other requests are answered meanwhile."""
    try:
        return parse(body) if len(body) < PARSED_ON_LOOP else await asyncio.to_thread(parse, body)
    except InvalidGraph as error:
        raise Refused(400, "bad_json", str(error), hint="Send one JSON document in UTF-8.") from error
