"""What nodes have cost before, by type and size of the work, and what they will cost from that."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock
from typing import Final

from graph.keys import Record
from graph.node import NodeSpec
from graph.plan import Plan

MOST: Final = 5_000
"""Classes that are remembered."""
NEW_SHARE: Final = 0.3
"""How much the latest measurement counts against all before it."""
LEAST_S: Final = 0.0005
"""Of a class that is known, runs faster than this teach nothing."""

SizeClass = tuple[str, str, int, int]
"""Node type, its version, and the binary logarithms of the bytes it reads and of its whole-number settings, multiplied
(width, height, steps: what a slider sets)."""


@dataclass(frozen=True)
class Cost:
    """Milliseconds a node takes, bytes of what it makes, and bytes it needs beside that and its inputs while it runs,
    as far as its device tells."""

    ms: float
    bytes: int
    beside: int = 0

    def to_json(self) -> dict[str, float]:
        beside = {"beside_bytes": self.beside} if self.beside else {}
        return {"ms": round(self.ms, 3), "bytes": self.bytes, **beside}


class Costs:
    """`stored` is what this process and others have learned, as `merged` made it."""

    def __init__(self, stored: bytes | None = None) -> None:
        self._known, self._growing = _parsed(stored)
        self._unwritten: set[SizeClass] = set()
        self._lock = Lock()

    def merged(self, stored: bytes | None) -> bytes:
        """What is `stored`, with what this process has learned since it last asked; takes up the rest of it."""
        known, growing = _parsed(stored)
        with self._lock:
            known |= {size: self._known[size] for size in self._unwritten if size in self._known}
            self._known = known | self._known
            self._growing |= growing
            self._unwritten = set()
            sizes = [[*size, cost.ms, cost.bytes, cost.beside] for size, cost in list(known.items())[-MOST:]]
            return json.dumps({"sizes": sizes, "growing": sorted(self._growing)}).encode()

    def grows(self, spec: NodeSpec) -> bool:
        """Whether nodes of this definition have expanded into others."""
        return spec.id in self._growing

    def learn(self, plan: Plan, i: int, record: Record, beside: int) -> None:
        """Take up what node i has cost just now, with what it needed beside."""
        read = sum(parent.size for p, _ in plan.parents[i] if (parent := plan.records[p]) is not None)
        size = _size_class(plan, i, read)
        with self._lock:
            known = self._known.get(size)
            if known is not None and record.seconds < LEAST_S:
                return
            ms = record.seconds * 1000
            ms = ms if known is None else known.ms + NEW_SHARE * (ms - known.ms)
            self._known[size] = Cost(ms, record.size, beside)
            self._unwritten.add(size)

    def settle(self, plan: Plan) -> bool:
        """A run is over: which of its nodes grew is taken up; whether anything was learned that is not `merged` yet."""
        growing = {plan.nodes[i].spec.id for i in plan.growing} - self._growing
        with self._lock:
            self._growing |= growing
            while len(self._known) > MOST:
                del self._known[next(iter(self._known))]
            return bool(growing or self._unwritten)

    def predict(self, plan: Plan, runs: Collection[int]) -> dict[int, Cost]:
        """Of the nodes that will run, those of a type that ran before; what one makes decides what the next reads."""
        found: dict[int, Cost] = {}
        classes: dict[SizeClass, Cost | None] = {}
        for i in sorted(runs, key=plan.rank):
            read = 0
            for parent, _ in plan.parents[i]:
                record = plan.records[parent]
                if record is not None and parent not in runs:
                    read += record.size
                elif parent in found:
                    read += found[parent].bytes
            size = _size_class(plan, i, read)
            if size not in classes:
                classes[size] = self._nearest(size)
            if (cost := classes[size]) is not None:
                found[i] = cost
        return found

    def _nearest(self, size: SizeClass) -> Cost | None:
        """Of the class, or of the nearest of the same type, taken to grow in proportion to the work."""
        if (exact := self._known.get(size)) is not None:
            return exact
        alike = [(abs(k[2] - size[2]) + abs(k[3] - size[3]), k) for k in self._known if k[:2] == size[:2]]
        if not alike:
            return None
        _, near = min(alike)
        scale = 2.0 ** max(size[2] - near[2], size[3] - near[3], key=abs)
        cost = self._known[near]
        return Cost(cost.ms * scale, int(cost.bytes * scale), int(cost.beside * scale))


def _parsed(stored: bytes | None) -> tuple[dict[SizeClass, Cost], set[str]]:
    """Costs by class, and the node types that have expanded into others."""
    if stored is None:
        return {}, set()
    found = json.loads(stored)
    sizes = {(type, version, read, work): Cost(*cost) for type, version, read, work, *cost in found["sizes"]}
    return sizes, set(found["growing"])


def _size_class(plan: Plan, i: int, read: int) -> SizeClass:
    node = plan.nodes[i]
    work = 1.0
    for name in node.spec.amounts:
        value = node.constants.get(name)
        if isinstance(value, int) and value > 1:
            work *= value
    return node.spec.id, node.spec.version, read.bit_length(), round(math.log2(work))
