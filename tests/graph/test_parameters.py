"""The interface of a document, data of inputs that the engine leaves alone, and nodes of older versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from graph import node
from graph.files import NoFiles
from graph.graph import build
from graph.node import NodeSpec, spec_of
from graph.parameters import with_parameters
from graph.problems import InvalidGraph
from graph.registry import Registry
from graph.workflow import load
from tests.graph.lab import LAB, Lab, document, entry


def with_interface() -> dict[str, Any]:
    nodes = document(n=entry("Number", value=1), out=entry("Show", value=("n", "int")))
    return {**nodes, "interface": [{"name": "start", "node": "n", "input": "value", "title": "Start"}]}


def test_parameters_take_the_place_of_constants() -> None:
    nodes = with_interface()
    assert Lab().run(with_parameters(nodes, {"start": 5})).outputs["out"] == {"int": 5}
    assert nodes == with_interface(), "the document itself stays as it is"


def test_unknown_parameters_are_named_with_the_nearest() -> None:
    with pytest.raises(InvalidGraph) as error:
        with_parameters(with_interface(), {"stort": 5})
    assert error.value.problems[0].hint == "did you mean 'start'?"
    with pytest.raises(InvalidGraph, match="no parameters, as the workflow names none"):
        with_parameters(document(), {"x": 1})


def test_a_parameter_that_leads_nowhere() -> None:
    nodes = {**with_interface(), "interface": [{"name": "start", "node": "m", "input": "value"}]}
    with pytest.raises(InvalidGraph, match=r"leads to node .m., which does not exist"):
        with_parameters(nodes, {"start": 5})


def test_what_happens_to_a_seed_after_a_run_is_not_the_engines() -> None:
    nodes = document(
        n={**entry("Number", value=1), "after_run": {"value": "increment"}}, out=entry("Show", value=("n", "int"))
    )
    lab = Lab()
    lab.run(nodes)
    nodes["nodes"]["n"]["after_run"] = {"value": "keep"}
    assert lab.ran(nodes) == []
    assert load(nodes).to_json()["nodes"]["n"]["after_run"] == {"value": "keep"}


def renamed(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"amount": inputs.get("strength", 0)}


@node("Scale", category="lab", version="2", migrate={"1": renamed})
def scale(amount: int = 0) -> int:
    return amount * 10


OLD = document(s={**entry("Scale", strength=4), "version": "1"}, out=entry("Show", value=("s", "int")))


def test_inputs_of_an_older_version_are_brought_up_to_date() -> None:
    lab = Lab(spec_of(scale))
    assert lab.run(OLD).outputs["out"] == {"int": 40}
    assert lab.ran(document(s=entry("Scale", amount=4), out=entry("Show", value=("s", "int")))) == []


def test_who_knows_the_definition_only_leaves_older_versions_to_the_worker() -> None:
    known = Registry(NodeSpec.from_json(spec.to_json()) for spec in (*LAB, spec_of(scale)))
    build(load(OLD), known, NoFiles())
    with pytest.raises(InvalidGraph, match=r"there is no input .strength."):
        build(load(document(s=entry("Scale", strength=4), out=entry("Show", value=("s", "int")))), known, NoFiles())


def test_the_command_line_sets_parameters_by_name() -> None:
    from jobs.documents import BadAssignment, assign

    workflow = load(with_interface())
    assert assign(workflow, ["start=8"]).nodes["n"]["inputs"] == {"value": 8}
    assert assign(workflow, ["n.value=9"]).nodes["n"]["inputs"] == {"value": 9}
    with pytest.raises(BadAssignment, match="there is no parameter"):
        assign(workflow, ["stop=8"])
