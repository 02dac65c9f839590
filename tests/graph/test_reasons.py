"""Why each node would run: what explain says before, and what the run says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graph.cache import Cache, Memory
from graph.events import Queued, Started
from graph.explain import Decision, explain
from graph.graph import build
from graph.ledger import Account
from graph.registry import Registry
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from graph.values import PlainTraits
from graph.workflow import load
from tests.graph.lab import Folder, Lab, document, entry, spec

SAME = Decision("cached", "same inputs as an earlier run")


def picture(value: int = 7, b: Any = 1, **more: Any) -> dict[str, Any]:
    return document(
        **{
            "n": entry("Number", value=value),
            "p": entry("Parity", value=("n", "int")),
            "s": entry("Add", a=("p", "int"), b=b),
            "out": entry("Show", value=("s", "int")),
            **more,
        }
    )


def test_before_the_first_run() -> None:
    assert set(Lab().explain(picture()).values()) == {Decision("run", "never run")}


def test_after_a_run_nothing_would_run() -> None:
    lab = Lab()
    lab.run(picture())
    assert set(lab.explain(picture()).values()) == {SAME}
    assert set(lab.explain(picture(n=entry("Number", value=7) | {"title": "Seven"})).values()) == {SAME}


def test_a_changed_constant_names_both_values() -> None:
    lab = Lab()
    lab.run(picture())
    assert lab.explain(picture(value=6)) == {
        "n": Decision("run", "input value changed 7 -> 6"),
        "p": Decision("run", "input value changed (from n Number)"),
        "s": Decision("run", "input a changed (from p Parity)"),
        "out": Decision("run", "input value changed (from s Add)"),
    }


def test_explaining_runs_and_stores_nothing() -> None:
    lab = Lab()
    lab.run(picture())
    lab.explain(picture(value=6))
    assert lab.ran(picture(value=6)) == ["n", "p", "s", "out"]


def test_the_run_knows_better_once_values_arrive() -> None:
    lab = Lab()
    lab.run(picture())
    lab.run(picture(value=9, b=2))
    assert lab.reasons(Queued)["s"] == "input a changed (from p Parity), input b changed 1 -> 2"
    assert lab.reasons(Started)["s"] == "input b changed 1 -> 2"


def test_a_result_of_an_edit_ago_is_cached_and_the_next_change_is_told_from_it() -> None:
    lab = Lab()
    for value in (7, 6, 7):
        lab.run(picture(value=value))
    assert lab.explain(picture(value=5))["n"].reason == "input value changed 7 -> 5"


def test_links_and_constants_that_take_each_others_place() -> None:
    lab = Lab()
    lab.run(picture(b=3))
    linked = picture(b=("m", "int"), m=entry("Number", value=4))
    assert lab.explain(linked)["s"].reason == "input b changed 3 -> a link from m Number"
    lab.run(linked)
    assert lab.explain(picture(b=5))["s"].reason == "input b changed a link -> 5"


def test_a_link_to_another_node_or_output() -> None:
    lab = Lab()
    halves = {"h": entry("Split", value=("n", "int"))}
    lab.run(picture(b=("h", "half"), **halves))
    assert lab.explain(picture(b=("h", "rest"), **halves))["s"].reason == "input b changed (from h Split)"


def test_many_changes_are_told_in_short() -> None:
    names = "abcde"

    def wide(a: int, b: int, c: int, d: int, e: int) -> int:
        return a

    lab = Lab(spec("Wide", wide, sink=True))
    lab.run(document(w=entry("Wide", **dict.fromkeys(names, 1))))
    reason = lab.explain(document(w=entry("Wide", **dict.fromkeys(names, 2))))["w"].reason
    assert reason == "input a changed 1 -> 2, input b changed 1 -> 2, input c changed 1 -> 2, and 2 more"


def test_a_changed_version_is_told() -> None:
    lab = Lab()
    lab.run(picture())
    changed = Registry(replace(spec, version="2") if spec.id == "Add" else spec for spec in lab.registry.values())
    found = explain(build(load(picture()), changed, lab.files), None, lab.cache, lab.files).nodes
    assert found["s"] == Decision("run", "version changed 1 -> 2")


def test_another_node_under_the_same_id_never_ran() -> None:
    lab = Lab()
    lab.run(picture())
    assert lab.explain(picture(s=entry("Parity", value=("p", "int"))))["s"].reason == "never run"


def test_what_was_evicted_says_so() -> None:
    lab = Lab(budget=0)
    lab.run(picture())
    assert set(lab.explain(picture()).values()) == {Decision("run", "evicted")}
    assert set(lab.reasons(Started).values()) == {"never run"}
    lab.run(picture())
    assert set(lab.reasons(Started).values()) == {"evicted"}


def test_a_cached_value_known_by_what_it_reads() -> None:
    lab = Lab()
    lab.run(picture())
    lab.run(
        document(n=entry("Number", value=9), p=entry("Parity", value=("n", "int")), o=entry("Show", value=("p", "int")))
    )
    assert lab.explain(picture(value=9)) == {
        "n": SAME,
        "p": SAME,
        "s": Decision("cached", "same input values as an earlier run"),
        "out": Decision("cached", "same input values as an earlier run"),
    }
    assert lab.explain(picture())["n"].to_json() == {"state": "cached", "reason": "same inputs as an earlier run"}


FILED = document(l=entry("Load", file="a"), n=entry("Length", text=("l", "str")), v=entry("Show", value=("n", "int")))
EDITS: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("constant", picture(), picture(value=6), "n", "input value changed 7 -> 6"),
    ("reader", picture(), picture(value=6), "s", "input a changed (from p Parity)"),
    ("text", FILED, document(**FILED["nodes"] | {"l": entry("Load", file="b")}), "l", 'input file changed "a" -> "b"'),
    ("same", picture(), picture(), "n", "evicted"),
    ("type", picture(), picture(s=entry("Parity", value=("p", "int"))), "s", "never run"),
    ("new", picture(), picture(x=entry("Show", value=("n", "int"))), "x", "never run"),
]


@pytest.mark.parametrize(("before", "after", "node", "reason"), [each[1:] for each in EDITS], ids=[e[0] for e in EDITS])
def test_after_a_restart_reasons_are_those_that_there_would_be_without(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], node: str, reason: str
) -> None:
    (tmp_path / "files").mkdir()
    for name in "ab":
        (tmp_path / "files" / name).write_text(name)
    for restarts in (0, 1, 3):
        lab = on_disk(tmp_path / str(restarts), tmp_path / "files")
        lab.run(before)
        for _ in range(restarts):
            lab.cache.close()
            lab = on_disk(tmp_path / str(restarts), tmp_path / "files")
            lab.run(document(other=entry("Show", value=restarts)))
        for tier in ("host", "disk"):
            if reason == "evicted":
                lab.cache.clear(tier)
        assert lab.explain(after)[node].reason == reason, restarts
        lab.run(after)
        assert lab.reasons(Queued)[node] == reason, restarts
        lab.cache.close()


def test_a_changed_file_and_parent_are_told_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").write_text("old")
    lab = on_disk(tmp_path / "cache", tmp_path / "files")
    lab.run(FILED)
    lab.cache.close()
    (tmp_path / "files" / "a").write_text("newer")
    lab = on_disk(tmp_path / "cache", tmp_path / "files")
    lab.run(FILED)
    assert lab.reasons(Started) == {
        "l": "file changed: a",
        "n": "input text changed (from l Load)",
        "v": "input value changed (from n Length)",
    }
    lab.cache.close()


def test_no_more_is_written_than_is_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph.past.MOST_WRITTEN", 4)
    lab = on_disk(tmp_path, tmp_path)
    lab.run(picture())
    lab.run(document(**{f"other {i}": entry("Show", value=i) for i in range(3)}))
    lab.cache.close()
    disk = Disk(tmp_path, Account(1 << 20), PlainStorage(), "e")
    stored = json.loads(disk.fact("history") or b"")
    disk.close()
    assert len(stored) == 4
    assert {"other 0", "other 1", "other 2"} <= stored.keys()


def on_disk(folder: Path, files: Path) -> Lab:
    lab = Lab(files=Folder(files))
    disk = Disk(folder, Account(1 << 20), PlainStorage(), "e")
    lab.cache = Cache([Memory(1 << 20)], PlainTraits(), disk=disk)
    return lab
