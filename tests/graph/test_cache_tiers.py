"""Whatever the tiers keep, lose or write, runs give the same values; a value computed once is computed once."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest

from graph.cache import Cache, Memory
from graph.events import Event, Started
from graph.executor import run
from graph.ledger import Account
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from graph.values import PlainTraits
from tests.graph.lab import Lab, document, entry, spec


def long(value: int) -> str:
    return f"{value} " * 3000


def tally(text: str, more: int) -> int:
    return len(text) + more * 7


SPECS = (spec("Long", long), spec("Tally", tally))


def workflow(rng: random.Random) -> dict[str, Any]:
    """Numbers, sums, long texts of them and tallies of those, up to 16 nodes; constants from a small range."""
    nodes: dict[str, Any] = {"0": entry("Number", value=rng.randrange(4))}
    numbers, texts = ["0"], list[str]()
    for i in range(1, rng.randrange(4, 16)):
        id, kind = str(i), rng.randrange(4)
        if kind == 0:
            nodes[id] = entry("Number", value=rng.randrange(4))
        elif kind == 1:
            nodes[id] = entry("Add", a=(rng.choice(numbers), "int"), b=(rng.choice(numbers), "int"))
        elif kind == 2 or not texts:
            nodes[id] = entry("Long", value=(rng.choice(numbers), "int"))
            texts.append(id)
            continue
        else:
            nodes[id] = entry("Tally", text=(rng.choice(texts), "str"), more=rng.randrange(3))
        numbers.append(id)
    return document(**nodes, out=entry("Show", value=(numbers[-1], "int")))


@pytest.mark.parametrize("seed", range(6))
def test_eviction_spilling_and_restarts_never_change_a_result(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    lab, disk = Lab(*SPECS), None
    for _ in range(40):
        if disk is None or rng.random() < 0.2:
            if disk is not None:
                disk.close()
            disk = Disk(tmp_path, Account(rng.choice((3_000, 40_000, 1 << 20))), PlainStorage(), "e")
            memory = Memory(rng.choice((0, 1_500, 30_000, 1 << 20)))
            lab.cache = Cache([memory], PlainTraits(), disk=disk)
        if rng.random() < 0.3:
            disk.flush()
        if rng.random() < 0.1:
            lab.cache.clear(rng.choice(("host", "disk")))
        graph = workflow(rng)
        assert lab.run(graph).outputs == Lab(*SPECS).run(graph).outputs
        assert memory.account.used <= memory.account.budget
        assert disk.failures == disk.damaged == 0
    assert disk is not None
    disk.close()


def test_after_a_restart_an_unchanged_workflow_runs_nothing(tmp_path: Path) -> None:
    graph = workflow(random.Random(1))
    for turn in range(3):
        disk = Disk(tmp_path, Account(1 << 20), PlainStorage(), "e")
        lab = Lab(*SPECS)
        lab.cache = Cache([Memory(1 << 20)], PlainTraits(), disk=disk)
        assert bool(lab.ran(graph)) == (turn == 0)
        disk.close()


def test_early_cutoff_survives_a_restart(tmp_path: Path) -> None:
    def chain(value: int) -> dict[str, Any]:
        return document(
            n=entry("Number", value=value), parity=entry("Parity", value=("n", "int")),
            text=entry("Long", value=("parity", "int")), out=entry("Length", text=("text", "str")),
        )  # fmt: skip

    ran: list[list[str]] = []
    for value in (3, 5):
        disk = Disk(tmp_path, Account(1 << 20), PlainStorage(), "e")
        lab = Lab(*SPECS)
        lab.cache = Cache([Memory(1 << 20)], PlainTraits(), disk=disk)
        ran.append(lab.ran(chain(value), ["out"]))
        disk.close()
    assert ran == [["n", "parity", "text", "out"], ["n", "parity"]]


def test_32_threads_that_ask_for_one_graph_run_it_once(tmp_path: Path) -> None:
    disk = Disk(tmp_path, Account(1 << 20), PlainStorage(), "e")
    lab = Lab(*SPECS)
    lab.cache = Cache([Memory(1 << 20)], PlainTraits(), disk=disk)
    graph = lab.graph(workflow(random.Random(2)))
    barrier, lock = threading.Barrier(32), threading.Lock()
    started: list[str] = []
    results: list[object] = []

    def note(event: Event) -> None:
        if isinstance(event, Started):
            with lock:
                started.append(event.node)

    def ask() -> None:
        barrier.wait()
        results.append(run(graph, None, lab.cache, note, files=lab.files).outputs)

    threads = [threading.Thread(target=ask) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    disk.close()
    assert results == [results[0]] * 32
    assert len(started) == len(set(started))
