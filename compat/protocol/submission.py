"""POST /prompt: a prompt in the API format becomes a job, whole or as far as its outputs can be made."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from api.bodies import parse_json, read_body
from api.services import Services
from compat.protocol.errors import node_errors, refusal
from compat.protocol.peer import Peer
from compat.protocol.prompts import Prompt, ours, owner
from compat.workflows import convert
from compat.workflows.foreign import is_list, is_object
from graph.bind import as_link
from graph.files import Files
from graph.node import NodeSpec
from graph.problems import InvalidGraph, Problem
from graph.workflow import load_parsed
from jobs.job import WorkerUnavailable
from jobs.rows import now_ms

MOST_BYTES: Final = 32 << 20
NAMELESS: Final = "comfyui"
"""Programs that say no name take turns as one."""
PICTURES: Final[Mapping[str, str]] = {"LoadImage": "image", "LoadImageMask": "image"}


async def submit(request: web.Request, services: Services, peer: Peer) -> web.StreamResponse:
    """Take a prompt: 200 with its id, and the errors of what is left out of it; 400 where nothing of it can be made."""
    body = await parse_json(await read_body(request, MOST_BYTES))
    number = peer.count()
    if not is_object(body) or not is_object(nodes := body.get("prompt")):
        return refusal("no_prompt", "No prompt provided", "No prompt provided")
    asked = Asked.of(body, nodes, number)
    for id, node in asked.nodes.items():
        if not is_object(node) or not isinstance(node.get("class_type"), str):
            message = "Cannot execute because a node is missing the class_type property."
            return refusal("invalid_prompt", message, f"Node ID '#{id}'")
    try:
        registry = (await services.jobs.definitions()).registry
        made = await asyncio.to_thread(convert, peer.uploads.named(asked.nodes, PICTURES), registry)
        return await _submitted(asked, made.document, registry, services, peer)
    except InvalidGraph as error:
        return refusal("invalid_prompt", str(error))
    except WorkerUnavailable as error:
        return refusal("no_worker", str(error))


@dataclass(frozen=True)
class Asked:
    id: str
    nodes: dict[str, Any]
    client: str
    extra: Mapping[str, Any]
    targets: Sequence[str] | None
    number: float
    priority: int

    @staticmethod
    def of(body: Mapping[str, Any], nodes: dict[str, Any], counted: int) -> Asked:
        extra = body.get("extra_data")
        targets: Any = body.get("partial_execution_targets")
        number = body.get("number")
        if body.get("front") is True:
            number = -counted
        elif isinstance(number, bool) or not isinstance(number, int | float):
            number = counted
        return Asked(
            str(body.get("prompt_id") or uuid.uuid4()),
            nodes,
            str(body.get("client_id") or ""),
            extra if is_object(extra) else {},
            [str(target) for target in targets] if is_list(targets) else None,
            number,
            (number < counted) - (number > counted),
        )


async def _submitted(
    asked: Asked, document: Mapping[str, Any], registry: Mapping[str, NodeSpec], services: Services, peer: Peer
) -> web.StreamResponse:
    made: dict[str, Any] = dict(document["nodes"])
    for id, node in made.items():
        if node["type"] not in registry and node["type"] != "Reroute":
            message = f"Cannot execute because node {node['type']} does not exist."
            return refusal("invalid_prompt", message, f"Node ID '#{owner(id, asked.nodes)}'")
    sinks = {id for id, node in made.items() if node["type"] in registry and registry[node["type"]].sink}
    if asked.targets is not None:
        sinks &= {ours(target) for target in asked.targets}
    if not sinks:
        return refusal("prompt_no_outputs", "Prompt has no outputs")
    wanted = _upstream(made, sinks)
    kept = {**document, "nodes": {id: node for id, node in made.items() if id in wanted}}
    errors: dict[str, Any] = {}
    try:
        services.jobs.catalogue.builder.build(load_parsed(kept))
    except InvalidGraph as error:
        needs = {sink: _upstream(made, [sink]) for sink in sinks}
        sinks, errors = _sound(asked.nodes, error.problems, needs, registry, services.files)
        if not sinks:
            message = "Prompt outputs failed validation"
            return refusal("prompt_outputs_failed_validation", message, _reasons(errors, needs), errors)
        wanted = _upstream(made, sinks)
        kept = {**document, "nodes": {id: node for id, node in made.items() if id in wanted}}
    job = await services.jobs.submit(kept, client=asked.client or NAMELESS, priority=asked.priority)
    outputs = tuple(owner(id, asked.nodes) for id in made if id in sinks)
    prompt = Prompt(asked.id, job, asked.number, asked.client, asked.nodes, asked.extra, outputs, now_ms())
    peer.accepted(prompt, services)
    return web.json_response({"prompt_id": prompt.id, "number": prompt.number, "node_errors": errors})


def _sound(
    nodes: Mapping[str, Any],
    problems: Sequence[Problem],
    needs: Mapping[str, set[str]],
    registry: Mapping[str, NodeSpec],
    files: Files,
) -> tuple[set[str], dict[str, Any]]:
    """The outputs that can be made, and the errors of what the others need."""
    readers: dict[str, list[str]] = defaultdict(list)
    for sink, upstream in needs.items():
        for name in {owner(id, nodes) for id in upstream}:
            readers[name].append(owner(sink, nodes))
    broken = {problem.node for problem in problems}
    good = {sink for sink, upstream in needs.items() if not (None in broken or upstream & broken)}
    return good, node_errors(problems, nodes, readers, registry, files)


def _upstream(made: Mapping[str, Any], wanted: Iterable[str]) -> set[str]:
    """These nodes, and all that they need."""
    found: set[str] = set()
    stack = list(wanted)
    while stack:
        id = stack.pop()
        if id not in found and id in made:
            found.add(id)
            stack += _sources(made[id]["inputs"].values())
    return found


def _sources(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        for item in value if is_list(value) else (value,):
            if (link := as_link(item)) is not None:
                yield link.node


def _reasons(errors: Mapping[str, Any], sinks: Iterable[str]) -> str:
    """What is wrong with the outputs themselves, a line each."""
    told = [f"{each['message']}: {each['details']}" for id in sinks for each in errors.get(id, {}).get("errors", ())]
    return "\n".join(told)
