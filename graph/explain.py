"""What a run would do and why, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from graph import reasons
from graph.cache import Cache
from graph.costs import Cost
from graph.files import Files
from graph.graph import Graph, NodeId
from graph.plan import Plan, plan


@dataclass(frozen=True)
class Decision:
    """Of a node that would run, `cost` is what it took before; None for a type that never ran."""

    state: Literal["cached", "run"]
    reason: str
    cost: Cost | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        cost = {} if self.cost is None else {"ms": round(self.cost.ms, 3), "bytes": self.cost.bytes}
        return {"state": self.state, "reason": self.reason, **cost}


def explain(graph: Graph, targets: Iterable[NodeId] | None, cache: Cache, files: Files) -> Mapping[NodeId, Decision]:
    """For each node upstream of `targets` (None: all sinks), in order, whether it would run. A node below one that
    runs is said to run as well; in the run it may yet turn out that what it reads has not changed."""
    made = plan(graph, targets, cache, files)
    runs = _running(made, cache)
    costs = cache.costs.predict(made, runs)
    return {id: _decision(made, i, cache, i in runs, costs.get(i)) for i, id in enumerate(made.ids)}


def _running(made: Plan, cache: Cache) -> set[int]:
    wanted, runs = set(made.targets), set[int]()
    for i in reversed(range(len(made.ids))):
        record = made.records[i]
        if i in wanted and (record is None or cache.get(record) is None):
            runs.add(i)
            wanted.update(parent for parent, _ in made.eager(i))
            if made.nodes[i].lazy and made.arrived(i) is not None:
                wanted.update(made.chase(i, cache).reads)
    return runs


def _decision(made: Plan, i: int, cache: Cache, runs: bool, cost: Cost | None) -> Decision:
    record = made.records[i]
    if not runs:
        reason = reasons.SAME_VALUES if i in made.by_value else reasons.SAME_INPUTS
        return Decision("cached", reason if record is not None else reasons.NOT_NEEDED)
    if record is not None:
        return Decision("run", cache.absence(record), cost)
    return Decision("run", reasons.why(made, i, cache.history.get(made.ids[i])), cost)
