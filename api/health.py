"""Whether the server is up and its workers ready, and the description of the whole interface."""

from __future__ import annotations

from aiohttp import web

from api.services import Services


async def health(_request: web.Request, services: Services) -> web.StreamResponse:
    """The server answers; `worker` is "starting" until one can run jobs, `catalogue` "" until /nodes has an answer."""
    jobs = services.jobs
    workers = {"worker": jobs.worker_state, "workers": jobs.workers()}
    versions = {"catalogue": jobs.catalogue.version, "version": services.config.version}
    return web.json_response({"status": "ok", **workers, **versions})
