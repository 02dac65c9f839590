"""How long nodes will take and how many bytes they will hold, played through before they run."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from graph.costs import Cost
from graph.live import Live
from graph.node import Resource
from graph.plan import Plan

NOTHING: Final = Cost(0.0, 0)
_LEAST_MS: Final = 1e-6
"""So that what takes no time still comes one after the other."""


@dataclass(frozen=True)
class Forecast:
    """Of nodes that run side by side where their resource allows: milliseconds to the end, the most bytes held at a
    time, what nodes need beside their inputs and outputs included, and how many nodes nothing is known of; they count
    as nothing."""

    ms: float
    peak_bytes: int
    unknown: int

    def to_json(self) -> dict[str, float]:
        return {"ms": round(self.ms, 3), "peak_bytes": self.peak_bytes, "unknown": self.unknown}


def forecast(
    plan: Plan,
    runs: Collection[int],
    costs: Mapping[int, Cost],
    limits: Mapping[Resource, int],
    held: Live | None = None,
) -> Forecast:
    """`runs` are the nodes that will run, `costs` what is known of them, `held` the values that are held already."""
    order = sorted(runs, key=plan.rank)
    starts, ends = _times(plan, order, costs, limits)
    readers: dict[int, int] = {}
    for i in order:
        for parent in {parent for parent, _ in plan.parents[i]}:
            readers[parent] = readers.get(parent, 0) + 1
    sizes = {p: 0 if (record := plan.records[p]) is None else record.size for p in readers}
    sizes |= {i: costs.get(i, NOTHING).bytes for i in order}
    live = most = 0 if held is None else held.bytes
    come = {parent for parent in readers if parent in starts or (held is not None and parent in held)}
    moments = [(starts[i], 1, n) for n, i in enumerate(order)] + [(ends[i], 0, n) for n, i in enumerate(order)]
    for _, begins, n in sorted(moments):
        i = order[n]
        beside = costs.get(i, NOTHING).beside
        parents = {parent for parent, _ in plan.parents[i]}
        if begins:
            live += sum(sizes[parent] for parent in parents if parent not in come) + sizes[i] + beside
            come |= parents
            most = max(most, live)
            continue
        live -= beside
        for parent in parents:
            readers[parent] -= 1
            if not readers[parent]:
                live -= sizes[parent]
        if i not in readers:
            live -= sizes[i]
    return Forecast(max(ends.values(), default=0.0), most, sum(i not in costs for i in order))


def _times(
    plan: Plan, order: Collection[int], costs: Mapping[int, Cost], limits: Mapping[Resource, int]
) -> tuple[dict[int, float], dict[int, float]]:
    """When each node starts and ends, the first in order first wherever a place is free."""
    starts, ends = dict[int, float](), dict[int, float]()
    free: dict[Resource, list[float]] = {}
    for i in order:
        resource = plan.nodes[i].spec.resource
        places = free.setdefault(resource, [0.0] * limits.get(resource, 1))
        arrived = max((ends[parent] for parent, _ in plan.parents[i] if parent in ends), default=0.0)
        starts[i] = max(heapq.heappop(places), arrived)
        ends[i] = starts[i] + max(costs.get(i, NOTHING).ms, _LEAST_MS)
        heapq.heappush(places, ends[i])
    return starts, ends
