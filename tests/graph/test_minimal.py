"""Random graphs under random edits, against a small reference: the same values, and no execution too many; and cases
by name, of which the log says that nothing ran twice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from graph.events import Cached, Failed, Finished, Queued, Skipped, Started
from graph.executor import Outcome
from tests.graph.lab import Lab, document, entry, spec


def mix(a: int, b: int, k: int = 0) -> int:
    return (a * 3 + b + k) % 7


def odd(a: int, k: int = 0) -> int:
    if a == 3 and k == 1:
        raise ValueError("three")
    return a % 2


@dataclass(frozen=True)
class Vertex:
    """`parents` count back from the node itself; where there are too few, the input is the constant 0."""

    kind: str
    k: int
    parents: tuple[int, int]
    output: str


VERTICES = st.builds(
    Vertex,
    st.sampled_from(["Number", "Mix", "Odd", "Split"]),
    st.integers(0, 2),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.sampled_from(["half", "rest"]),
)
EDITS = st.lists(st.tuples(st.integers(0, 30), VERTICES), max_size=4)


def drawn(vertices: list[Vertex]) -> tuple[dict[str, Any], list[str]]:
    """The document, and its ids in order. Every third node is shown by a sink."""
    nodes: dict[str, Any] = {}

    def source(i: int, back: int) -> Any:
        if i - back < 0:
            return 0
        parent = vertices[i - back]
        return (f"n{i - back}", vertices[i].output if parent.kind == "Split" else "int")

    for i, vertex in enumerate(vertices):
        first, second = (source(i, back) for back in vertex.parents)
        if vertex.kind == "Number":
            nodes[f"n{i}"] = entry("Number", value=vertex.k)
        elif vertex.kind == "Mix":
            nodes[f"n{i}"] = entry("Mix", a=first, b=second, k=vertex.k)
        elif vertex.kind == "Odd":
            nodes[f"n{i}"] = entry("Odd", a=first, k=vertex.k)
        else:
            nodes[f"n{i}"] = entry("Split", value=first)
        if i % 3 == 0 or i == len(vertices) - 1:
            port = "rest" if vertex.kind == "Split" else "int"
            nodes[f"s{i}"] = entry("Show", value=(f"n{i}", port))
    return document(**nodes), list(nodes)


Computation = tuple[Any, ...]


class Reference:
    """The value of every node, None where something failed, and every computation done so far: what it is and what
    it reads."""

    def __init__(self) -> None:
        self.done: set[Computation] = set()

    def values(self, nodes: dict[str, Any], ids: list[str]) -> tuple[dict[str, Any], dict[str, Computation]]:
        values: dict[str, Any] = {}
        computations: dict[str, Computation] = {}
        for id in ids:
            kind, inputs = nodes[id]["type"], nodes[id]["inputs"]
            links = [name for name, value in inputs.items() if isinstance(value, dict)]
            read = dict(inputs)
            for name in links:
                read[name] = (values[inputs[name]["node"]] or {}).get(inputs[name]["output"])
            values[id] = None if None in read.values() else self.compute(kind, read)
            computations[id] = (kind, *sorted(read.items(), key=str), *links)
        return values, computations

    def compute(self, kind: str, read: dict[str, int]) -> dict[str, int] | None:
        if kind == "Split":
            return {"half": read["value"] // 2, "rest": read["value"] % 2}
        if kind == "Mix":
            return {"int": mix(**read)}
        if kind == "Odd":
            return None if read["a"] == 3 and read["k"] == 1 else {"int": read["a"] % 2}
        return {"int": read["value"]}


def upstream_of_sinks(nodes: dict[str, Any], ids: list[str]) -> list[str]:
    wanted = {id for id in ids if id.startswith("s")}
    for id in reversed(ids):
        if id in wanted:
            wanted |= {value["node"] for value in nodes[id]["inputs"].values() if isinstance(value, dict)}
    return [id for id in ids if id in wanted]


def versions(vertices: list[Vertex], edits: list[tuple[int, Vertex]]) -> list[list[Vertex]]:
    found = [vertices]
    for place, vertex in edits:
        edited = list(found[-1])
        edited[place % len(edited)] = vertex
        found.append(edited)
    return [*found, *reversed(found)]


def lab(budget: int, threads: int) -> Lab:
    return Lab(spec("Mix", mix), spec("Odd", odd), budget=budget, limits={"cpu": threads})


def check_events(lab: Lab, wanted: list[str]) -> None:
    """Every wanted node comes to exactly one end, and what started ended."""
    ends = [event.node for event in lab.events if isinstance(event, Finished | Failed | Skipped)]
    assert len(ends) == len(set(ends))
    cached = {event.node for event in lab.events if isinstance(event, Cached)}
    assert set(ends) | cached == set(wanted)
    started = [event.node for event in lab.events if isinstance(event, Started)]
    assert set(started) == {event.node for event in lab.events if isinstance(event, Finished | Failed)}
    queued = {event.node for event in lab.events if isinstance(event, Queued)}
    assert set(started) <= queued


def check_values(outcome: Outcome, values: dict[str, Any]) -> None:
    expected = {id: value for id, value in values.items() if id.startswith("s") and value is not None}
    assert outcome.outputs == expected


@settings(max_examples=150, deadline=None)
@given(st.lists(VERTICES, min_size=1, max_size=20), EDITS)
def test_with_room_for_all_every_computation_is_done_once(
    vertices: list[Vertex], edits: list[tuple[int, Vertex]]
) -> None:
    bench, reference = lab(1 << 30, 1), Reference()
    for version in versions(vertices, edits):
        saved, ids = drawn(version)
        wanted = upstream_of_sinks(saved["nodes"], ids)
        values, computations = reference.values(saved["nodes"], wanted)
        fresh = set(computations.values()) - reference.done
        outcome = bench.run(saved)
        check_values(outcome, values)
        check_events(bench, wanted)
        started = [event.node for event in bench.events if isinstance(event, Started)]
        assert {computations[id] for id in started} <= fresh
        assert len(started) <= len(fresh) if outcome.error else len(started) == len(fresh)
        reference.done |= {computations[id] for id in bench.of(Finished)}


@settings(max_examples=150, deadline=None)
@given(st.lists(VERTICES, min_size=1, max_size=20), EDITS, st.integers(0, 5))
def test_with_little_room_values_stay_right(vertices: list[Vertex], edits: list[tuple[int, Vertex]], room: int) -> None:
    bench, reference = lab(600 * room, 2), Reference()
    for version in versions(vertices, edits):
        saved, ids = drawn(version)
        wanted = upstream_of_sinks(saved["nodes"], ids)
        values, _ = reference.values(saved["nodes"], wanted)
        check_values(bench.run(saved), values)
        check_events(bench, wanted)


def picture(**changed: Any) -> dict[str, Any]:
    nodes = {
        "n": entry("Number", value=7),
        "p": entry("Parity", value=("n", "int")),
        "s": entry("Add", a=("p", "int")),
        "v": entry("Show", value=("s", "int")),
    }
    return document(**nodes | changed)


def test_another_workflow_in_between_costs_nothing() -> None:
    lab = Lab()
    assert lab.ran(picture()) == ["n", "p", "s", "v"]
    other = document(n=entry("Split", value=9), p=entry("Number", value=1), v=entry("Show", value=("n", "half")))
    assert lab.ran(other) == ["n", "v"]
    assert lab.ran(picture()) == []
    shared = document(first=entry("Number", value=7), last=entry("Parity", value=("first", "int")))
    assert lab.ran(shared, ["last"]) == [], "what it has in common is there, whatever it is called"


def test_moving_renaming_and_writing_out_what_is_left_out_cost_nothing() -> None:
    lab = Lab()
    lab.run(picture(m=entry("Maybe"), w=entry("Show", value=("m", "int"))))
    moved = {
        "view": {"nodes": {"n": {"x": 10, "y": -3.5}}, "zoom": 2},
        "groups": [{"title": "All", "nodes": ["n", "p"]}],
        "nodes": {
            "w": entry("Show", value=("m", "int")),
            "m": entry("Maybe", value=None) | {"title": "Perhaps", "collapsed": True},
            "end": entry("Show", value=("sum", "int")),
            "sum": entry("Add", b=0, a=("odd", "int")),
            "odd": entry("Parity", value=("seven", "int")),
            "seven": entry("Number", value=7),
        },
    }
    assert lab.ran({"version": 1, **moved}) == []


VALUES: tuple[Any, ...] = (1, True, 1.0, "1", 0, False, 0.0, -0.0, "", "true", "nan", [1], [1.0], [True], None)


def test_distinct_values_are_never_taken_for_each_other_as_constants() -> None:
    lab = Lab(spec("Seen", seen, sink=True))
    for value in VALUES:
        assert lab.run(document(v=entry("Seen", value=value))).outputs["v"] == {"str": repr(value)}
        assert lab.of(Finished) == ["v"]
    for value in VALUES:
        assert lab.ran(document(v=entry("Seen", value=value))) == []


def test_distinct_values_are_never_taken_for_each_other_when_nodes_make_them() -> None:
    made: tuple[Any, ...] = (*VALUES, math.nan, math.inf, -math.inf, b"1", (1,))

    def make(which: int) -> Any:
        return made[which % len(made)]

    lab = Lab(spec("Make", make), spec("Seen", seen, sink=True))

    def told(which: int) -> dict[str, Any]:
        return document(m=entry("Make", which=which), v=entry("Seen", value=("m", "any")))

    for which, value in enumerate(made):
        assert lab.run(told(which)).outputs["v"] == {"str": repr(value)}
        assert lab.of(Finished) == ["m", "v"]
    for which in range(len(made)):
        assert lab.ran(told(which + len(made))) == ["m"], "equal values, NaN among them, stop there"


def seen(value: Any) -> str:
    return repr(value)
