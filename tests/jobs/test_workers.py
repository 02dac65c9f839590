"""Several workers: jobs run at once, each where most of what it needs is, and one that dies costs only its own job."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.jobs.conftest import Bench, document
from tests.jobs.test_service import SUM


def meeting(data: Path, mine: str, other: str) -> dict[str, Any]:
    inputs = {"value": "@1", "mine": str(data / mine), "other": str(data / other)}
    return {"1": ("Number", {}), "2": ("Meet", inputs), "3": ("Show", {"value": "@2"})}


def slow(value: int, more: int = 0) -> dict[str, Any]:
    """Some time of work that the value stands for, and a sum after it."""
    steps = ("Steps", {"value": "@1", "count": 5, "seconds": 0.01})
    return {
        "1": ("Number", {"value": value}),
        "2": steps,
        "3": ("Add", {"left": "@2", "right": more}),
        "4": ("Show", {"value": "@3"}),
    }


def worker_of(bench: Bench, job: str) -> str:
    with sqlite3.connect(bench.data / "jobs.db") as database:
        (name,) = database.execute("SELECT worker FROM attempts WHERE job = ? ORDER BY number DESC", (job,)).fetchone()
    database.close()
    return name


async def until_ready(bench: Bench, count: int) -> None:
    watched = bench.jobs.watch()
    async for text in watched:
        for event in json.loads(text):
            if event["type"] == "worker" and [each["state"] for each in event["workers"]].count("ready") == count:
                await watched.aclose()
                return


def test_jobs_run_at_once(bench) -> None:
    async def scenario(bench: Bench) -> None:
        first = await bench.jobs.submit(document(meeting(bench.data, "a", "b")))
        second = await bench.jobs.submit(document(meeting(bench.data, "b", "a")))
        await asyncio.gather(bench.events(first), bench.events(second))
        assert {(await bench.jobs.get(id)).state for id in (first, second)} == {"done"}
        assert worker_of(bench, first) != worker_of(bench, second)

    bench(scenario, workers=2)


def test_a_job_goes_where_most_of_what_it_needs_is(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await until_ready(bench, 2)
        homes = {value: worker_of(bench, await bench.run(slow(value))) for value in (1, 2)}
        assert homes[1] != homes[2]
        for more in (1, 2, 3):
            for value in (1, 2, 1):
                assert worker_of(bench, await bench.run(slow(value, more))) == homes[value]

    bench(scenario, workers=2)


def held(data: Path, value: int) -> dict[str, Any]:
    """Something to compute that waits for the file "leave", and a sum of it that is another for each value."""
    inputs = {"value": 3, "log": str(data / "log"), "until": str(data / "leave")}
    return {"1": ("Hold", inputs), "2": ("Add", {"left": "@1", "right": value}), "3": ("Show", {"value": "@2"})}


async def until(met: Callable[[], bool]) -> None:
    while not met():  # noqa: ASYNC110 - files tell nobody
        await asyncio.sleep(0.01)


def begun(data: Path) -> list[str]:
    """The processes that have begun to compute."""
    return (data / "log").read_text().splitlines() if (data / "log").exists() else []


def test_what_jobs_on_two_workers_ask_for_at_once_is_computed_once(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await until_ready(bench, 2)
        claims = bench.data / "cache" / "claims"
        before = claims.stat().st_mtime_ns
        jobs = [await bench.jobs.submit(document(held(bench.data, value))) for value in (1, 1, 2)]
        await until(lambda: claims.stat().st_mtime_ns > before)
        (bench.data / "leave").touch()
        for id in jobs:
            await bench.events(id)
            assert (await bench.jobs.get(id)).state == "done"
        assert worker_of(bench, jobs[0]) != worker_of(bench, jobs[1])
        assert len(begun(bench.data)) == 1
        ran = [[id for id, node in (await bench.nodes(job)).items() if node["state"] == "ran"] for job in jobs]
        assert sorted(ran) == [[], ["1", "2", "3"], ["2", "3"]]

    bench(scenario, workers=2)


def test_who_waits_for_a_worker_that_is_killed_computes_itself(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await until_ready(bench, 2)
        jobs = [await bench.jobs.submit(document(held(bench.data, value))) for value in (1, 2)]
        await until(lambda: len(begun(bench.data)) == 1)
        os.kill(int(begun(bench.data)[0]), signal.SIGKILL)
        await until(lambda: len(begun(bench.data)) == 2)
        (bench.data / "leave").touch()
        for id in jobs:
            await bench.events(id)
        assert [(await bench.jobs.get(id)).state for id in jobs] == ["done", "done"]

    bench(scenario, workers=2)


def test_a_worker_that_dies_costs_only_its_own_job(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await until_ready(bench, 2)
        jobs = [await bench.jobs.submit(document(meeting(bench.data, name, "never"))) for name in ("a", "b")]
        for id in jobs:
            await bench.until(id, "started")
        doomed = int(worker_of(bench, jobs[0]).removeprefix("pid "))
        os.kill(doomed, signal.SIGKILL)
        assert (await bench.events(jobs[0]))[-1]["state"] == "failed"
        assert (await bench.jobs.get(jobs[1])).state == "running"
        assert (await bench.jobs.get(await bench.run(SUM))).state == "done"
        (bench.data / "never").touch()
        assert (await bench.events(jobs[1]))[-1]["state"] == "done"

    bench(scenario, attempts=1, workers=2)


def test_a_lost_job_is_given_to_a_worker_that_is_free_at_once(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await until_ready(bench, 2)
        marker = bench.data / "died"
        chain = {"1": ("Number", {}), "2": ("EndOnce", {"value": "@1", "marker": str(marker)})}
        id = await bench.run({**chain, "3": ("Show", {"value": "@2"})})
        job = await bench.jobs.get(id)
        assert (job.state, job.attempt) == ("done", 2)

    bench(scenario, workers=2)


def test_what_was_held_up_by_a_pause_starts_in_order_on_all_workers(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await until_ready(bench, 2)
        await bench.jobs.pause()
        low = [await bench.jobs.submit(document(slow(n)), priority=0) for n in range(3)]
        high = [await bench.jobs.submit(document(slow(n)), priority=5) for n in range(10, 12)]
        assert (await bench.jobs.queue()).running == []
        await bench.jobs.resume()
        for id in (*low, *high):
            await bench.events(id)
        jobs = [await bench.jobs.get(id) for id in (*high, *low)]
        started = [job.started or 0 for job in jobs]
        assert {job.state for job in jobs} == {"done"}
        assert max(started[:2]) <= min(started[2:])
        assert worker_of(bench, high[0]) != worker_of(bench, high[1])

    bench(scenario, workers=2)


def test_each_of_many_jobs_runs_once(bench) -> None:
    async def scenario(bench: Bench) -> None:
        ids = await asyncio.gather(
            *(
                bench.jobs.submit(document({"1": ("Number", {"value": n}), "2": ("Save", {"value": "@1"})}))
                for n in range(60)
            )
        )
        for id in ids:
            events = await bench.events(id)
            assert [event["state"] for event in events if event["type"] == "state"] == ["queued", "running", "done"]
        assert len(list((bench.data / "output").glob("*"))) == 60
        assert len({worker_of(bench, id) for id in ids}) == 3

    bench(scenario, workers=3)


def test_all_workers_tell_of_their_caches(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await until_ready(bench, 2)
        for value in (1, 2):
            await bench.run(slow(value))
        host = (await bench.jobs.cache())["host"]
        assert (host["budget"], host["results"]) == (2 << 24, 8)
        assert (await bench.jobs.cache(["host"]))["host"]["results"] == 0

    bench(scenario, workers=2)
