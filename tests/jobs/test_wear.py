"""What a job does to its worker is put back or has the worker replaced, between jobs, and is said."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from jobs import wear
from jobs.wear import Wear, private_memory
from tests.jobs.conftest import Bench, document
from tests.jobs.test_workers import slow, worker_of

MB = 1 << 20


def leaking(value: int, megabytes: int) -> dict:
    return {
        "1": ("Number", {"value": value}),
        "2": ("Leak", {"value": "@1", "megabytes": megabytes}),
        "3": ("Show", {"value": "@2"}),
    }


def test_a_job_after_one_that_left_disorder_finds_order(bench) -> None:
    async def scenario(bench: Bench) -> None:
        messy = {"1": ("Number", {"value": 5}), "2": ("Mess", {"value": "@1"}), "3": ("Show", {"value": "@2"})}
        first = await bench.run(messy)
        chain = {"1": ("Number", {"value": 6}), "2": ("Chat", {"value": "@1"}), "3": ("Save", {"value": "@2"})}
        second = await bench.run(chain)
        assert [(await bench.jobs.get(id)).state for id in (first, second)] == ["done", "done"]
        assert worker_of(bench, first) == worker_of(bench, second)
        (saved,) = (bench.data / "output").iterdir()
        assert saved.read_text() == "6"
        assert stat.S_IMODE(saved.stat().st_mode) & 0o400
        assert b"to standard output" in bench.echoed
        assert b"to standard error" in bench.echoed

    bench(scenario)


def test_a_worker_that_leaks_is_replaced_between_jobs_and_says_so(bench) -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.run(leaking(1, 10))
        second = await bench.run(leaking(2, 90))
        queued = [await bench.jobs.submit(document(slow(value))) for value in range(3)]
        for id in queued:
            await bench.events(id)
        jobs = [await bench.jobs.get(id) for id in (first, second, *queued)]
        assert [(job.state, job.attempt) for job in jobs] == [("done", 1)] * 5
        homes = [worker_of(bench, job.id) for job in jobs]
        assert homes[0] == homes[1]
        assert homes[1] not in homes[2:]
        assert len(set(homes)) == 2
        assert bench.jobs.workers()[0]["replaced"].startswith("recycled: memory grew by ")

    bench(scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is known on Linux only")
def test_results_and_what_is_given_back_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, kept = [100 * MB], [0]
    monkeypatch.setattr(wear, "private_memory", lambda: memory[0])
    worn = Wear(50 * MB, lambda: kept[0])
    memory[0] += 50 * MB
    assert worn.after_job() is None
    memory[0] += 40 * MB
    kept[0] = 45 * MB
    assert worn.after_job() is None
    kept[0] = 30 * MB
    assert worn.after_job() == "recycled: memory grew by 90 MB since it started, of which 30 MB are results"
    monkeypatch.setattr(wear, "_trim", lambda: memory.__setitem__(0, 110 * MB))
    assert worn.after_job() is None
    assert Wear(0, lambda: 0).after_job() is None


@pytest.mark.skipif(sys.platform != "linux", reason="memory is known on Linux only")
def test_memory_of_one_s_own_is_told_from_that_of_files() -> None:
    before = private_memory()
    block = b"\x01" * (50 * MB)
    assert 40 * MB < private_memory() - before < 60 * MB
    assert len(block) == 50 * MB


def test_closed_descriptors_are_not_to_be_mended(tmp_path: Path) -> None:
    worn = Wear(0, lambda: 0)
    kept = os.dup(1)
    try:
        with (tmp_path / "x").open("w") as file:
            os.dup2(file.fileno(), 1)
            assert worn.after_job() == "a job closed the standard output or error of the worker"
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert worn.after_job() is None
