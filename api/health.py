"""Whether the server is up and its worker ready, and the description of the whole interface."""

from __future__ import annotations

from aiohttp import web

from api.services import Services


async def health(_request: web.Request, services: Services) -> web.StreamResponse:
    """The server answers; `worker` is "starting" until a worker is ready to run jobs."""
    worker = services.jobs.worker_state
    return web.json_response({"status": "ok", "worker": worker, "version": services.config.version})
