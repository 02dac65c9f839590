"""The results that are kept between runs: how many bytes of them there are, and a way to let them go."""

from __future__ import annotations

from aiohttp import web

from api.problems import Refused
from api.services import Services
from jobs.job import WorkerUnavailable

TIERS = ("device", "host", "disk")


async def report(_request: web.Request, services: Services) -> web.StreamResponse:
    """Bytes and results each tier holds, and its budget; a tier this machine has not is left out."""
    return web.json_response({"tiers": await _ask(services, ())})


async def clear(request: web.Request, services: Services) -> web.StreamResponse:
    """Let the results of one tier go, or of all; the answer is what is left. A job that runs keeps what it holds."""
    tier = request.query.get("tier")
    if tier is not None and tier not in TIERS:
        raise Refused(400, "bad_query", f"Expected tier to be one of {', '.join(TIERS)}, got {tier!r:.100}.")
    return web.json_response({"tiers": await _ask(services, TIERS if tier is None else (tier,))})


async def _ask(services: Services, cleared: tuple[str, ...]) -> object:
    try:
        return await services.jobs.cache(cleared)
    except WorkerUnavailable as error:
        raise Refused(
            503, "no_worker", str(error), hint="Try again in a few seconds.", headers={"Retry-After": "2"}
        ) from error
