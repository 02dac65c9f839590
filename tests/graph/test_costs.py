"""What a run is expected to cost, from the runs before it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

from graph import Slider
from graph.cache import Cache, Memory
from graph.ledger import Account
from graph.node import node, spec_of
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from graph.values import PlainTraits
from tests.graph.lab import Lab, document, entry


@node("Fill", category="lab")
def fill(size: Annotated[int, Slider(1, 1 << 20)] = 1, mark: str = "x") -> str:
    return mark * size


@node("Work", category="lab")
def work(text: str) -> int:
    time.sleep(len(text) / 200_000)
    return len(text)


SPECS = (spec_of(fill), spec_of(work))


def graph(size: int, mark: str = "x") -> dict[str, Any]:
    return document(fill=entry("Fill", size=size, mark=mark), work=entry("Work", text=("fill", "str")),
                    show=entry("Show", value=("work", "int")))  # fmt: skip


def test_nothing_is_expected_of_what_never_ran() -> None:
    assert [decision.cost for decision in Lab(*SPECS).explain(graph(4096)).values()] == [None, None, None]


def test_a_run_like_an_earlier_one_is_expected_to_cost_the_same() -> None:
    lab = Lab(*SPECS)
    lab.run(graph(4096))
    plan = lab.explain(graph(4096, "y"))
    assert plan["work"].cost is not None
    assert plan["fill"].cost is not None
    assert 20 <= plan["work"].cost.ms < 2000
    assert 4096 <= plan["fill"].cost.bytes < 5000
    assert {"state", "reason", "ms", "bytes"} == set(plan["work"].to_json())
    whole = lab.explanation(graph(4096, "y")).whole
    assert whole.unknown == 0
    assert whole.ms >= plan["work"].cost.ms
    assert {decision.cost for decision in lab.explain(graph(4096)).values()} == {None}, "what is cached costs nothing"


def test_a_larger_run_is_expected_to_cost_more_in_proportion() -> None:
    lab = Lab(*SPECS)
    lab.run(graph(4096))
    small, large = lab.explain(graph(4096, "y"))["work"].cost, lab.explain(graph(4096 * 8, "y"))["work"].cost
    assert small is not None
    assert large is not None
    assert large.ms == small.ms * 8


def test_what_was_learned_outlives_the_process(tmp_path: Path) -> None:
    lab = Lab(*SPECS)
    costs = []
    for _ in range(2):
        disk = Disk(tmp_path, Account(1 << 20), PlainStorage(), "e")
        lab.cache = Cache([Memory(1 << 20)], PlainTraits(), disk=disk)
        lab.run(graph(4096))
        costs.append(lab.explain(graph(4096, "y"))["work"].cost)
        disk.close()
    assert costs[0] == costs[1] is not None
