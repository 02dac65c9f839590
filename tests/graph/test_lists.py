"""Lists: a node mapped over the items of one, links gathered into one, and keys of each item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graph import call, node
from graph.node import spec_of
from graph.problems import InvalidGraph
from tests.graph.lab import Lab, add, document, entry
from tests.graph.neighbour import opened


@node("Range", category="lab")
def range_(count: int) -> list[int]:
    return list(range(count))


@node("Sum", category="lab")
def sum_(values: list[int]) -> int:
    return sum(values)


@node("Twice", category="lab")
def twice(value: int) -> int:
    doubled = call(add, a=value, b=value)["int"]
    return call(add, a=doubled, b=1)["int"]


@node("Endless", category="lab")
def endless(value: int) -> int:
    return call(endless, value=value)["int"]


@node("Deep", category="lab")
def deep(value: int) -> int:
    return call(deep, value=value + 1)["int"]


def lab() -> Lab:
    return Lab(*(spec_of(fn) for fn in (range_, sum_, twice, endless, deep)))


def mapped(count: int) -> dict[str, Any]:
    return document(
        r=entry("Range", count=count),
        s=entry("Add", a=("r", "list[int]"), b=10),
        sum=entry("Sum", values=("s", "int")),
        out=entry("Show", value=("sum", "int")),
    )


def test_a_node_linked_to_a_list_runs_for_each_item() -> None:
    bench = lab()
    assert bench.run(mapped(3)).outputs["out"] == {"int": 33}
    assert bench.ran(mapped(3)) == []


def test_a_list_with_one_item_more_runs_one_item_more() -> None:
    bench = lab()
    assert bench.ran(mapped(3)) == ["s", "r", "s/1", "s/2", "s/3", "sum", "out"]
    assert bench.ran(mapped(4)) == ["r", "s", "s/4", "sum", "out"]
    assert bench.ran(mapped(2)) == ["r", "s", "sum", "out"]


def test_mapping_goes_through_a_chain() -> None:
    bench = lab()
    nodes = mapped(3)
    nodes["nodes"]["t"] = entry("Add", a=("s", "int"), b=("s", "int"))
    nodes["nodes"]["sum"]["inputs"]["values"] = {"node": "t", "output": "int"}
    assert bench.run(nodes).outputs["out"] == {"int": 66}


def test_links_are_gathered_and_lists_among_them_are_joined() -> None:
    bench = lab()
    nodes = document(
        a=entry("Number", value=5), r=entry("Range", count=4), sum=entry("Sum"), out=entry("Show", value=("sum", "int"))
    )
    links = [{"node": "a", "output": "int"}, {"node": "r", "output": "list[int]"}]
    nodes["nodes"]["sum"]["inputs"]["values"] = links
    assert bench.run(nodes).outputs["out"] == {"int": 11}
    nodes["nodes"]["sum"]["inputs"]["values"] = links[:1]
    assert bench.run(nodes).outputs["out"] == {"int": 5}
    nodes["nodes"]["sum"]["inputs"]["values"] = links[0]
    assert bench.run(nodes).outputs["out"] == {"int": 5}
    nodes["nodes"]["sum"]["inputs"]["values"] = [1, 2]
    assert bench.run(nodes).outputs["out"] == {"int": 3}


def test_the_order_of_links_counts() -> None:
    @node("First", category="lab")
    def first(values: list[int]) -> int:
        return values[0]

    bench = Lab(spec_of(first))
    nodes = document(
        a=entry("Number", value=5), b=entry("Number", value=6), f=entry("First"), out=entry("Show", value=("f", "int"))
    )
    both = [{"node": id, "output": "int"} for id in "ab"]
    nodes["nodes"]["f"]["inputs"]["values"] = both
    assert bench.run(nodes).outputs["out"] == {"int": 5}
    nodes["nodes"]["f"]["inputs"]["values"] = both[::-1]
    assert bench.run(nodes).outputs["out"] == {"int": 6}


def test_lists_of_other_types_are_refused() -> None:
    nodes = document(r=entry("Range", count=3), out=entry("Length", text=("r", "list[int]")))
    with pytest.raises(InvalidGraph, match=r"input text expects str, got list\[int\] from r Range"):
        lab().graph(nodes, ["out"])


def test_lists_of_unequal_length_are_refused() -> None:
    nodes = document(
        r=entry("Range", count=3),
        q=entry("Range", count=2),
        s=entry("Add", a=("r", "list[int]"), b=("q", "list[int]")),
        out=entry("Show", value=("s", "int")),
    )
    outcome = lab().run(nodes)
    assert outcome.error is not None
    assert "expected lists of one length at a, b, got {'a': 3, 'b': 2}" in outcome.error.message


def test_a_node_grows_in_place_of_itself() -> None:
    bench = lab()
    nodes = document(t=entry("Twice", value=3), out=entry("Show", value=("t", "int")))
    assert bench.ran(nodes) == ["t", "t/1", "t/2", "out"]
    assert bench.run(nodes).outputs["out"] == {"int": 7}
    other = document(n=entry("Add", a=3, b=3), out=entry("Show", value=("n", "int")))
    assert bench.ran(other) == ["out"], "what grew has the keys of what is drawn"


def test_what_a_node_grows_into_is_foretold_after_a_restart_too(tmp_path: Path) -> None:
    def restarted() -> Lab:
        bench = lab()
        bench.cache = opened(tmp_path)
        return bench

    def grown(value: int, id: str = "t") -> Any:
        bench = restarted()
        nodes = document(**{id: entry("Twice", value=value), "out": entry("Show", value=(id, "int"))})
        told = bench.explain(nodes)[id].grows
        bench.run(nodes)
        bench.cache.close()
        return told

    assert grown(3) == {}, "nobody knows that it grows"
    foretold = grown(4)
    assert {id: type for id, (type, _) in foretold.items()} == {"t/1": "Add", "t/2": "Add"}
    assert all(cost.ms > 0 for _, cost in foretold.values())
    assert grown(5, "another") is None, "nodes of this definition grow; into what is not known of this one"


@pytest.mark.parametrize(("type", "message"), [("Endless", "expands into itself"), ("Deep", "at most 64 levels")])
def test_endless_growth_is_a_failure(type: str, message: str) -> None:
    bench = lab()
    outcome = bench.run(document(t=entry(type, value=3), out=entry("Show", value=("t", "int"))))
    assert outcome.error is not None
    assert message in outcome.error.message


class Box:
    def __init__(self, content: int) -> None:
        self.content = content


@node("Boxes", category="lab")
def boxes(count: int) -> list[Box]:
    return [Box(i) for i in range(count)]


@node("Open", category="lab")
def open_(box: Box) -> int:
    return box.content


def test_items_without_a_fingerprint_are_told_apart_by_their_place() -> None:
    bench = Lab(*(spec_of(fn) for fn in (boxes, open_, sum_)))
    nodes = document(
        b=entry("Boxes", count=4),
        o=entry("Open", box=("b", "list[box]")),
        sum=entry("Sum", values=("o", "int")),
        out=entry("Show", value=("sum", "int")),
    )
    assert bench.run(nodes).outputs["out"] == {"int": 6}
