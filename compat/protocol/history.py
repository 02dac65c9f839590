"""What waits, what runs and what has been: `/queue`, `/history`, `/interrupt` and `/jobs`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from api.bodies import parse_json, read_body
from api.jobs import unavailable
from api.services import Services
from compat.protocol import listeners
from compat.protocol.peer import Peer
from compat.protocol.prompts import STREAMED, Prompt, class_of, owner, pictures
from compat.workflows.foreign import is_list, is_object
from jobs.job import TERMINAL, Job, UnknownJob, WorkerUnavailable

MOST_BYTES: Final = 1 << 20
MOST_QUEUED: Final = 10_000
STATUS: Final[Mapping[str, str]] = {
    "queued": "pending",
    "running": "in_progress",
    "done": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}


ENDINGS: Final[Mapping[str, str]] = {
    "done": "execution_success",
    "failed": "execution_error",
    "cancelled": "execution_interrupted",
}


async def remaining(_request: web.Request, services: Services, _peer: Peer) -> web.StreamResponse:
    """How many prompts run and wait, whoever asked for them."""
    return web.json_response(await listeners.remaining(services.jobs))


async def queue(_request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """What runs and what waits, in order; of a job that did not come by this protocol only that it is there."""
    found = await services.jobs.queue(MOST_QUEUED)
    items = {"queue_running": found.running, "queue_pending": found.queued}
    return web.json_response({name: [_item(job, peer) for job in jobs] for name, jobs in items.items()})


def _item(job: str, peer: Peer) -> list[Any]:
    prompt = peer.prompts.of_job(job)
    return prompt.item() if prompt is not None else [0, job, {}, {}, []]


async def change_queue(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """Cancel prompts that wait: those named, or all that came by this protocol."""
    asked = await _object(request)
    waiting = set((await services.jobs.queue(MOST_QUEUED)).queued)
    chosen = peer.prompts if asked.get("clear") is True else _named(asked.get("delete"), peer)
    await services.jobs.cancel_all([prompt.job for prompt in chosen if prompt.job in waiting])
    return web.Response()


async def interrupt(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """Cancel the prompt that runs, or only if it is the one named; jobs that came otherwise go on."""
    id = (await _object(request)).get("prompt_id")
    running = set((await services.jobs.queue(1)).running)
    chosen = [prompt for prompt in peer.prompts if prompt.job in running and id in (None, prompt.id)]
    await services.jobs.cancel_all([prompt.job for prompt in chosen])
    return web.Response()


async def free(request: web.Request, services: Services, _peer: Peer) -> web.StreamResponse:
    """Let go of what is kept on devices; with `free_memory` in the memory of the machine, too."""
    asked = await _object(request)
    if asked.get("unload_models") is True or asked.get("free_memory") is True:
        tiers = ("device", "host") if asked.get("free_memory") is True else ("device",)
        try:
            await services.jobs.cache(tiers)
        except WorkerUnavailable as error:
            raise unavailable(error) from error
    return web.Response()


async def history(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """The prompts that have ended, by id, the oldest first: all, one, or `max_items` from `offset` or the last ones."""
    if (id := request.match_info.get("id")) is not None:
        prompt = peer.prompts.by_id.get(id)
        found = await _ended([prompt] if prompt is not None else [], services)
    else:
        found = await _ended(list(peer.prompts), services)
        most, offset = _number(request, "max_items"), _number(request, "offset")
        if most is not None:
            start = offset if offset is not None and offset >= 0 else max(0, len(found) - most)
            found = found[start : start + most]
    return web.json_response({prompt.id: _entry(prompt, job) for prompt, job in found})


async def change_history(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """Forget prompts that have ended; their pictures stay."""
    asked = await _object(request)
    chosen = list(peer.prompts) if asked.get("clear") is True else _named(asked.get("delete"), peer)
    for prompt, _ in await _ended(chosen, services):
        peer.prompts.forget(prompt.id)
    return web.Response()


async def jobs(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """Prompts as jobs, of some states, sorted, a page of them."""
    wanted = {word for word in request.query.get("status", "").split(",") if word}
    if strange := wanted - set(STATUS.values()):
        return web.json_response({"error": f"Invalid status value(s): {', '.join(sorted(strange))}"}, status=400)
    found = [(prompt, job) for prompt, job in await _known(list(peer.prompts), services)]
    found = [each for each in found if not wanted or STATUS[each[1].state] in wanted]
    by_duration = request.query.get("sort_by") == "execution_duration"
    found.sort(key=_duration if by_duration else _created, reverse=request.query.get("sort_order", "desc") != "asc")
    limit, offset = _number(request, "limit"), max(0, _number(request, "offset") or 0)
    page = found[offset:][:limit]
    told = {"offset": offset, "limit": limit, "total": len(found), "has_more": offset + len(page) < len(found)}
    return web.json_response({"jobs": [_job(*each) for each in page], "pagination": told})


async def job(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """One prompt as a job, with what it made."""
    prompt = peer.prompts.by_id.get(request.match_info["id"])
    known = await _known([prompt] if prompt is not None else [], services)
    if not known:
        return web.json_response({"error": "Job not found"}, status=404)
    ((prompt, found),) = known
    item = prompt.item()
    more = {"outputs": _outputs(prompt, found), "workflow": {"prompt": item[2], "extra_data": item[3]}}
    return web.json_response({**_job(prompt, found), **more})


async def _known(prompts: Sequence[Prompt], services: Services) -> list[tuple[Prompt, Job]]:
    """With their jobs, as far as those are still kept."""
    found: list[tuple[Prompt, Job]] = []
    for prompt in prompts:
        try:
            found.append((prompt, await services.jobs.get(prompt.job)))
        except UnknownJob:
            continue
    return found


async def _ended(prompts: Sequence[Prompt], services: Services) -> list[tuple[Prompt, Job]]:
    return [each for each in await _known(prompts, services) if each[1].state in TERMINAL]


def _entry(prompt: Prompt, job: Job) -> dict[str, Any]:
    outputs = _outputs(prompt, job)
    meta = {
        id: dict.fromkeys(("node_id", "display_node", "real_node_id"), id) | {"parent_node": None} for id in outputs
    }
    done = job.state == "done"
    status = {"status_str": "success" if done else "error", "completed": done, "messages": _messages(prompt, job)}
    return {"prompt": prompt.item(), "outputs": outputs, "status": status, "meta": meta}


def _messages(prompt: Prompt, job: Job) -> list[Any]:
    said = {"prompt_id": prompt.id}
    nodes = json.loads(job.nodes_json)
    cached = dict.fromkeys(owner(id, prompt.nodes) for id, node in nodes.items() if node["state"] == "cached")
    return [
        ["execution_start", {**said, "timestamp": job.started}],
        ["execution_cached", {**said, "nodes": list(cached), "timestamp": job.started}],
        [ENDINGS[job.state], {**said, **_failure(prompt, job), "timestamp": job.finished}],
    ]


def _failure(prompt: Prompt, job: Job) -> dict[str, Any]:
    """Where it stopped, and of a failure why."""
    if job.state == "done":
        return {}
    error: Mapping[str, Any] = job.error or {}
    id = owner(str(error.get("node") or ""), prompt.nodes)
    where: dict[str, Any] = {"node_id": id, "node_type": class_of(prompt.nodes, id), "executed": []}
    why = {"exception_message": error.get("message", ""), "exception_type": error.get("type", "")}
    return where | why if job.state == "failed" else where


def _outputs(prompt: Prompt, job: Job) -> dict[str, Any]:
    made = {owner(id, prompt.nodes): files for id, files in job.outputs.items()}
    return {id: pictures(files) for id, files in made.items() if files and class_of(prompt.nodes, id) != STREAMED}


def _job(prompt: Prompt, job: Job) -> dict[str, Any]:
    shown = [(owner(id, prompt.nodes), file) for id, files in job.outputs.items() for file in files]
    kept = [each for each in shown if each[1].folder == "output"] or shown
    preview = None
    if kept:
        node, file = kept[0]
        preview = {**pictures([file])["images"][0], "nodeId": node, "mediaType": "images"}
    told = {
        "id": prompt.id,
        "status": STATUS[job.state],
        "priority": prompt.number,
        "create_time": prompt.created,
        "execution_start_time": job.started,
        "execution_end_time": job.finished,
        "execution_error": job.error,
        "outputs_count": len(shown),
        "preview_output": preview,
        "workflow_id": _workflow_id(prompt),
    }
    return {name: value for name, value in told.items() if value is not None}


def _workflow_id(prompt: Prompt) -> object:
    embedded = prompt.extra.get("extra_pnginfo")
    workflow = embedded.get("workflow") if is_object(embedded) else None
    return workflow.get("id") if is_object(workflow) else None


def _created(each: tuple[Prompt, Job]) -> float:
    return each[0].created


def _duration(each: tuple[Prompt, Job]) -> float:
    job = each[1]
    return (job.finished or 0) - (job.started or 0) if job.finished else 0


def _named(ids: object, peer: Peer) -> list[Prompt]:
    wanted = ids if is_list(ids) else []
    return [peer.prompts.by_id[id] for id in wanted if isinstance(id, str) and id in peer.prompts.by_id]


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name, "")
    return int(text) if text.lstrip("-").isdecimal() and len(text) < 16 else None


async def _object(request: web.Request) -> Mapping[str, Any]:
    """The body, an empty object where there is none."""
    body = await read_body(request, MOST_BYTES)
    value = await parse_json(body) if body.strip() else None
    return value if is_object(value) else {}
