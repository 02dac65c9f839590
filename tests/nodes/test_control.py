"""Control flow: branches that are not chosen never run, and types follow what is linked."""

from __future__ import annotations

from typing import Any

import pytest

from graph.events import Started
from graph.node import NodeSpec, collect
from graph.problems import InvalidGraph
from nodes import control
from tests.graph.lab import Lab, document, entry


def lab() -> Lab:
    return Lab(*collect(control))


SOURCES = {name: entry("Number", value=value) for name, value in (("a", 1), ("b", 2), ("c", 3))}


def switch(index: int) -> dict[str, Any]:
    nodes = document(**SOURCES, pick=entry("Switch", index=index), out=entry("Show", value=("pick", "value")))
    nodes["nodes"]["pick"]["inputs"]["values"] = [{"node": id, "output": "int"} for id in ("a", "b", "c")]
    return nodes


def test_if_runs_one_branch() -> None:
    bench = lab()
    nodes = document(
        **SOURCES,
        pick=entry("If", condition=False, on_true=("a", "int"), on_false=("b", "int")),
        out=entry("Show", value=("pick", "value")),
    )
    assert bench.ran(nodes) == ["pick", "b", "out"]


def test_switch_runs_the_one_of_many() -> None:
    bench = lab()
    assert bench.ran(switch(1)) == ["pick", "b", "out"]
    assert bench.ran(switch(2)) == ["pick", "c", "out"]
    assert bench.ran(switch(1)) == []
    assert bench.run(switch(3)).state == "failed"


def test_coalesce_stops_at_the_first_that_is_there() -> None:
    bench = lab()
    nodes = document(**SOURCES, none=entry("Echo"), pick=entry("Coalesce"), out=entry("Show", value=("pick", "value")))
    nodes["nodes"]["none"]["inputs"] = {"value": None}
    links = [{"node": "none", "output": "any"}, {"node": "b", "output": "int"}, {"node": "c", "output": "int"}]
    nodes["nodes"]["pick"]["inputs"]["values"] = links
    bench.run(nodes)
    assert [e.node for e in bench.events if isinstance(e, Started)] == ["pick", "none", "b", "out"]


def test_the_type_of_the_output_follows_the_inputs() -> None:
    bench = lab()
    nodes = document(
        n=entry("Number", value=1),
        pick=entry("If", condition=True, on_true=("n", "int"), on_false=("n", "int")),
        out=entry("Length", text=("pick", "value")),
    )
    with pytest.raises(InvalidGraph, match=r"input text expects str, got int from pick If"):
        bench.graph(nodes, ["out"])


def test_the_inputs_are_of_one_type() -> None:
    bench = lab()
    nodes = document(
        n=entry("Number", value=1),
        l=entry("Echo", value="x"),
        e=entry("If", condition=True, on_true="text", on_false="other"),
        pick=entry("If", condition=True, on_true=("n", "int"), on_false=("e", "value")),
        out=entry("Show", value=("pick", "value")),
    )
    with pytest.raises(InvalidGraph, match=r"input on_true expects str|input on_false expects int, got str from e If"):
        bench.graph(nodes)


def test_definitions_survive_json() -> None:
    for spec in collect(control):
        again = NodeSpec.from_json(spec.to_json())
        assert again.inputs == spec.inputs
        assert again.outputs == spec.outputs
