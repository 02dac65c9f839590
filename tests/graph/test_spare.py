"""A list that can spare items is made of those that could be made, and what it made so is never taken for the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph.events import Failed, Finished, Skipped, Started
from tests.graph.lab import Lab, document, entry, spec


def total(values: list[int | None]) -> str:
    return " ".join("-" if value is None else str(value) for value in values)


class Cells:
    """Three cells, of which those of `broken` fail, and what gathers them; each is shown, and so is the total."""

    def __init__(self, budget: int = 1 << 30) -> None:
        self.broken = set[int]()
        self.told = list[str]()

        def cell(value: int) -> int:
            if value in self.broken:
                raise ValueError("too large")
            return value

        def tell(text: str) -> str:
            self.told.append(text)
            return text

        self.lab = Lab(spec("Cell", cell), spec("Total", total), spec("Tell", tell, sink=True), budget=budget)

    def run(self, gathered: Mapping[str, Any] | None = None) -> str:
        cells = {f"c{i}": entry("Cell", value=i) for i in (1, 2, 3)}
        shown = {f"s{i}": entry("Show", value=(f"c{i}", "int")) for i in (1, 2, 3)}
        links = [{"node": f"c{i}", "output": "int"} for i in (1, 2, 3)]
        sheet = gathered or {"t": entry("Total", values=links), "out": entry("Tell", text=("t", "str"))}
        return self.lab.run(document(**cells, **shown, **sheet)).state


def test_what_spares_an_item_is_made_without_it() -> None:
    cells = Cells()
    cells.broken = {2}
    assert cells.run() == "failed"
    assert cells.told == ["1 - 3"]
    assert cells.lab.of(Failed) == ["c2"]
    assert sorted(cells.lab.of(Finished)) == ["c1", "c3", "out", "s1", "s3", "t"]
    assert cells.lab.of(Started).count("c1") == 1
    assert cells.lab.reasons(Skipped)["s2"] == "c2 Cell failed"


def test_the_whole_is_made_once_nothing_fails() -> None:
    cells = Cells()
    cells.broken = {2}
    cells.run()
    cells.broken = set()
    assert cells.run() == "done"
    assert cells.told == ["1 - 3", "1 2 3"]
    cells.broken = {2}
    assert cells.run() == "done"
    assert cells.told == ["1 - 3", "1 2 3"]


def test_other_gaps_are_other_values() -> None:
    cells = Cells()
    for cells.broken in ({2}, {3}, {1, 3}, {2}):
        cells.lab.memory.clear()
        cells.run()
    assert cells.told == ["1 - 3", "1 2 -", "- 2 -", "1 - 3"]


def test_nothing_is_computed_twice_for_it() -> None:
    cells = Cells(budget=0)
    cells.broken = {2}
    assert cells.run() == "failed"
    assert cells.told == []
    assert [cells.lab.of(Started).count(f"c{i}") for i in (1, 2, 3)] == [1, 1, 1]


def test_where_nothing_is_left_or_all_is_needed_it_is_not_made() -> None:
    cells = Cells()
    cells.broken = {1, 2, 3}
    assert cells.run() == "failed"
    cells.broken = {2}
    both = entry("Add", a=("c1", "int"), b=("c2", "int"))
    assert cells.run({"t": both, "out": entry("Show", value=("t", "int"))}) == "failed"
    assert cells.told == []
