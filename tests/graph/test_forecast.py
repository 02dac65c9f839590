"""Time and bytes of a run: foretold before it, said while it goes on, and counted by what it holds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Annotated, Any

import pytest

from graph import Slider
from graph.cache import Cache, Memory
from graph.context import NO_CONTEXT, Context
from graph.costs import Cost
from graph.events import Estimate, Queued, Started
from graph.forecast import Forecast, forecast
from graph.keys import Record
from graph.live import Live
from graph.node import Resource, node, spec_of
from graph.plan import Plan, plan
from graph.values import PlainTraits
from tests.graph.lab import Lab, document, entry

CPU: Mapping[Resource, int] = {"cpu": 2}


@node("Fill", category="lab", resource="gpu")
def fill(size: Annotated[int, Slider(1, 1 << 24)] = 1, mark: str = "x") -> str:
    return mark * size


@node("Wait", category="lab")
def wait(text: str, steps: int = 10, ctx: Context = NO_CONTEXT) -> int:
    for step in range(steps):
        time.sleep(0.12)
        ctx.progress(step + 1, steps)
    return len(text)


SPECS = (spec_of(fill), spec_of(wait))


def planned(lab: Lab, nodes: Mapping[str, Any]) -> Plan:
    return plan(lab.graph(nodes), None, lab.cache, lab.files)


def test_nodes_side_by_side_take_the_time_of_the_longest() -> None:
    lab = Lab()
    made = planned(
        lab,
        document(
            a=entry("Number", value=1),
            b=entry("Number", value=2),
            s=entry("Add", a=("a", "int"), b=("b", "int")),
            v=entry("Show", value=("s", "int")),
        ),
    )
    at = made.position
    costs = {at["a"]: Cost(30, 0), at["b"]: Cost(50, 0), at["s"]: Cost(5, 0), at["v"]: Cost(1, 0)}
    assert forecast(made, set(at.values()), costs, CPU).ms == pytest.approx(56)
    assert forecast(made, set(at.values()), costs, {"cpu": 1}).ms == pytest.approx(86)


def chain(made: Plan, *sizes: int) -> dict[int, Cost]:
    return {i: Cost(1, size) for i, size in zip(range(len(made.ids)), sizes, strict=True)}


def test_the_most_bytes_are_those_of_a_node_with_its_inputs_and_what_it_needs_beside() -> None:
    nodes = document(
        n=entry("Number", value=1),
        p=entry("Parity", value=("n", "int")),
        e=entry("Parity", value=("p", "int")),
        v=entry("Show", value=("e", "int")),
    )
    made = planned(Lab(), nodes)
    runs = range(4)
    assert forecast(made, runs, chain(made, 10, 100, 40, 0), CPU).peak_bytes == 140, "n is let go when p is done"
    costs = chain(made, 10, 100, 40, 0) | {0: Cost(1, 10, beside=500)}
    assert forecast(made, runs, costs, CPU).peak_bytes == 510
    assert forecast(made, runs, {}, CPU) == Forecast(pytest.approx(4e-6), 0, 4)  # pyright: ignore[reportArgumentType]


def test_what_is_cached_counts_from_its_first_reader_to_its_last() -> None:
    nodes = document(
        n=entry("Number", value=1), p=entry("Parity", value=("n", "int")), v=entry("Show", value=("p", "int"))
    )
    made = planned(Lab(), nodes)
    made.records[0] = Record(b"k", {}, 1.0, 7000)
    assert forecast(made, [1, 2], {1: Cost(1, 500), 2: Cost(1, 8000)}, CPU).peak_bytes == 8500
    live = Live(made.records)
    live[0] = {}
    assert forecast(made, [1, 2], {1: Cost(1, 500), 2: Cost(1, 8)}, CPU, live).peak_bytes == 7500, "it is held already"


def test_live_counts_a_computation_once_and_what_is_let_go_no_more() -> None:
    one, other = Record(b"one", {}, 0, 10_000), Record(b"other", {}, 0, 5_000)
    live = Live([one, one, other, None, Record(b"small", {}, 0, 9)])
    for i in range(5):
        live[i] = {}
        live[i] = {}
    assert (live.bytes, live.most) == (15_000, 15_000)
    live.let_go(0)
    live.let_go(0)
    assert live.bytes == 15_000, "the other one holds it"
    live.let_go(1)
    live.let_go(3)
    live.let_go(4)
    assert (live.bytes, live.most, list(live)) == (5_000, 15_000, [2])


def waiting(mark: str, size: int = 1000) -> dict[str, Any]:
    return document(
        f=entry("Fill", size=size, mark=mark), w=entry("Wait", text=("f", "str")), v=entry("Show", value=("w", "int"))
    )


def test_a_run_says_at_its_start_how_long_it_will_take_and_now_and_then_how_much_is_left() -> None:
    lab = Lab(*SPECS)
    lab.run(waiting("x"))
    first = [event for event in lab.events if isinstance(event, Estimate)]
    assert all(event.unknown for event in first), "of the first run only its own steps are known"
    lab.run(waiting("y"))
    kinds = [type(event) for event in lab.events]
    assert kinds[:4] == [Queued, Queued, Queued, Estimate], "before anything starts"
    estimates = [event for event in lab.events if isinstance(event, Estimate)]
    assert len(estimates) >= 2
    for event in estimates:
        assert event.unknown == 0
        assert 0 < event.left_ms <= event.ms
        assert event.peak_bytes >= 1000
    assert estimates[0].ms == estimates[0].left_ms
    assert estimates[-1].left_ms < estimates[0].left_ms
    assert set(estimates[0].to_json()) == {"type", "ms", "left_ms", "peak_bytes", "unknown"}


def test_what_ran_once_in_a_run_is_known_of_its_kind_for_the_rest_of_it() -> None:
    """As in a sweep, whose first cell tells of the others."""
    lab = Lab(*SPECS, limits={"cpu": 1})
    nodes: dict[str, Any] = {"f": entry("Fill", size=10)}
    for steps in (3, 4, 5):
        nodes[f"w{steps}"] = entry("Wait", text=("f", "str"), steps=steps)
        nodes[f"v{steps}"] = entry("Show", value=(f"w{steps}", "int"))
    lab.run(document(**nodes))
    known = [event for event in lab.events if isinstance(event, Estimate) and event.unknown == 0]
    assert known, "once one of each kind has run"
    assert known[0].left_ms > 500, "the two others wait 4 and 5 times 120 ms"


def test_what_is_cached_says_nothing_of_time() -> None:
    lab = Lab(*SPECS)
    quick = document(
        f=entry("Fill", size=10), n=entry("Length", text=("f", "str")), v=entry("Show", value=("n", "int"))
    )
    lab.run(quick)
    lab.run(quick)
    assert not [event for event in lab.events if isinstance(event, Estimate)]


def test_many_nodes_are_estimated_only_when_they_take_long() -> None:
    lab = Lab()
    nodes = {str(i): entry("Add", a=(str(i - 1), "int"), b=1) if i else entry("Number", value=3) for i in range(200)}
    lab.run(document(**nodes, v=entry("Show", value=("199", "int"))))
    lab.run(document(**nodes | {"0": entry("Number", value=4)}, v=entry("Show", value=("199", "int"))))
    first = lab.events.index(next(event for event in lab.events if isinstance(event, Started)))
    assert not [event for event in lab.events[:first] if isinstance(event, Estimate)]


class Meter:
    """A device whose nodes use a thousand bytes more than they keep."""

    def start(self) -> int:
        return 50

    def most(self) -> int:
        return 50 + 1000


def test_what_a_node_needs_on_its_device_is_recorded_and_foretold() -> None:
    lab = Lab(*SPECS)
    lab.cache = Cache([Memory(1 << 20)], PlainTraits(), gauge=Meter())
    quick = document(
        f=entry("Fill", size=10), n=entry("Length", text=("f", "str")), v=entry("Show", value=("n", "int"))
    )
    lab.run(quick)
    nodes = document(**quick["nodes"] | {"f": entry("Fill", size=11)})
    explained = lab.explanation(nodes)
    assert explained.nodes["f"].to_json()["beside_bytes"] == 1000
    assert "beside_bytes" not in explained.nodes["n"].to_json(), "it uses no device"
    assert 1000 <= explained.whole.peak_bytes < 1300
    assert explained.to_json().keys() == {"nodes", "ms", "peak_bytes", "unknown"}
