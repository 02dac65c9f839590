"""Components, reroutes, notes, mute and bypass: what a document says and what runs."""

from __future__ import annotations

from typing import Any

import pytest

from graph.events import Skipped
from graph.flatten import flatten
from graph.node import NodeSpec, Port
from graph.problems import InvalidGraph, Problems
from tests.graph.lab import Lab, document, entry

TWICE = {
    "inputs": [{"name": "x", "node": "1", "input": "a"}, {"name": "x", "node": "1", "input": "b"}],
    "outputs": [{"name": "double", "node": "1", "output": "int"}],
    "nodes": {"1": entry("Add")},
}
FOUR = {
    "inputs": [{"name": "x", "node": "first", "input": "x"}],
    "outputs": [{"name": "four", "node": "second", "output": "double"}],
    "nodes": {"first": entry("component:twice"), "second": entry("component:twice", x=("first", "double"))},
}


def with_components(**nodes: Any) -> dict[str, Any]:
    return {**document(**nodes), "components": {"twice": TWICE, "four": FOUR}}


def test_an_instance_runs_as_its_inner_nodes() -> None:
    lab = Lab()
    nodes = with_components(
        n=entry("Number", value=3), c=entry("component:four", x=("n", "int")), out=entry("Show", value=("c", "four"))
    )
    assert lab.ran(nodes) == ["n", "c/first/1", "c/second/1", "out"]
    assert lab.run(nodes).outputs["out"] == {"int": 12}


def test_an_instance_and_the_inlined_graph_are_the_same_computations() -> None:
    lab = Lab()
    lab.run(
        document(
            n=entry("Number", value=3),
            d=entry("Add", a=("n", "int"), b=("n", "int")),
            out=entry("Show", value=("d", "int")),
        )
    )
    nodes = with_components(
        m=entry("Number", value=3), c=entry("component:twice", x=("m", "int")), o=entry("Show", value=("c", "double"))
    )
    assert lab.ran(nodes) == []


def test_constants_reach_the_inner_inputs_and_problems_name_inner_nodes() -> None:
    lab = Lab()
    nodes = with_components(c=entry("component:twice", x=5), out=entry("Show", value=("c", "double")))
    assert lab.run(nodes).outputs["out"] == {"int": 10}
    nodes["nodes"]["c"] = entry("component:twice", x="five")
    with pytest.raises(InvalidGraph, match=r"node c/1 Add: input a expects a whole number"):
        lab.graph(nodes)


@pytest.mark.parametrize(
    ("component", "instance", "message"),
    [
        (TWICE, "component:twise", "there is a component .twise. that is not defined"),
        ({"nodes": {"1": entry("component:twice")}}, "component:twice", '"twice" inside itself'),
        ({"nodes": 3}, "component:twice", "that is not defined"),
    ],
)
def test_components_that_cannot_be(component: Any, instance: str, message: str) -> None:
    nodes = {**document(c=entry(instance), out=entry("Show", value=1)), "components": {"twice": component}}
    with pytest.raises(InvalidGraph, match=message):
        Lab().graph(nodes)


def test_an_unknown_input_or_output_of_an_instance() -> None:
    with pytest.raises(InvalidGraph, match=r"there is no input .z."):
        Lab().graph(with_components(c=entry("component:twice", z=1), out=entry("Show", value=("c", "double"))))
    with pytest.raises(InvalidGraph, match=r"links to output .triple. of c"):
        Lab().graph(with_components(c=entry("component:twice", x=1), out=entry("Show", value=("c", "triple"))))


def test_an_instance_is_a_target() -> None:
    nodes = with_components(c=entry("component:four", x=5), out=entry("Show", value=1))
    assert Lab().run(nodes, ["c"]).outputs == {"c/second/1": {"int": 20}}


def test_reroutes_and_notes_are_nowhere() -> None:
    lab = Lab()
    nodes = document(
        n=entry("Number", value=3),
        r=entry("Reroute", value=("n", "int")),
        r2=entry("Reroute", value=("r", "value")),
        note={"type": "Note", "text": "look"},
        out=entry("Show", value=("r2", "value")),
    )
    assert lab.ran(nodes) == ["n", "out"]
    assert lab.ran(document(n=entry("Number", value=3), out=entry("Show", value=("n", "int")))) == []
    assert lab.run(nodes, ["r2"]).outputs == {"n": {"int": 3}}


def test_reroutes_in_a_circle_lead_nowhere() -> None:
    nodes = document(
        a=entry("Reroute", value=("b", "value")),
        b=entry("Reroute", value=("a", "value")),
        out=entry("Show", value=("a", "value")),
    )
    with pytest.raises(InvalidGraph, match="input value is missing"):
        Lab().graph(nodes)


def muted(mode: str) -> dict[str, Any]:
    return document(
        n=entry("Number", value=3),
        add={**entry("Add", a=("n", "int"), b=1), "mode": mode},
        twice=entry("Add", a=("add", "int"), b=("add", "int")),
        out=entry("Show", value=("twice", "int")),
        other=entry("Show", value=("n", "int")),
        maybe=entry("Maybe", value=("add", "int")),
        last=entry("Show", value=("maybe", "int")),
    )


def test_a_muted_node_and_what_needs_it_are_skipped() -> None:
    lab = Lab()
    outcome = lab.run(muted("mute"))
    assert outcome.state == "done"
    assert outcome.outputs == {"other": {"int": 3}, "last": {"int": -1}}
    needs = "needs add, which is muted"
    assert lab.reasons(Skipped) == {"add": "muted", "twice": needs, "out": needs}


def test_a_bypassed_node_hands_its_first_input_of_the_type_on() -> None:
    lab = Lab()
    outcome = lab.run(muted("bypass"))
    assert outcome.outputs == {"out": {"int": 6}, "other": {"int": 3}, "last": {"int": 3}}
    assert lab.reasons(Skipped) == {"add": "bypassed"}


def test_a_bypassed_node_hands_on_the_input_of_the_same_name() -> None:
    spec = NodeSpec("Swap", "Swap", "", "", "1", False, "cpu", ports("a", "b"), ports("b", "a"), "")
    nodes = {"s": {**entry("Swap", a=1, b=2), "mode": "bypass"}, "t": entry("Take", x=("s", "a"), y=("s", "b"))}
    assert flatten({"nodes": nodes}, {"Swap": spec}, Problems()).entries["t"]["inputs"] == {"x": 1, "y": 2}


def ports(*names: str) -> tuple[Port, ...]:
    return tuple(Port(name, "int") for name in names)


def test_a_mode_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidGraph, match='mode: expected "mute", "bypass" or "active"'):
        Lab().graph(muted("silent"))


def test_an_instance_can_be_muted() -> None:
    nodes = with_components(
        c={**entry("component:four", x=5), "mode": "mute"},
        s=entry("Show", value=1),
        t=entry("Show", value=("c", "four")),
    )
    lab = Lab()
    assert lab.ran(nodes) == ["s"]
    assert lab.reasons(Skipped)["t"] == "needs c/second/1, which is muted"
