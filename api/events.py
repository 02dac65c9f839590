"""Events: what happened in a job, numbered from 1, and the state of all jobs, live or after the fact."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import WSCloseCode, web

from api.jobs import unknown
from api.problems import Refused
from api.services import Services
from jobs.job import UnknownJob

log = logging.getLogger("weft.api")

HEARTBEAT_S = 15.0
MAX_MESSAGE = 1024


async def history(request: web.Request, services: Services) -> web.StreamResponse:
    """The events of a job recorded so far, above the number `after`."""
    try:
        texts = [text async for text in services.jobs.recorded(request.match_info["id"], _after(request))]
    except UnknownJob as error:
        raise unknown(error) from error
    inner = ",".join(text[1:-1] for text in texts if len(text) > 2)
    return web.Response(text=f'{{"events": [{inner}]}}', content_type="application/json")


async def stream(request: web.Request, services: Services) -> web.StreamResponse:
    """WebSocket. With `job`, its events above the number `after` as JSON arrays, closed with 1000 after the last.

    Without `job`, every change of state of any job and of the worker from now on. A reader that is slow misses previews
    and states that newer ones replaced, nothing else; one that answers no ping is dropped.
    """
    id = request.query.get("job")
    after = _after(request)
    try:
        batches = services.jobs.watch() if id is None else await services.jobs.subscribe(id, after)
    except UnknownJob as error:
        raise unknown(error) from error
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE, compress=False)
    if not socket.can_prepare(request).ok:
        raise Refused(426, "websocket", "Expected a WebSocket handshake here.", headers={"Upgrade": "websocket"})
    await socket.prepare(request)
    sender = asyncio.create_task(_send(socket, batches), name="events")
    try:
        async for _ in socket:
            pass
    finally:
        sender.cancel()
        await asyncio.wait([sender])
    return socket


async def _send(socket: web.WebSocketResponse, batches: AsyncGenerator[str]) -> None:
    """Send each batch when the socket has taken the one before it, so a slow reader holds back only itself."""
    try:
        async with aclosing(batches):
            async for batch in batches:
                await socket.send_str(batch)
        await socket.close(code=WSCloseCode.OK)
    except ConnectionError:
        log.debug("a reader of events went away")
    except Exception:
        log.exception("a stream of events failed")
        await socket.close(code=WSCloseCode.INTERNAL_ERROR)


def _after(request: web.Request) -> int:
    text = request.query.get("after", "0")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Refused(400, "bad_query", f"Expected after to be the number of an event, got {text!r:.100}.")
    return int(text)
