"""What a run would do and why, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from graph import reasons
from graph.cache import Cache
from graph.costs import Cost
from graph.files import Files
from graph.forecast import Forecast, forecast
from graph.fragment import Body
from graph.graph import Graph, NodeId
from graph.node import Resource
from graph.past import Former, Growths
from graph.plan import Plan, plan


@dataclass(frozen=True)
class Decision:
    """Of a node that would run, `cost` is what it took before; None for a type that never ran. `grows` are the nodes
    that grew of it in the last run, None where there was none and it can be told only by running: which of them run
    again depends on values that are not there yet."""

    state: Literal["cached", "run"]
    reason: str
    cost: Cost | None = field(default=None, compare=False)
    grows: Growths | None = field(default_factory=dict[NodeId, tuple[str, Cost]], compare=False)

    def to_json(self) -> dict[str, Any]:
        cost = {} if self.cost is None else self.cost.to_json()
        grows: dict[str, Any] = {}
        if self.grows is None:
            grows = {"grows": None}
        elif self.grows:
            grows = {"grows": {id: {"type": type, **each.to_json()} for id, (type, each) in self.grows.items()}}
        return {"state": self.state, "reason": self.reason, **cost, **grows}


@dataclass(frozen=True)
class Explanation:
    """`whole` is the forecast of the run, as if all that grew in the last one ran again."""

    nodes: Mapping[NodeId, Decision]
    whole: Forecast

    def to_json(self) -> dict[str, Any]:
        return {"nodes": {id: made.to_json() for id, made in self.nodes.items()}, **self.whole.to_json()}


def explain(
    graph: Graph,
    targets: Iterable[NodeId] | None,
    cache: Cache,
    files: Files,
    limits: Mapping[Resource, int] | None = None,
) -> Explanation:
    """For each node upstream of `targets` (None: all sinks), in order, whether it would run. A node below one that
    runs is said to run as well; in the run it may yet turn out that what it reads has not changed."""
    made = plan(graph, targets, cache, files)
    runs = _running(made, cache)
    costs = cache.costs.predict(made, runs)
    grows = {i: _grown(made, i, cache) for i in runs}
    nodes = {id: _decision(made, i, cache, i in runs, costs.get(i), grows.get(i, {})) for i, id in enumerate(made.ids)}
    whole = {i: _with_grown(cost, grows[i] or {}) for i, cost in costs.items()}
    return Explanation(nodes, forecast(made, runs, whole, limits or {}))


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


def _grown(made: Plan, i: int, cache: Cache) -> Growths | None:
    node, past = made.nodes[i], cache.history.get(made.ids[i])
    if past is not None:
        return (Former(past, past.position[made.ids[i]]) if isinstance(past, Plan) else past).grown()
    loops = node.of is not None or any(isinstance(value, Body) for value in node.constants.values())
    return None if loops or cache.costs.grows(node.spec) else {}


def _with_grown(cost: Cost, grown: Growths) -> Cost:
    if not grown:
        return cost
    each = [of for _, of in grown.values()]
    most = max(of.bytes for of in each)
    return replace(cost, ms=cost.ms + sum(of.ms for of in each), beside=max(cost.beside, most))


def _decision(made: Plan, i: int, cache: Cache, runs: bool, cost: Cost | None, grows: Growths | None) -> Decision:
    record = made.records[i]
    if not runs:
        reason = reasons.SAME_VALUES if i in made.by_value else reasons.SAME_INPUTS
        return Decision("cached", reason if record is not None else reasons.NOT_NEEDED)
    if record is not None:
        return Decision("run", cache.absence(record), cost, grows)
    return Decision("run", reasons.why(made, i, cache.history.get(made.ids[i])), cost, grows)
