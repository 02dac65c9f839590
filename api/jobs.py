"""Jobs: requests to run a workflow, from acceptance to the results."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Sequence
from typing import TypeGuard, cast

from aiohttp import web

from api.bodies import parse_members, read_body
from api.files import file_url
from api.problems import Refused, invalid_graph, is_lenient
from api.services import Services
from graph.parameters import with_parameters
from graph.problems import InvalidGraph
from jobs.job import STATES, Job, KeyReused, State, UnknownJob, WorkerUnavailable

MAX_REQUEST = 32 << 20
MAX_NOTHING = 64
MAX_PAGE = 500
MAX_WAIT_S = 60
MAX_PRIORITY = 1000
LAST = 2**53
"""Above the number of any event."""
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_CLIENT = re.compile(r"[\x21-\x7e]{1,100}")
_WAIT = re.compile(r"\bwait=([0-9]{1,4})\b")


async def submit(request: web.Request, services: Services) -> web.StreamResponse:
    """Validate a workflow, record it as a job and queue it; the same Idempotency-Key gives the same job.

    With `Prefer: handling=lenient` a workflow that is not valid is no error: `problems` says why there is no job."""
    key, client = _key(request), client_of(request)
    workflow, text, targets, priority = await _request(request)
    jobs = services.jobs
    try:
        return await _accepted(jobs.submit(workflow, targets, text=text, client=client, key=key, priority=priority))
    except Refused as refusal:
        if not refusal.problems or not is_lenient(request):
            raise
        return web.json_response({"problems": refusal.problems})


async def rerun(request: web.Request, services: Services) -> web.StreamResponse:
    """Submit the workflow of a job again, as it was, with its targets and priority; the id of the new job."""
    id, key, client = request.match_info["id"], _key(request), client_of(request)
    await read_nothing(request)
    return await _accepted(services.jobs.rerun(id, client=client, key=key))


async def _accepted(submission: Awaitable[str]) -> web.StreamResponse:
    """202 with the id of the job, once that is recorded; else why it is not."""
    try:
        id = await submission
    except UnknownJob as error:
        raise unknown(error) from error
    except InvalidGraph as error:
        raise invalid_graph(error) from error
    except KeyReused as error:
        raise Refused(
            422, "key_reused", str(error), hint="Use a fresh key for a different request.", facts={"job": error.job}
        ) from error
    except WorkerUnavailable as error:
        raise unavailable(error) from error
    return web.json_response({"id": id}, status=202, headers={"Location": f"/api/v1/jobs/{id}"})


async def explain(request: web.Request, services: Services) -> web.StreamResponse:
    """What a job would run and what it would take from the cache, node by node, with the reason; runs nothing.

    `ms` and `bytes` of a node are what it took in earlier runs, `beside_bytes` what it needed on its device beside.
    `grows` are the nodes that grew of it in the last run; null: there are some, and they are known only when it runs.
    Of the whole, `ms` is the time with nodes side by side where they may, `peak_bytes` the most held at a time, and
    `unknown` the number of nodes that would run and never did. With `Prefer: handling=lenient` a workflow that is not
    valid is no error: nothing would run, and `problems` says why."""
    workflow, _, targets, _ = await _request(request)
    try:
        return web.json_response(await services.jobs.explain(workflow, targets))
    except InvalidGraph as error:
        if not is_lenient(request):
            raise invalid_graph(error) from error
        problems = [problem.to_json() for problem in error.problems]
        return web.json_response({"nodes": {}, "ms": 0, "peak_bytes": 0, "unknown": 0, "problems": problems})
    except WorkerUnavailable as error:
        raise unavailable(error) from error


async def get(request: web.Request, services: Services) -> web.StreamResponse:
    """One job: its state, what became of each node, and the results. `Prefer: wait=30` waits for its end first."""
    id = request.match_info["id"]
    wait = _WAIT.search(request.headers.get("Prefer", ""))
    try:
        if wait is not None:
            await _until_ended(services, id, min(int(wait[1]), MAX_WAIT_S))
        job = await services.jobs.get(id)
    except UnknownJob as error:
        raise unknown(error) from error
    return web.Response(text=_job_text(job), content_type="application/json")


async def list_jobs(request: web.Request, services: Services) -> web.StreamResponse:
    """Jobs, newest first, without their nodes; `next` is the cursor of the following page."""
    state = request.query.get("state")
    if state is not None and not _is_state(state):
        raise Refused(400, "bad_query", f"Expected state to be one of {', '.join(STATES)}, got {state!r:.100}.")
    try:
        limit = int(request.query.get("limit", "50"))
        page = await services.jobs.page(state, max(1, min(limit, MAX_PAGE)), request.query.get("cursor"))
    except (ValueError, OverflowError) as error:
        raise Refused(
            400, "bad_query", "Expected limit to be a whole number and cursor to be the 'next' of a page."
        ) from error
    return web.json_response({"jobs": [_summary(job) for job in page.jobs], "next": page.cursor})


async def cancel(request: web.Request, services: Services) -> web.StreamResponse:
    """Cancel a job: a queued one at once, a running one as soon as its node lets go; a finished one stays as it is."""
    id = request.match_info["id"]
    await read_nothing(request)
    try:
        state = await services.jobs.cancel(id)
    except UnknownJob as error:
        raise unknown(error) from error
    return web.json_response({"id": id, "state": state}, status=202)


async def workflow(request: web.Request, services: Services) -> web.StreamResponse:
    """The workflow of a job, as submitted."""
    try:
        text = await services.jobs.workflow(request.match_info["id"])
    except UnknownJob as error:
        raise unknown(error) from error
    return web.Response(text=text, content_type="application/json")


def unknown(error: UnknownJob) -> Refused:
    """404 for an id no job has."""
    return Refused(404, "unknown_job", f"There is no job {error.id!r:.100}.", hint="GET /api/v1/jobs lists the jobs.")


async def read_nothing(request: web.Request) -> None:
    """Take no body or an empty object, as some clients send with every POST."""
    if request.body_exists:
        await parse_members(await read_body(request, MAX_NOTHING), ())


def client_of(request: web.Request) -> str:
    """Who asks, among whom turns are taken: the name in `Weft-Client`, else the address."""
    name = request.headers.get("Weft-Client")
    if name is not None and not _CLIENT.fullmatch(name):
        raise Refused(400, "bad_client", "Expected 1 to 100 visible ASCII characters in Weft-Client.")
    return name or request.remote or ""


def is_priority(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_PRIORITY


def _key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise Refused(400, "bad_key", "Expected 1 to 200 visible ASCII characters in Idempotency-Key.")
    return key


async def _request(request: web.Request) -> tuple[object, str, Sequence[str] | None, int]:
    """The workflow of a request body, its text, the targets (None: every sink), and the priority."""
    members = await parse_members(
        await read_body(request, MAX_REQUEST), ("workflow", "targets", "parameters", "priority")
    )
    workflow, text = members.get("workflow", (None, ""))
    targets, _ = members.get("targets", (None, ""))
    priority, _ = members.get("priority", (0, ""))
    if not isinstance(workflow, dict):
        raise Refused(
            400,
            "bad_request",
            f"Expected 'workflow' to be an object, got {type(workflow).__name__}.",
            hint='Send {"workflow": {"version": 1, "nodes": {...}}, "targets": ["id", ...]}; targets may be left out.',
        )
    if targets is not None and not is_texts(targets):
        raise Refused(400, "bad_request", "Expected 'targets' to be a list of node ids.")
    if not is_priority(priority):
        raise Refused(400, "bad_request", f"Expected 'priority' to be a whole number within ±{MAX_PRIORITY}.")
    parameters, _ = members.get("parameters", (None, ""))
    if parameters is None:
        return cast("object", workflow), text, targets, priority
    if not isinstance(parameters, dict):
        raise Refused(400, "bad_request", "Expected 'parameters' to be an object of name -> value.")
    try:
        filled = with_parameters(cast("dict[str, object]", workflow), cast("dict[str, object]", parameters))
    except InvalidGraph as error:
        raise invalid_graph(error) from error
    return filled, json.dumps(filled), targets, priority


async def _until_ended(services: Services, id: str, seconds: int) -> None:
    try:
        async with asyncio.timeout(seconds):
            async for _ in await services.jobs.subscribe(id, after=LAST):
                pass
    except TimeoutError:
        return


def _job_text(job: Job) -> str:
    """The job as JSON text; the states of its nodes go through as the text they are kept as."""
    head = json.dumps({"id": job.id, "state": job.state, "attempt": job.attempt, **_place(job), **_times(job)})
    estimate = {} if job.estimate is None else {"estimate": job.estimate}
    tail = json.dumps({"outputs": _outputs(job), "error": job.error, **estimate})
    return f'{head[:-1]}, "nodes": {job.nodes_json}, {tail[1:]}'


def _summary(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "state": job.state,
        **_place(job),
        **_times(job),
        "outputs": _outputs(job),
        "error": job.error,
    }


def _place(job: Job) -> dict[str, object]:
    return {"client": job.client, "priority": job.priority}


def _times(job: Job) -> dict[str, object]:
    return {"created": job.created, "started": job.started, "finished": job.finished}


def _outputs(job: Job) -> dict[str, list[dict[str, object]]]:
    return {
        node: [
            {
                "url": file_url(file.folder, file.name),
                "media_type": file.media_type,
                "width": file.width,
                "height": file.height,
            }
            for file in files
        ]
        for node, files in job.outputs.items()
    }


def unavailable(error: WorkerUnavailable) -> Refused:
    """503 for what needs a worker while there is none."""
    return Refused(503, "no_worker", str(error), hint="Try again in a few seconds.", headers={"Retry-After": "2"})


def _is_state(text: str) -> TypeGuard[State]:
    return text in STATES


def is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value))
