"""What each node id last had a result of: kept as the plan of that run, and, for other processes and for the time after
a restart, in short."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from threading import Lock
from typing import Any, Final

from graph.costs import Cost
from graph.graph import NodeId
from graph.keys import file_marks
from graph.plan import Plan
from graph.problems import shown
from graph.values import encode

MOST_WRITTEN: Final = 2_000
"""Node ids that are remembered after a restart."""
MOST_GROWN: Final = 100
"""Of nodes of which more grew, only that is written down."""

Growths = Mapping[NodeId, tuple[str, Cost]]
"""Type and cost of the nodes that grew of one, by id."""


class Former:
    """A node of an earlier plan. `reads` are, of each linked input, which of what arrived is its own; `marks`, of each
    input that names a file, what the content added to the keys."""

    def __init__(self, plan: Plan, i: int) -> None:
        self._plan, self._i, self._node = plan, i, plan.nodes[i]
        self.type, self.version, self.reads = self._node.spec.id, self._node.spec.version, self._node.reads
        self.marks = file_marks(self._node, plan.identity[i])

    def arrived(self) -> Sequence[bytes] | None:
        """Fingerprints of what it read; None where that was not known beforehand."""
        return None if self._node.lazy else self._plan.arrived(self._i)

    def made_by(self) -> Sequence[tuple[bytes, str]]:
        """Key and output of what it read from."""
        return [(self._plan.keys[p], output) for p, output in self._plan.parents[self._i]]

    def differs(self, name: str, value: object) -> bool:
        """Whether an input that is constant was another one."""
        was = self._node.constants.get(name)
        return was is not value and encode(was) != encode(value)

    def text(self, name: str) -> str:
        """A constant as a person reads it."""
        return text_of(self._node.constants, name)

    def grown(self) -> Growths:
        """What grew of it."""
        plan = self._plan
        if self._i not in plan.growing:
            return {}
        grown = [j for j in plan.owner if plan.nodes[j].spec.id and plan.grew_of(j, self._i)]
        records = [(j, record) for j in grown if (record := plan.records[j]) is not None]
        return {plan.ids[j]: (plan.nodes[j].spec.id, Cost(record.seconds * 1000, record.size)) for j, record in records}

    def to_json(self) -> Sequence[Any]:
        constants = {name: [_mark(value), shown(value)] for name, value in self._node.constants.items()}
        arrived, grown = self.arrived(), self.grown()
        grew = [[id, type, cost.ms, cost.bytes] for id, (type, cost) in grown.items()]
        return [
            self.type,
            self.version,
            {name: list(places) for name, places in self.reads.items()},
            {name: mark.hex() for name, mark in self.marks.items()},
            None if arrived is None else [each.hex() for each in arrived],
            [[key.hex(), output] for key, output in self.made_by()],
            constants,
            grew if len(grew) <= MOST_GROWN else None,
        ]


class Written:
    """The same as it was written down."""

    def __init__(self, stored: Sequence[Any]) -> None:
        self._stored = stored
        self.type: str = stored[0]
        self.version: str = stored[1]
        self.reads: Mapping[str, Sequence[int]] = stored[2]
        self.marks = {name: bytes.fromhex(mark) for name, mark in stored[3].items()}
        self._arrived: Sequence[str] | None = stored[4]
        self._made_by: Sequence[tuple[str, str]] = stored[5]
        self._constants: Mapping[str, tuple[str, str]] = stored[6]
        self._grown: Sequence[tuple[str, str, float, int]] | None = stored[7]

    def arrived(self) -> Sequence[bytes] | None:
        return None if self._arrived is None else [bytes.fromhex(each) for each in self._arrived]

    def made_by(self) -> Sequence[tuple[bytes, str]]:
        return [(bytes.fromhex(key), output) for key, output in self._made_by]

    def differs(self, name: str, value: object) -> bool:
        mark, _ = self._constants.get(name, (_mark(None), ""))
        return mark != _mark(value)

    def text(self, name: str) -> str:
        return self._constants[name][1].removesuffix(".0") if name in self._constants else "a link"

    def grown(self) -> Growths | None:
        """None when it was too much to be written down."""
        return None if self._grown is None else {id: (type, Cost(ms, size)) for id, type, ms, size in self._grown}


class History:
    """The plan by which each node id last had a result, for the `most` ids seen last; `read` gives what this process
    and others wrote down, as `merged` made it."""

    def __init__(self, read: Callable[[], bytes | None] = lambda: None, most: int = 50_000) -> None:
        self._read, self._most = read, most
        self._last: dict[NodeId, Plan] = {}
        self._unwritten: set[NodeId] = set()
        self._written: Mapping[NodeId, Written] | None = None
        self._lock = Lock()

    def get(self, id: NodeId) -> Plan | Written | None:
        found = self._last.get(id)
        if found is not None:
            return found
        if self._written is None:
            self._written = {id: Written(each) for id, each in _parsed(self._read()).items()}
        return self._written.get(id)

    def look_again(self) -> None:
        """Others have written since."""
        self._written = None

    def remember(self, plan: Plan) -> bool:
        """Every node of the plan with a known result stands as of now: the next change is told from here. Whether
        anything is another than it was."""
        before = self._last.get(plan.ids[0]) if plan.ids else None
        changed = before is None or before.keys != plan.keys or before.ids != plan.ids
        known = [id for id, record in zip(plan.ids, plan.records) if record is not None]
        with self._lock:
            for id in known:
                self._last.pop(id, None)
                self._last[id] = plan
            if changed:
                self._unwritten.update(known)
            while len(self._last) > self._most:
                id = next(iter(self._last))
                del self._last[id]
                self._unwritten.discard(id)
        return changed

    def merged(self, stored: bytes | None) -> bytes:
        """What is `stored`, with what this process has come to know since it last asked; latest first."""
        with self._lock:
            unwritten, self._unwritten = self._unwritten, set()
            fresh = [(id, plan) for id, plan in reversed(self._last.items()) if id in unwritten]
        latest = {id: Former(plan, plan.position[id]).to_json() for id, plan in fresh[:MOST_WRITTEN]}
        for id, past in islice(_parsed(stored).items(), MOST_WRITTEN - len(latest)):
            latest.setdefault(id, past)
        return json.dumps(latest, separators=(",", ":")).encode()


def _parsed(stored: bytes | None) -> Mapping[NodeId, Sequence[Any]]:
    return {} if stored is None else json.loads(stored)


def text_of(constants: Mapping[str, object], name: str) -> str:
    """A constant as a person reads it."""
    return shown(constants[name]).removesuffix(".0") if name in constants else "a link"


def _mark(value: object) -> str:
    encoded = encode(value)
    return "" if encoded is None else blake2b(encoded, digest_size=8).hexdigest()
