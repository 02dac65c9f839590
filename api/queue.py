"""The queue as a whole: what waits in which order, moving it, stopping and going on, cancelling many."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from aiohttp import web

from api.bodies import parse_members, read_body
from api.jobs import MAX_PRIORITY, is_priority, is_texts, read_nothing, unknown
from api.problems import Refused
from api.services import Services
from jobs.job import NotQueued, Queue, Standing, UnknownJob

MAX_CHANGE = 1024
MAX_CANCEL = 1 << 20
MAX_POSITION = 2**31


async def look(_request: web.Request, services: Services) -> web.StreamResponse:
    """Whether the queue is paused, what runs, and the first of what waits, in order."""
    return _answer(await services.jobs.queue())


async def pause(request: web.Request, services: Services) -> web.StreamResponse:
    """Start no further job until the queue is resumed, also after a restart; what runs goes on."""
    await read_nothing(request)
    return _answer(await services.jobs.pause())


async def resume(request: web.Request, services: Services) -> web.StreamResponse:
    """Go on with the queue."""
    await read_nothing(request)
    return _answer(await services.jobs.resume())


async def change(request: web.Request, services: Services) -> web.StreamResponse:
    """Move a queued job: to a position (0 is the front), before another job, or into another priority."""
    members = await parse_members(await read_body(request, MAX_CHANGE), ("position", "before", "priority"))
    try:
        standing = await _change(
            services, request.match_info["id"], {name: value for name, (value, _) in members.items()}
        )
    except UnknownJob as error:
        raise unknown(error) from error
    except NotQueued as error:
        raise Refused(409, "not_queued", f"{error}.", facts={"job": error.id, "state": error.state}) from error
    return web.json_response({"id": standing.id, "priority": standing.priority, "position": standing.position})


def _change(services: Services, id: str, members: Mapping[str, object]) -> Awaitable[Standing]:
    match members:
        case {"position": int(position)} if len(members) == 1 and _is_position(position):
            return services.jobs.move_to(id, position)
        case {"before": str(other)} if len(members) == 1:
            return services.jobs.move_before(id, other)
        case {"priority": priority} if len(members) == 1 and is_priority(priority):
            return services.jobs.prioritise(id, priority)
        case _:
            raise Refused(
                400,
                "bad_request",
                "Expected exactly one of 'position' (a whole number from 0), 'before' (the id of a queued job) and "
                f"'priority' (a whole number within ±{MAX_PRIORITY}).",
                hint='To run a job next, send {"position": 0}.',
            )


async def cancel(request: web.Request, services: Services) -> web.StreamResponse:
    """Cancel the jobs with these ids, or, if one of them is unknown, none."""
    members = await parse_members(await read_body(request, MAX_CANCEL), ("ids",))
    ids, _ = members.get("ids", (None, ""))
    if not is_texts(ids):
        raise Refused(400, "bad_request", "Expected 'ids' to be a list of job ids.")
    try:
        states = await services.jobs.cancel_all(ids)
    except UnknownJob as error:
        raise unknown(error) from error
    return web.json_response({"states": dict(states)}, status=202)


def _is_position(number: int) -> bool:
    return not isinstance(number, bool) and 0 <= number < MAX_POSITION


def _answer(queue: Queue) -> web.Response:
    return web.json_response(
        {"paused": queue.paused, "running": queue.running, "queued": queue.queued, "total": queue.total}
    )
