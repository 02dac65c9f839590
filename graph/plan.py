"""What is known of a run before anything runs: its nodes, their keys, and what is remembered of each."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from graph.bind import Node
from graph.files import Files
from graph.graph import Graph, NodeId
from graph.keys import (
    Fingerprint,
    Key,
    Record,
    ask_key,
    identities,
    read_key,
    structural_key,
    structural_keys,
    value_key,
)


class Memory(Protocol):
    """What was ever made, by structural key and by value key."""

    def find(self, structural: Key) -> Record | None: ...

    def known(self, key: Key) -> Record | None: ...


class Chased(NamedTuple):
    """How far the value key of a node with lazy inputs is known: its record, if any, and the node whose record is
    missing to tell what it reads next."""

    key: Key
    record: Record | None
    missing: int | None
    reads: Sequence[int]


@dataclass(frozen=True)
class Plan:
    """Nodes by position, each after those it reads from; `parents[i]` are (position, output) of its links, in order.

    A plan changes as the run goes on: `records[i]` is None while it is not known what node i makes, as it, or a node
    above it, has to run first; and nodes are added that grow of others, `owner` being the one each grew of, `growing`
    all that are. `by_value` are the positions whose record was found by the values they read, not by what made those;
    `transient` those that are volatile or below such: their structural keys hold in this plan only, as they contain
    `nonce`."""

    graph: Graph
    nonce: bytes
    position: dict[NodeId, int]
    ids: list[NodeId]
    nodes: list[Node]
    identity: list[bytes]
    keys: list[Key]
    parents: list[Sequence[tuple[int, str]]]
    records: list[Record | None]
    targets: Sequence[int]
    by_value: set[int] = field(default_factory=set[int])
    transient: set[int] = field(default_factory=set[int])
    owner: dict[int, int] = field(default_factory=dict[int, int])
    growing: set[int] = field(default_factory=set[int])
    _ranks: dict[int, tuple[int, ...]] = field(default_factory=dict[int, "tuple[int, ...]"])

    def label(self, i: int) -> str:
        """Node i as a person knows it."""
        return f"{self.ids[i]} {self.nodes[i].spec.title}"

    def lasting_key(self, i: int) -> Key | None:
        """The structural key of node i, if it means the same in every run."""
        return None if i in self.transient else self.keys[i]

    def rank(self, i: int) -> tuple[int, ...]:
        """Nodes compared by rank come each after those it reads from, grown ones included."""
        return self._ranks.get(i) or (i,)

    def grew_of(self, i: int, other: int) -> bool:
        while (owner := self.owner.get(i)) is not None:
            if owner == other:
                return True
            i = owner
        return False

    def eager(self, i: int) -> Sequence[tuple[int, str]]:
        """What node i reads in any case, as in `parents`."""
        node = self.nodes[i]
        if not node.lazy:
            return self.parents[i]
        return [parent for link, parent in zip(node.links, self.parents[i]) if link not in node.lazy]

    def behind_lazy(self) -> set[int]:
        """What only lazy inputs read, or nothing but nodes that only they read."""
        if not any(node.lazy for node in self.nodes):
            return set()
        eager = set(self.targets)
        for i in reversed(range(len(self.ids))):
            if i in eager:
                eager.update(parent for parent, _ in self.eager(i))
        return set(range(len(self.ids))) - eager

    def arrived(self, i: int) -> list[Fingerprint] | None:
        """Fingerprints of what node i reads in any case; None while one is not known."""
        prints: list[Fingerprint] = []
        for parent, output in self.eager(i):
            record = self.records[parent]
            if record is None:
                return None
            prints.append(record.fingerprints[output])
        return prints

    def chase(self, i: int, memory: Memory) -> Chased:
        """Follow what a node with lazy inputs, whose other inputs are known, is remembered to read, input by input."""
        key = value_key(self.identity[i], self.arrived(i) or ())
        sources = dict(zip(self.nodes[i].links, self.parents[i]))
        reads: list[int] = []
        while (asked := memory.known(ask_key(key))) is not None:
            (link,) = asked.fingerprints
            parent, output = sources[link]
            reads.append(parent)
            record = self.records[parent]
            if record is None:
                return Chased(key, None, parent, reads)
            key = read_key(key, link, record.fingerprints[output])
        return Chased(key, memory.known(key), None, reads)

    def find_by_value(self, i: int, arrived: Sequence[Fingerprint], memory: Memory) -> None:
        """Look up what node i makes of what arrived."""
        lazy = self.nodes[i].lazy
        self.records[i] = self.chase(i, memory).record if lazy else memory.known(value_key(self.identity[i], arrived))
        if self.records[i] is not None:
            self.by_value.add(i)

    def add(
        self, id: NodeId, owner: int, node: Node, parents: Sequence[tuple[int, str]], identity: bytes, order: int
    ) -> int:
        """Add a node that grew of `owner` as its `order`th, after all it reads from; its record is yet unknown."""
        i = len(self.ids)
        self.ids.append(id)
        self.position[id] = i
        self.nodes.append(node)
        self.identity.append(identity + self.nonce if node.volatile else identity)
        self.keys.append(structural_key(node, self.identity[i], [self.keys[parent] for parent, _ in parents]))
        self.parents.append(parents)
        self.records.append(None)
        self.owner[i] = owner
        self.growing.add(owner)
        self._ranks[i] = (*self.rank(owner), order)
        if node.volatile or any(parent in self.transient for parent, _ in parents):
            self.transient.add(i)
        return i


def plan(graph: Graph, targets: Iterable[NodeId] | None, memory: Memory, files: Files) -> Plan:
    """`targets` None: all sinks. ValueError when a target is not in the graph or a file is gone by now."""
    wanted = graph.sinks if targets is None else graph.meant(targets)
    if strangers := [id for id in wanted if id not in graph.nodes]:
        raise ValueError(f"targets must be nodes of the graph, got {strangers}")
    ids = graph.upstream(wanted)
    position = {id: i for i, id in enumerate(ids)}
    nodes = [graph.nodes[id] for id in ids]
    identity = identities(nodes, files)
    nonce = secrets.token_bytes(8)
    volatile = [i for i, node in enumerate(nodes) if node.volatile]
    for i in volatile:
        identity[i] += nonce
    keys = structural_keys(ids, nodes, identity)
    parents: list[Sequence[tuple[int, str]]] = [
        [(position[source], output) for source, output in node.links.values()] for node in nodes
    ]
    records = [memory.find(key) for key in keys]
    made = Plan(graph, nonce, position, ids, nodes, identity, keys, parents, records, [position[id] for id in wanted])
    if volatile:
        made.transient.update(_below(volatile, parents))
    if None in records:
        _find_by_value(made, memory)
    return made


def _below(sources: Iterable[int], parents: Sequence[Sequence[tuple[int, str]]]) -> set[int]:
    found = set(sources)
    for i, read in enumerate(parents):
        if any(parent in found for parent, _ in read):
            found.add(i)
    return found


def _find_by_value(plan: Plan, memory: Memory) -> None:
    for i, record in enumerate(plan.records):
        if record is None and (arrived := plan.arrived(i)) is not None:
            plan.find_by_value(i, arrived, memory)
