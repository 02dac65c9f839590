"""A random life of an engine: graphs that grow and change, loops, clocks, results that leave, restarts; held to the
reference."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from graph import Lazy, node
from graph.cache import Cache, Memory
from graph.events import Finished, Started
from graph.keys import Key
from graph.ledger import Account
from graph.node import NodeSpec, collect, spec_of
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from graph.values import PlainTraits
from nodes import control
from tests.graph.lab import Lab, document, entry
from tests.graph.reference import LIMIT, Reference

MOST_NODES = 60
TIGHT = 6000
"""Bytes of memory for some ten results."""
KINDS: dict[str, dict[str, str]] = {
    "Number": {},
    "Clock": {},
    "Add": {"a": "int", "b": "int"},
    "Parity": {"value": "int"},
    "Split": {"value": "int"},
    "Risky": {"value": "int"},
    "Pick": {"condition": "int", "yes": "int", "no": "int"},
    "Range": {"value": "int"},
    "Total": {"items": "list"},
    "For": {"value": "int"},
    "While": {"value": "int"},
    "Map": {"items": "list"},
    "Fold": {"items": "list", "value": "int"},
}
OUTPUTS = {"Range": "list[int]", "For": "value", "While": "value", "Map": "value", "Fold": "value"}
LISTS = ("Range", "Map")


@node("Risky", category="lab")
def risky(value: int) -> int:
    if value % 7 == 3:
        raise ValueError("not this one")
    return value * 2


@node("Pick", category="lab")
async def pick(condition: int, yes: Lazy[int], no: Lazy[int]) -> int:
    return await (yes if condition % 2 else no)


@node("Range", category="lab")
def range_(value: int) -> list[int]:
    return [value + i for i in range(value % 4)]


@node("Total", category="lab")
def total(items: list[int]) -> int:
    return sum(items)


@node("Below", category="lab")
def below(value: int, limit: int) -> bool:
    return value < limit


def port(name: str, node: str, input: str) -> dict[str, str]:
    return {"name": name, "node": node, "input": input}


def body(a: str, b: str | int, again: bool = False) -> dict[str, Any]:
    """A component that adds what it is given as `a` and `b`."""
    value = {"name": "value", "node": "a", "output": "int"}
    more = {"name": "again", "node": "again", "output": "bool"}
    test = {"again": entry("Below", value=("a", "int"), limit=LIMIT)} if again else {}
    return {
        "inputs": [port(a, "a", "a"), *([port(b, "a", "b")] if isinstance(b, str) else [])],
        "outputs": [value, more] if again else [value],
        "nodes": {"a": entry("Add", a=0, b=0 if isinstance(b, str) else b), **test},
    }


BODIES = {
    "For": body("value", "index"),
    "While": body("value", 1, again=True),
    "Map": body("item", 10),
    "Fold": body("value", "item"),
}
SPECS = (*map(spec_of, (risky, pick, range_, total, below)), *collect(control))
NUMBERS = st.integers(0, 5)
PICKS = st.integers(0, 10_000)


class Put(NamedTuple):
    """What the cache was given, in the log of events."""

    key: Key


class Watched(Cache):
    lab: Lab

    def put(self, structural: Key | None, key: Key, *rest: Any, **more: Any) -> Any:
        self.lab.events.append(Put(key))  # pyright: ignore[reportArgumentType]
        return super().put(structural, key, *rest, **more)


class Machine(RuleBasedStateMachine):
    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[str, Any] = {}
        self.made = self.time = 0
        self.folder: Path | None = None

    @initialize(disk=st.booleans(), tight=st.booleans())
    def begin(self, disk: bool, tight: bool) -> None:
        """With `tight` tiers results leave in the midst of a run: then what runs again is not looked at."""
        if disk:
            memory = Path("/dev/shm")
            self.folder = Path(tempfile.mkdtemp(prefix="weft-machine-", dir=memory if memory.is_dir() else None))
        self.tight, self.reference = tight, Reference()
        self.open()

    def open(self) -> None:
        self.keys: dict[Any, Key] = {}
        self.lab = Lab(self.clock(), *SPECS)
        budget = TIGHT if self.tight else 1 << 30
        self.disk = None if self.folder is None else Disk(self.folder, Account(budget), PlainStorage(), "machine")
        self.lab.memory = Memory(budget)
        cache = self.lab.cache = Watched([self.lab.memory], PlainTraits(), disk=self.disk)
        cache.lab = self.lab

    def clock(self) -> NodeSpec:
        def read() -> int:
            return self.time

        return spec_of(node("Clock", category="lab", volatile="the clock")(read))

    @rule()
    def restart(self) -> None:
        """What is on the disk outlives the engine."""
        if self.disk is None:
            self.reference = Reference()
        else:
            self.disk.close()
        self.open()

    @rule()
    def tick(self) -> None:
        self.time += 1

    @rule()
    def clear_memory(self) -> None:
        self.lab.memory.clear()
        if self.disk is None:
            self.reference.held.clear()
        else:
            self.disk.flush()

    @rule(seed=PICKS)
    def evict(self, seed: int) -> None:
        """Some results leave, from the disk too."""
        chance = random.Random(seed)
        for computation, key in self.keys.items():
            if chance.random() < 0.3:
                self.lab.memory.drop(key)
                self.reference.held.discard(computation)
                if self.disk is not None:
                    self.disk.flush()
                    self.disk.drop(key)

    @rule(kind=st.sampled_from(sorted(KINDS)), picks=st.lists(PICKS, min_size=3, max_size=3), number=NUMBERS)
    def grow(self, kind: str, picks: list[int], number: int) -> None:
        if len(self.nodes) < MOST_NODES:
            wanted = KINDS[kind].items()
            inputs = {name: self.source(k, number, len(self.nodes), type) for (name, type), k in zip(wanted, picks)}
            if kind in BODIES:
                inputs["body"] = {"component": kind}
            if kind in ("Number", "For"):
                inputs["value" if kind == "Number" else "count"] = number
            self.made += 1
            self.nodes[f"n{self.made}"] = entry(kind, **inputs)

    def source(self, k: int, number: int, below: int, type: str) -> Any:
        """A constant now and then, else an output of one of the first nodes."""
        known = list(self.nodes)[:below]
        ids = [
            id
            for id in known
            if self.nodes[id]["type"] != "Show" and (self.nodes[id]["type"] in LISTS) == (type == "list")
        ]
        if not ids or k % 5 == 0:
            return [number, k % 3] if type == "list" else number
        id = ids[k % len(ids)]
        kind = self.nodes[id]["type"]
        return id, ("half", "rest")[k % 2] if kind == "Split" else OUTPUTS.get(kind, "int")

    @rule(k=PICKS, number=NUMBERS)
    def show(self, k: int, number: int) -> None:
        if self.nodes and len(self.nodes) < MOST_NODES:
            self.made += 1
            self.nodes[f"s{self.made}"] = entry("Show", value=self.source(k, number, len(self.nodes), "int"))

    @rule(k=PICKS, to=PICKS, number=NUMBERS)
    def edit(self, k: int, to: int, number: int) -> None:
        if self.nodes:
            at = k % len(self.nodes)
            id = list(self.nodes)[at]
            kind, inputs = self.nodes[id]["type"], self.nodes[id]["inputs"]
            names = sorted(inputs.keys() - {"body"})
            if names:
                name = names[k % len(names)]
                type = {"Show": {"value": "int"}}.get(kind, KINDS.get(kind, {})).get(name)
                value = number if type is None else self.source(to, number, at, type)
                given = entry("x", **{name: value})["inputs"]
                self.nodes[id] = {**self.nodes[id], "inputs": {**inputs, **given}}

    @rule()
    def rename(self) -> None:
        """Ids mean nothing."""
        new = {id: f"r{i}" for i, id in enumerate(self.nodes)}
        renamed: dict[str, Any] = {}
        for id, old in self.nodes.items():
            inputs = {
                name: {**given, "node": new[given["node"]]} if isinstance(given, dict) and "node" in given else given
                for name, given in reversed(old["inputs"].items())
            }
            renamed[new[id]] = {"type": old["type"], "inputs": dict(inputs)}
        self.nodes = renamed

    @rule()
    def run(self) -> None:
        if not any(item["type"] == "Show" for item in self.nodes.values()):
            return
        self.reference.plan(self.nodes, self.time)
        outcome = self.lab.run(document(**self.nodes) | {"components": BODIES})
        wanted = {id: self.reference.made[id] for id, item in self.nodes.items() if item["type"] == "Show"}
        got = {id: outputs["int"] for id, outputs in outcome.outputs.items()}
        wrong = {id for id, value in wanted.items() if got.get(id) != value}
        started = [e.node for e in self.lab.events if isinstance(e, Started)]
        ran = Counter(self.reference.computation.get(id, id) for id in started)
        extra = Counter[Any]() if self.tight else ran - self.reference.must
        self.note_finished()
        self.counts.update(runs=1, nodes=len(started), wrong=len(wrong), extra=sum(extra.values()))
        assert not wrong, {id: (wanted[id], got.get(id)) for id in wrong}
        assert not extra, extra

    def note_finished(self) -> None:
        """What has run is done and held; the cache was given its result right before that was told."""
        key = b""
        for event in self.lab.events:
            if isinstance(event, Put):
                key = event.key
            elif isinstance(event, Finished):
                computation = self.reference.computation.get(event.node, event.node)
                self.reference.done.add(computation)
                self.reference.held.add(computation)
                if computation[0] != "Clock":
                    self.keys[computation] = key

    def teardown(self) -> None:
        self.run()
        if self.disk is not None and self.folder is not None:
            self.disk.close()
            shutil.rmtree(self.folder)
