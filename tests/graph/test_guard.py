"""The debug mode that finds nodes which change what they were given."""

from __future__ import annotations

from typing import Any

import pytest

from graph.events import Failed
from graph.guard import guarded
from graph.values import encode
from tests.graph.lab import Lab, document, entry, spec


def make() -> list:
    return [3, 1, 2]


def spoil(items: list, other: list) -> int:
    items.sort()
    return len(other)


async def spoil_later(items: list) -> int:
    items.append(0)
    return len(items)


def read(items: list) -> int:
    return sorted(items)[0]


NODES = [spec("Make", make), spec("Spoil", spoil), spec("SpoilLater", spoil_later), spec("Read", read)]


def lab(guard: bool) -> Lab:
    return Lab(*(guarded(each, encode) if guard else each for each in NODES))


def graph(type: str, **more: Any) -> dict[str, Any]:
    return document(make=entry("Make"), node=entry(type, items=("make", "list"), **more))


@pytest.mark.parametrize(("type", "more"), [("Spoil", {"other": ("make", "list")}), ("SpoilLater", {})])
def test_a_node_that_changes_its_input_fails_and_names_both(type: str, more: dict[str, Any]) -> None:
    bench = lab(guard=True)
    assert bench.run(graph(type, **more), ["node"]).state == "failed"
    (failed,) = [event for event in bench.events if isinstance(event, Failed)]
    assert (failed.node, failed.error.type) == ("node", "InputChanged")
    assert f"node {type} changed its input items" in failed.error.message
    assert lab(guard=False).run(graph(type, **more), ["node"]).state == "done"


def test_a_node_that_only_reads_is_left_alone() -> None:
    outcome = lab(guard=True).run(graph("Read"), ["node"])
    assert outcome.outputs == {"node": {"int": 1}}


def test_a_definition_without_a_function_stays_as_it_is() -> None:
    bare = type(NODES[0]).from_json(NODES[0].to_json())
    assert guarded(bare, encode) is bare
