"""Lazy inputs: what is not asked for does not run, and does not enter the key."""

from __future__ import annotations

from typing import Any

import pytest

from graph import Lazy, node
from graph.events import Cached, Failed, Skipped, Started
from graph.node import NodeSpec, spec_of
from tests.graph.lab import Lab, document, entry
from tests.graph.test_sharing import clock


@node("Pick", category="lab")
async def pick(condition: bool, yes: Lazy[int], no: Lazy[int]) -> int:
    return await (yes if condition else no)


@node("Both", category="lab")
async def both(first: Lazy[int], second: Lazy[int] | None = None) -> int:
    found = await first
    if found >= 10 or second is None:
        return found
    return found + await second


@node("Forward", category="lab")
async def forward(value: Lazy[int]) -> int:
    return value  # pyright: ignore[reportReturnType]


SPECS = tuple(spec_of(fn) for fn in (pick, both, forward))


def lab(*specs: NodeSpec, budget: int = 1 << 30) -> Lab:
    return Lab(*SPECS, *specs, budget=budget)


def chosen(condition: bool, yes: int = 1, no: int = 2) -> dict[str, Any]:
    return document(
        y=entry("Number", value=yes),
        y2=entry("Add", a=("y", "int"), b=10),
        n=entry("Number", value=no),
        n2=entry("Add", a=("n", "int"), b=20),
        flag=entry("Echo", value=condition),
        pick=entry("Pick", condition=("flag", "any"), yes=("y2", "int"), no=("n2", "int")),
        out=entry("Show", value=("pick", "int")),
    )


def test_a_branch_that_is_not_chosen_never_runs() -> None:
    bench = lab()
    outcome = bench.run(chosen(True))
    assert outcome.outputs == {"out": {"int": 11}}
    assert [e.node for e in bench.events if isinstance(e, Started)] == ["flag", "pick", "y", "y2", "out"]
    assert bench.reasons(Skipped) == {
        "n": "not needed: nothing that ran asked for it",
        "n2": "not needed: nothing that ran asked for it",
    }


def test_choosing_the_other_branch_runs_that_one_only() -> None:
    bench = lab()
    bench.run(chosen(True))
    assert bench.ran(chosen(False)) == ["flag", "pick", "n", "n2", "out"]
    assert bench.ran(chosen(True)) == []


def test_a_change_in_the_branch_not_chosen_runs_nothing() -> None:
    bench = lab()
    bench.run(chosen(True))
    assert bench.ran(chosen(True, no=3)) == []
    assert bench.explain(chosen(True, no=4))["pick"].state == "cached"
    assert bench.ran(chosen(True, yes=3, no=3)) == ["y", "y2", "pick", "out"]


def test_an_equal_value_of_the_branch_chosen_stops_there() -> None:
    bench = lab()
    nodes = chosen(True)
    nodes["nodes"]["y2"] = entry("Parity", value=("y", "int"))
    bench.run(nodes)
    nodes["nodes"]["y"] = entry("Number", value=3)
    assert bench.ran(nodes) == ["y", "y2"]


def test_the_inputs_read_enter_the_key_one_after_the_other() -> None:
    bench = lab()

    def nodes(first: int, second: int) -> dict[str, Any]:
        return document(
            a=entry("Number", value=first),
            b=entry("Number", value=second),
            both=entry("Both", first=("a", "int"), second=("b", "int")),
            out=entry("Show", value=("both", "int")),
        )

    assert bench.ran(nodes(1, 5)) == ["both", "a", "b", "out"]
    assert bench.ran(nodes(11, 6)) == ["a", "both", "out"]
    assert bench.ran(nodes(11, 7)) == []
    assert bench.ran(nodes(1, 5)) == []
    assert bench.run(nodes(1, 8)).outputs["out"] == {"int": 9}


def test_what_is_handed_on_counts_as_read() -> None:
    bench = lab()

    def nodes(value: int) -> dict[str, Any]:
        return document(
            a=entry("Number", value=value),
            f=entry("Forward", value=("a", "int")),
            out=entry("Show", value=("f", "int")),
        )

    assert bench.ran(nodes(1)) == ["f", "a", "out"]
    assert bench.ran(nodes(1)) == []
    assert bench.run(nodes(2)).outputs["out"] == {"int": 2}


def test_lazy_constants_and_optional_ones() -> None:
    bench = lab()
    nodes = document(
        p=entry("Pick", condition=True, yes=4, no=5),
        b=entry("Both", first=("p", "int")),
        out=entry("Show", value=("b", "int")),
    )
    assert bench.run(nodes).outputs["out"] == {"int": 4}


def test_failure_of_the_branch_chosen_is_the_cause_and_of_the_other_is_nothing() -> None:
    bench = lab()
    nodes = chosen(True)
    nodes["nodes"]["n"] = entry("Fail")
    assert bench.run(nodes).state == "done"
    nodes["nodes"]["flag"] = entry("Echo", value=False)
    assert bench.run(nodes).state == "failed"
    assert bench.of(Failed) == ["n"]
    assert bench.reasons(Skipped)["pick"] == "n Fail failed"


def test_chains_of_choices_cost_no_stack_and_run_once_each() -> None:
    bench = lab()
    nodes = {"0": entry("Number", value=7)}
    nodes |= {
        str(i): entry("Pick", condition=i % 2 == 0, yes=(str(i - 1), "int"), no=(str(i - 1), "int"))
        for i in range(1, 1500)
    }
    deep = document(**nodes, out=entry("Show", value=("1499", "int")))
    assert bench.run(deep).outputs["out"] == {"int": 7}
    assert len([e for e in bench.events if isinstance(e, Started)]) < 1501, "equal choices of equal values are one"
    assert bench.ran(deep) == []


def test_two_choices_of_one_condition_wait_for_each_other_in_no_order() -> None:
    bench = lab()
    nodes = document(
        n=entry("Number", value=3),
        inner=entry("Pick", condition=True, yes=("n", "int"), no=1),
        outer=entry("Pick", condition=True, yes=("inner", "int"), no=1),
        out=entry("Show", value=("outer", "int")),
    )
    assert bench.run(nodes).outputs["out"] == {"int": 3}


def test_evicted_branches_are_made_again_only_when_chosen() -> None:
    bench = lab(budget=0)
    assert bench.run(chosen(True)).outputs["out"] == {"int": 11}
    assert bench.ran(chosen(True)) == ["flag", "pick", "y", "y2", "out"]


def test_below_a_volatile_condition() -> None:
    bench = lab(clock([1, 1, 0]))
    nodes = chosen(True)
    nodes["nodes"]["flag"] = entry("Clock")
    nodes["nodes"]["even"] = entry("Echo", value=("flag", "int"))
    nodes["nodes"]["pick"]["inputs"]["condition"] = {"node": "even", "output": "any"}
    assert bench.ran(nodes) == ["flag", "even", "pick", "y", "y2", "out"]
    assert bench.ran(nodes) == ["flag"]
    assert bench.ran(nodes) == ["flag", "even", "pick", "n", "n2", "out"]


def test_a_sink_inside_a_branch_runs_if_the_branch_is_chosen_or_it_is_wanted() -> None:
    bench = lab()
    nodes = document(
        n=entry("Number", value=3),
        shown=entry("Show", value=("n", "int")),
        pick=entry("Pick", condition=False, yes=("shown", "int"), no=1),
        out=entry("Show", value=("pick", "int")),
    )
    assert bench.ran(nodes) == ["pick", "out"]
    assert bench.ran(nodes, ["shown"]) == ["n", "shown"]


def test_lazy_functions_await_nothing_else() -> None:
    @node("Strange", category="lab")
    async def strange(value: Lazy[int]) -> int:
        class Other:
            def __await__(self) -> Any:
                yield "something"

        await Other()
        return 1

    bench = lab(spec_of(strange))
    nodes = document(s=entry("Strange", value=1), out=entry("Show", value=("s", "int")))
    outcome = bench.run(nodes)
    assert outcome.error is not None
    assert "may await only lazy values" in outcome.error.message


def test_a_lazy_input_needs_an_async_function() -> None:
    @node("Plain", category="lab")
    def plain(value: Lazy[int]) -> int:
        return 1

    with pytest.raises(TypeError, match="must be async"):
        spec_of(plain)


def test_cached_is_told_of_what_was_made_before() -> None:
    bench = lab()
    bench.run(chosen(True))
    bench.run(chosen(True))
    assert set(bench.of(Cached)) == {"y", "y2", "n", "n2", "flag", "pick", "out"}
