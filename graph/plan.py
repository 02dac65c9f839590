"""What is known of a run before anything runs: its nodes, their keys, and what is remembered of each."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from graph.bind import Node
from graph.files import Files
from graph.graph import Graph, NodeId
from graph.keys import Fingerprint, Key, Record, identities, structural_keys, value_key


class Memory(Protocol):
    """What was ever made, by structural key and by value key."""

    def find(self, structural: Key) -> Record | None: ...

    def known(self, key: Key) -> Record | None: ...


@dataclass(frozen=True)
class Plan:
    """Nodes by position, each after those it reads from; `parents[i]` are (position, output) of its links, in order.

    `records[i]` is None while it is not known what node i makes: it, or a node above it, has to run first. It is the
    one part of a plan that changes, as the run goes on. `by_value` are the positions whose record was found by the
    values they read, not by what made those; `transient` those that are volatile or below such: their structural keys
    hold in this plan only."""

    graph: Graph
    position: Mapping[NodeId, int]
    ids: Sequence[NodeId]
    nodes: Sequence[Node]
    identity: Sequence[bytes]
    keys: Sequence[Key]
    parents: Sequence[Sequence[tuple[int, str]]]
    records: list[Record | None]
    by_value: set[int]
    targets: Sequence[int]
    transient: frozenset[int]

    def lasting_key(self, i: int) -> Key | None:
        """The structural key of node i, if it means the same in every run."""
        return None if i in self.transient else self.keys[i]

    def arrived(self, i: int) -> list[Fingerprint] | None:
        """Fingerprints of what node i reads; None while one is not known."""
        prints: list[Fingerprint] = []
        for parent, output in self.parents[i]:
            record = self.records[parent]
            if record is None:
                return None
            prints.append(record.fingerprints[output])
        return prints


def plan(graph: Graph, targets: Iterable[NodeId] | None, memory: Memory, files: Files) -> Plan:
    """`targets` None: all sinks. ValueError when a target is not in the graph or a file is gone by now."""
    wanted = graph.sinks if targets is None else tuple(dict.fromkeys(targets))
    if strangers := [id for id in wanted if id not in graph.nodes]:
        raise ValueError(f"targets must be nodes of the graph, got {strangers}")
    ids = graph.upstream(wanted)
    position = {id: i for i, id in enumerate(ids)}
    nodes = [graph.nodes[id] for id in ids]
    identity = identities(nodes, files)
    volatile = [i for i, node in enumerate(nodes) if node.spec.volatile]
    if volatile:
        run = secrets.token_bytes(8)
        for i in volatile:
            identity[i] += run
    keys = structural_keys(ids, nodes, identity)
    parents = [[(position[source], output) for source, output in node.links.values()] for node in nodes]
    records = [memory.find(key) for key in keys]
    transient = _below(volatile, parents) if volatile else frozenset[int]()
    positions = [position[id] for id in wanted]
    made = Plan(graph, position, ids, nodes, identity, keys, parents, records, set(), positions, transient)
    if None in records:
        _find_by_value(made, memory)
    return made


def _below(sources: Iterable[int], parents: Sequence[Sequence[tuple[int, str]]]) -> frozenset[int]:
    found = set(sources)
    for i, read in enumerate(parents):
        if any(parent in found for parent, _ in read):
            found.add(i)
    return frozenset(found)


def _find_by_value(plan: Plan, memory: Memory) -> None:
    for i, record in enumerate(plan.records):
        if record is None and (arrived := plan.arrived(i)) is not None:
            plan.records[i] = memory.known(value_key(plan.identity[i], arrived))
            if plan.records[i] is not None:
                plan.by_value.add(i)


class History:
    """The plan by which each node id last had a result, for the `most` ids seen last."""

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._last: dict[NodeId, Plan] = {}

    def get(self, id: NodeId) -> Plan | None:
        return self._last.get(id)

    def remember(self, plan: Plan) -> None:
        """Every node of the plan with a known result stands as of now: the next change is told from here."""
        for id, record in zip(plan.ids, plan.records):
            if record is not None:
                self._last.pop(id, None)
                self._last[id] = plan
        while len(self._last) > self._most:
            del self._last[next(iter(self._last))]
