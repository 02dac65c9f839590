"""Whether the server is up and its worker ready, and the description of the whole interface."""

from __future__ import annotations

from aiohttp import web

from api.services import Services


async def health(_request: web.Request, services: Services) -> web.StreamResponse:
    """The server answers; `worker` is "starting" until it can run jobs, `catalogue` "" until /nodes has an answer."""
    jobs = services.jobs
    members = {"worker": jobs.worker_state, "catalogue": jobs.catalogue.version, "version": services.config.version}
    return web.json_response({"status": "ok", **members})
