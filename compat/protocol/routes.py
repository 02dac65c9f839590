"""The routes of the protocol, each under its own path and under /api."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from api.files import MAX_UPLOAD
from api.route import ANY_TYPE, Body, Route
from api.services import Services
from compat.protocol import files, history, machine, submission
from compat.protocol.listeners import listen
from compat.protocol.peer import Peer

Handler = Callable[[web.Request, Services, Peer], Awaitable[web.StreamResponse]]


async def _listen(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    return await listen(request, services, peer.listeners)


READ: Final[tuple[tuple[str, Handler], ...]] = (
    ("/prompt", history.remaining),
    ("/queue", history.queue),
    ("/history", history.history),
    ("/history/{id}", history.history),
    ("/jobs", history.jobs),
    ("/jobs/{id}", history.job),
    ("/object_info", machine.object_info),
    ("/object_info/{name}", machine.object_info),
    ("/embeddings", machine.embeddings),
    ("/models", machine.models),
    ("/models/{folder}", machine.models),
    ("/view_metadata/{folder}", machine.metadata),
    ("/system_stats", machine.system_stats),
    ("/features", machine.features),
    ("/extensions", machine.nothing),
    ("/view", files.view),
    ("/ws", _listen),
)
SAID: Final = Body(ANY_TYPE, history.MOST_BYTES)
FORM: Final = Body(("multipart/form-data",), MAX_UPLOAD)
CHANGING: Final[tuple[tuple[str, Handler, Body], ...]] = (
    ("/prompt", submission.submit, Body(ANY_TYPE, submission.MOST_BYTES)),
    ("/queue", history.change_queue, SAID),
    ("/interrupt", history.interrupt, SAID),
    ("/free", history.free, SAID),
    ("/history", history.change_history, SAID),
    ("/upload/image", files.upload_image, FORM),
    ("/upload/mask", files.upload_mask, FORM),
)


def peer_routes() -> tuple[Route, ...]:
    """All of them, over a memory of their own. Bodies may have any content type, as the peer's clients send them."""
    peer = Peer()

    def bound(handler: Handler) -> Callable[[web.Request, Services], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request, services: Services) -> web.StreamResponse:
            return await handler(request, services, peer)

        return handle

    return tuple(
        route
        for before in ("", "/api")
        for route in (
            *(Route("GET", before + path, bound(handler), path, {}) for path, handler in READ),
            *(Route("POST", before + path, bound(handler), path, {}, body) for path, handler, body in CHANGING),
        )
    )
