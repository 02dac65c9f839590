"""Processes that share a cache on disk: what two ask for at once is computed once, what one learns the other knows."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.graph.lab import Lab, document, entry
from tests.graph.neighbour import LIMIT_S, opened, specs

ROOT = Path(__file__).resolve().parents[2]
HELD = document(hold=entry("Hold", value=4), out=entry("Show", value=("hold", "int")))
OTHER = document(x=entry("Hold", value=4), y=entry("Add", a=("x", "int"), b=1), z=entry("Show", value=("y", "int")))


class Neighbours:
    """Processes on the cache of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[str]] = []

    def start(self, name: str, nodes: dict[str, Any], edition: str = "e") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.graph.neighbour", str(self.folder), name, json.dumps(nodes), edition]
        self.running.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return self.running[-1]

    def log(self) -> list[str]:
        """Who has begun to compute, in order."""
        path = self.folder / "log"
        return path.read_text().split() if path.exists() else []

    def until_refused(self) -> None:
        """Until a claim is refused to one that asks for it."""
        path = self.folder / "cache" / "claims"
        before = path.stat().st_mtime_ns
        until(lambda: path.stat().st_mtime_ns > before)

    def leave(self) -> None:
        (self.folder / "leave").touch()


def until(met: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT_S
    while not met():
        assert time.monotonic() < limit, "it does not come to that"
        time.sleep(0.005)


def told(process: subprocess.Popen[str]) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """What was told of each node, and what came out."""
    text, _ = process.communicate(timeout=LIMIT_S)
    *events, outcome = map(json.loads, text.splitlines())
    by_node: dict[str, list[Any]] = {}
    for event in events:
        by_node.setdefault(event.get("node", ""), []).append(event)
    return by_node, outcome


@pytest.fixture
def neighbours(tmp_path: Path) -> Iterator[Neighbours]:
    found = Neighbours(tmp_path)
    yield found
    for process in found.running:
        process.kill()
        process.communicate()


def two_at_once(neighbours: Neighbours, first: dict[str, Any], second: dict[str, Any]) -> list[subprocess.Popen[str]]:
    """The first computes, and the second waits for it."""
    processes = [neighbours.start("first", first)]
    until(lambda: neighbours.log() == ["first"])
    processes.append(neighbours.start("second", second))
    neighbours.until_refused()
    return processes


def test_what_two_processes_ask_for_at_once_is_computed_once(neighbours: Neighbours) -> None:
    first, second = two_at_once(neighbours, HELD, OTHER)
    neighbours.leave()
    assert told(first)[1]["outputs"] == {"out": {"int": 5}}
    events, outcome = told(second)
    assert outcome["outputs"] == {"z": {"int": 6}}
    assert neighbours.log() == ["first"]
    assert [event["type"] for event in events["x"]] == ["queued", "cached"]
    assert events["x"][1]["reason"] == "computed by another job at the same time"


def test_many_processes_at_once_run_every_node_once(neighbours: Neighbours) -> None:
    """Branches of quick and slower nodes, in another order for each."""

    def chains(order: list[int]) -> dict[str, Any]:
        nodes: dict[str, Any] = {}
        for branch in order:
            for i in range(12):
                value: Any = (f"{branch} {i - 1}", "int") if i else 1000 * branch
                nodes[f"{branch} {i}"] = entry("Count", value=value)
            nodes[f"end {branch}"] = entry("Show", value=(f"{branch} 11", "int"))
        return document(**nodes)

    orders = ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1])
    running = [neighbours.start(str(place), chains(order)) for place, order in enumerate(orders)]
    for each in running:
        assert told(each)[1]["state"] == "done"
    assert sorted(neighbours.log()) == sorted(f"{1000 * branch + i}+1" for branch in range(4) for i in range(12))


def test_a_loop_that_many_ask_for_at_once_runs_once(neighbours: Neighbours) -> None:
    """Also where one asks for fewer rounds than another."""
    body = {
        "inputs": [{"name": "value", "node": "a", "input": "value"}],
        "outputs": [{"name": "value", "node": "a", "output": "int"}],
        "nodes": {"a": entry("Count")},
    }

    def loop(count: int) -> dict[str, Any]:
        rounds = entry("For", value=0, count=count, body={"component": "more"})
        nodes = document(
            loop=rounds, out=entry("Echo", value=("loop", "value")), end=entry("Show", value=("out", "any"))
        )
        return {**nodes, "components": {"more": body}}

    alike = [neighbours.start(str(place), loop(20)) for place in range(3)]
    assert [told(each)[1]["outputs"] for each in alike] == [{"end": {"int": 20}}] * 3
    assert told(neighbours.start("fewer", loop(12)))[1]["outputs"] == {"end": {"int": 12}}
    assert neighbours.log() == [f"{i}+1" for i in range(20)]


def test_when_who_computes_is_killed_the_one_who_waits_computes(neighbours: Neighbours) -> None:
    first, second = two_at_once(neighbours, HELD, OTHER)
    first.kill()
    until(lambda: neighbours.log() == ["first", "second"])
    neighbours.leave()
    assert told(second)[1]["outputs"] == {"z": {"int": 6}}


def test_a_failure_is_not_shared(neighbours: Neighbours) -> None:
    nodes = document(f=entry("FailFirst", value=1), out=entry("Show", value=("f", "int")))
    first, second = two_at_once(neighbours, nodes, nodes)
    neighbours.leave()
    assert told(first)[1]["state"] == "failed"
    assert told(second)[1]["outputs"] == {"out": {"int": 2}}
    assert neighbours.log() == ["first", "second"]


def test_what_cannot_be_stored_is_waited_for_until_that_is_known(neighbours: Neighbours) -> None:
    def alive(more: int) -> dict[str, Any]:
        call = entry("Call", made=("made", "object"), more=more)
        return document(made=entry("HoldAlive", value=3), call=call, out=entry("Show", value=("call", "int")))

    processes = two_at_once(neighbours, alive(1), alive(1))
    neighbours.leave()
    assert [told(each)[1]["outputs"] for each in processes] == [{"out": {"int": 4}}] * 2
    (neighbours.folder / "leave").unlink()
    (neighbours.folder / "log").unlink()
    for name in ("third", "fourth"):
        neighbours.start(name, alive(2))
    until(lambda: sorted(neighbours.log()) == ["fourth", "third"])


def test_what_depends_on_something_else_is_not_waited_for(neighbours: Neighbours) -> None:
    neighbours.start("first", HELD)
    neighbours.start("second", HELD, edition="another")
    until(lambda: sorted(neighbours.log()) == ["first", "second"])


def lab_on(folder: Path) -> Lab:
    lab = Lab()
    lab.cache = opened(folder)
    return lab


def test_what_each_process_last_ran_is_remembered(tmp_path: Path) -> None:
    """Also while another one, which has run something else, goes on and writes again."""
    mine = document(n=entry("Number", value=1), out=entry("Show", value=("n", "int")))
    theirs = document(m=entry("Number", value=5), end=entry("Show", value=("m", "int")))
    first, second = lab_on(tmp_path), lab_on(tmp_path)
    first.run(mine)
    flushed(first)
    second.run(theirs)
    flushed(second)
    first.run(document(n=entry("Number", value=2), out=entry("Show", value=("n", "int"))))
    flushed(first)
    for lab in (first, second, lab_on(tmp_path)):
        lab.cache.catch_up()
        changed = document(
            **document(n=entry("Number", value=3), out=entry("Show", value=("n", "int")))["nodes"],
            **document(m=entry("Number", value=6), end=entry("Show", value=("m", "int")))["nodes"],
        )
        told = {id: decision.reason for id, decision in lab.explain(changed).items()}
        assert told["n"] == "input value changed 2 -> 3"
        assert told["m"] == "input value changed 5 -> 6"
        lab.cache.close()


def test_who_ends_last_keeps_what_others_have_written_meanwhile(neighbours: Neighbours) -> None:
    first = neighbours.start("first", HELD)
    until(lambda: neighbours.log() == ["first"])
    theirs = document(m=entry("Maybe", value=5), end=entry("Show", value=("m", "int")))
    assert told(neighbours.start("second", theirs))[1]["state"] == "done"
    neighbours.leave()
    assert told(first)[1]["state"] == "done"
    lab = Lab(*specs(neighbours.folder, "third"))
    lab.cache = opened(neighbours.folder)
    changed = document(
        hold=entry("Hold", value=9),
        out=entry("Show", value=("hold", "int")),
        m=entry("Maybe", value=6),
        end=entry("Show", value=("m", "int")),
    )
    decisions = lab.explain(changed)
    lab.cache.close()
    assert decisions["hold"].reason == "input value changed 4 -> 9"
    assert decisions["m"].reason == "input value changed 5 -> 6"
    assert None not in (decisions["hold"].cost, decisions["m"].cost)


def test_what_each_process_has_learned_of_costs_is_kept(tmp_path: Path) -> None:
    first, second = lab_on(tmp_path), lab_on(tmp_path)
    for lab, type in ((first, "Number"), (second, "Maybe")):
        lab.run(document(n=entry(type, value=1), out=entry("Show", value=("n", "int"))))
        flushed(lab)
    first.cache.close()
    second.cache.close()
    with closing(lab_on(tmp_path).cache) as cache:
        lab = Lab()
        lab.cache = cache
        for type in ("Number", "Maybe"):
            assert (
                lab.explain(document(n=entry(type, value=2), out=entry("Show", value=("n", "int"))))["n"].cost
                is not None
            )


def flushed(lab: Lab) -> None:
    assert lab.cache._disk is not None
    lab.cache._disk.flush()
