"""A random life of an engine: graphs that grow and change, results that leave, restarts; held against the reference."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from graph import Lazy, node
from graph.events import Finished, Started
from graph.node import spec_of
from tests.graph.lab import Lab, document, entry
from tests.graph.reference import Reference

MOST_NODES = 60
KINDS = {
    "Number": {},
    "Add": {"a": 0, "b": 0},
    "Parity": {"value": 0},
    "Split": {"value": 0},
    "Risky": {"value": 0},
    "Pick": {"condition": 0, "yes": 0, "no": 0},
}


@node("Risky", category="lab")
def risky(value: int) -> int:
    if value % 7 == 3:
        raise ValueError("not this one")
    return value * 2


@node("Pick", category="lab")
async def pick(condition: int, yes: Lazy[int], no: Lazy[int]) -> int:
    return await (yes if condition % 2 else no)


NUMBERS = st.integers(0, 5)
PICKS = st.integers(0, 10_000)


class Machine(RuleBasedStateMachine):
    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[str, Any] = {}
        self.made = 0
        self.restart()

    @rule()
    def restart(self) -> None:
        """Without a lower tier nothing outlives the engine."""
        self.lab, self.reference = Lab(spec_of(risky), spec_of(pick)), Reference()

    @rule()
    def evict(self) -> None:
        self.lab.memory.clear()
        self.reference.held.clear()

    @rule(kind=st.sampled_from(sorted(KINDS)), picks=st.lists(PICKS, min_size=3, max_size=3), number=NUMBERS)
    def grow(self, kind: str, picks: list[int], number: int) -> None:
        if len(self.nodes) < MOST_NODES:
            inputs = {name: self.source(k, number, len(self.nodes)) for name, k in zip(KINDS[kind], picks)}
            self.made += 1
            self.nodes[f"n{self.made}"] = entry(kind, **(inputs or {"value": number}))

    def source(self, k: int, number: int, below: int) -> Any:
        """A constant now and then, else an output of one of the first nodes."""
        ids = [id for id in list(self.nodes)[:below] if self.nodes[id]["type"] != "Show"]
        if not ids or k % 5 == 0:
            return number
        id = ids[k % len(ids)]
        return id, ("half", "rest")[k % 2] if self.nodes[id]["type"] == "Split" else "int"

    @rule(k=PICKS, number=NUMBERS)
    def show(self, k: int, number: int) -> None:
        if self.nodes and len(self.nodes) < MOST_NODES:
            self.made += 1
            self.nodes[f"s{self.made}"] = entry("Show", value=self.source(k, number, len(self.nodes)))

    @rule(k=PICKS, to=PICKS, number=NUMBERS)
    def edit(self, k: int, to: int, number: int) -> None:
        if self.nodes:
            at = k % len(self.nodes)
            id = list(self.nodes)[at]
            inputs = self.nodes[id]["inputs"]
            name = sorted(inputs)[k % len(inputs)]
            value = number if self.nodes[id]["type"] == "Number" else self.source(to, number, at)
            given = entry("x", **{name: value})["inputs"]
            self.nodes[id] = {**self.nodes[id], "inputs": {**inputs, **given}}

    @rule()
    def rename(self) -> None:
        """Ids mean nothing."""
        new = {id: f"r{i}" for i, id in enumerate(self.nodes)}
        renamed: dict[str, Any] = {}
        for id, old in self.nodes.items():
            inputs = {
                name: {**given, "node": new[given["node"]]} if isinstance(given, dict) else given
                for name, given in reversed(old["inputs"].items())
            }
            renamed[new[id]] = {"type": old["type"], "inputs": dict(inputs)}
        self.nodes = renamed

    @rule()
    def run(self) -> None:
        if not any(item["type"] == "Show" for item in self.nodes.values()):
            return
        self.reference.plan(self.nodes)
        outcome = self.lab.run(document(**self.nodes))
        wanted = {id: self.reference.made[id] for id, item in self.nodes.items() if item["type"] == "Show"}
        got = {id: outputs["int"] for id, outputs in outcome.outputs.items()}
        wrong = {id for id, value in wanted.items() if got.get(id) != value}
        started = [e.node for e in self.lab.events if isinstance(e, Started)]
        ran = Counter(self.reference.computation.get(id, id) for id in started)
        extra = ran - self.reference.must
        finished = {self.reference.computation[e.node] for e in self.lab.events if isinstance(e, Finished)}
        self.reference.done |= finished
        self.reference.held |= finished
        self.counts.update(runs=1, nodes=len(started), wrong=len(wrong), extra=sum(extra.values()))
        assert not wrong, {id: (wanted[id], got.get(id)) for id in wrong}
        assert not extra, extra

    def teardown(self) -> None:
        self.run()
