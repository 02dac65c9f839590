"""Which of several free workers gets a job: the one that holds most of what the job needs, in seconds of work.

Held is what a worker computed or loaded lately, told by the documents of its jobs: a node counts as held when its type,
its constants and all it depends on were the same. That is a guess (a result may be evicted since, a file replaced) and
is only used as one: a wrong guess costs time, never a wrong result, as the worker goes by its cache. It asks nobody, so
a job is placed in the transaction that records it; and with one worker nothing is computed at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast

Needs = Mapping[str, int]
"""What stands for each node of a document; equal ones make equal results."""

REMEMBERED = 20_000
_LINK = frozenset(("node", "output"))


class Holder(Protocol):
    """A worker: `held` tells what it took to make each thing it holds, in seconds; `jobs` how many it was given."""

    held: dict[int, float]
    jobs: int


H = TypeVar("H", bound=Holder)


def needs(workflow: str) -> Needs:
    """What stands for each node of a workflow, given as JSON text; total, whatever the nodes nobody runs look like."""
    nodes = _object(_object(json.loads(workflow)).get("nodes"))
    found: dict[str, int] = {}
    entered: set[str] = set()
    waiting = list(nodes)
    while waiting:
        id = waiting[-1]
        node = _object(nodes.get(id))
        inputs = _object(node.get("inputs"))
        if id not in entered:
            entered.add(id)
            sources = [source for value in inputs.values() for source in _sources(value)]
            missing = [source for source in sources if source not in entered]
            if missing:
                waiting += missing
                continue
        waiting.pop()
        if id not in found:
            stands = frozenset((name, _stand(value, found)) for name, value in inputs.items())
            found[id] = hash((str(node.get("type")), stands))
    return found


def best(workers: Sequence[H], wanted: Needs) -> H:
    """The worker that holds the most of what is wanted; among equals, the one that was given the fewest jobs."""
    things = set(wanted.values())
    return max(workers, key=lambda worker: (sum(worker.held.get(thing, 0.0) for thing in things), -worker.jobs))


def learn(worker: Holder, wanted: Needs, nodes: str) -> None:
    """Note what a worker holds after a job with these `nodes` (JSON text, see Job.nodes_json).

    A node within an instance of a component counts for the instance, as far as that is named before its first "/".
    """
    for id, node in cast("Mapping[str, Mapping[str, Any]]", json.loads(nodes)).items():
        thing = wanted.get(id) or wanted.get(id.partition("/")[0])
        if thing is not None and node["state"] in ("ran", "cached"):
            worker.held[thing] = max((node["ms"] or 0) / 1000, worker.held.pop(thing, 0.0))
    for thing in list(worker.held)[:-REMEMBERED]:
        del worker.held[thing]


def _stand(value: object, found: Mapping[str, int]) -> int:
    """What stands for the value of an input: a constant, a link or a list of either."""
    if isinstance(value, list):
        return hash(tuple(_stand(item, found) for item in cast("list[object]", value)))
    if (link := _link(value)) is not None:
        return hash((found.get(link[0], 0), link[1]))
    return hash(json.dumps(value, sort_keys=True) if isinstance(value, dict) else (type(value), value))


def _sources(value: object) -> Sequence[str]:
    """The nodes an input is linked to."""
    if isinstance(value, list):
        return [source for item in cast("list[object]", value) for source in _sources(item)]
    link = _link(value)
    return () if link is None else link[:1]


def _link(value: object) -> tuple[str, str] | None:
    if isinstance(value, dict) and value.keys() == _LINK:
        link = cast("dict[str, object]", value)
        return str(link["node"]), str(link["output"])
    return None


def _object(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
