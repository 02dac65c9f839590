"""A worker that dies, hangs or speaks nonsense costs the job it was on, says why, and is replaced."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from jobs import slot
from jobs.job import WorkerUnavailable
from tests.jobs.conftest import Bench, document, running
from tests.jobs.test_service import SUM


def ending(how: str) -> dict:
    return {"1": ("Number", {"value": 4}), "2": ("End", {"value": "@1", "how": how}), "3": ("Show", {"value": "@2"})}


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("exit", "ended with exit code 7"),
        ("fork", "ended with exit code 3"),
        ("segfault", "killed by SIGSEGV"),
        ("kill", "killed by SIGKILL"),
        ("close", "closed its pipe|exit code 1"),
        ("garbage", "broken message"),
    ],
)
def test_only_the_running_job_fails_and_the_cause_is_named(bench, how: str, cause: str) -> None:
    async def scenario(bench: Bench) -> None:
        victim = await bench.jobs.submit(document(ending(how)))
        following = await bench.jobs.submit(document(SUM))
        events = await bench.events(victim)
        job = await bench.jobs.get(victim)
        assert job.state == "failed"
        assert job.error is not None
        assert re.search(cause, str(job.error["message"]))
        assert "node 2" in str(job.error["message"])
        assert (job.error["code"], job.error["node"]) == ("worker_lost", "2")
        assert [event["type"] for event in events[-2:]] == ["failed", "state"]
        nodes = await bench.nodes(victim)
        assert nodes["2"]["state"] == "failed"
        await bench.events(following)
        assert (await bench.jobs.get(following)).state == "done"

    bench(scenario, attempts=1)


def test_a_job_whose_worker_died_runs_once_more_on_what_was_made(bench) -> None:
    async def scenario(bench: Bench) -> None:
        marker = bench.data / "died"
        chain = {"1": ("Number", {"value": 4}), "2": ("EndOnce", {"value": "@1", "marker": str(marker)})}
        id = await bench.run({**chain, "3": ("Show", {"value": "@2"})})
        job = await bench.jobs.get(id)
        assert (job.state, job.attempt, job.error) == ("done", 2, None)
        told = [event for event in await bench.events(id) if event["type"] == "state"]
        assert [event["state"] for event in told] == ["queued", "running", "queued", "running", "done"]
        assert "exit code 9" in told[2]["reason"]

    bench(scenario)


def test_a_job_that_kills_every_worker_is_given_up_with_the_cause(bench) -> None:
    async def scenario(bench: Bench) -> None:
        id = await bench.run(ending("exit"))
        job = await bench.jobs.get(id)
        assert (job.state, job.attempt) == ("failed", 2)
        assert job.error is not None
        assert job.error["message"] == "the worker ended with exit code 7 while running node 2"
        assert [event["type"] for event in await bench.events(id)].count("failed") == 1
        assert (await bench.jobs.get(await bench.run(SUM))).state == "done"

    bench(scenario)


def test_a_worker_killed_from_outside_is_replaced(bench) -> None:
    async def scenario(bench: Bench) -> None:
        long = {"1": ("Number", {}), "2": ("Steps", {"value": "@1", "count": 3000}), "3": ("Show", {"value": "@2"})}
        id = await bench.jobs.submit(document(long))
        await bench.until(id, "progress")
        pid = worker_pid(bench)
        os.kill(pid, signal.SIGKILL)
        await bench.events(id)
        job = await bench.jobs.get(id)
        assert job.error is not None
        assert job.error["message"] == "the worker was killed by SIGKILL while running node 2"
        assert (await bench.jobs.get(await bench.run(SUM))).state == "done"
        assert worker_pid(bench) != pid

    bench(scenario, attempts=1)


def test_an_idle_worker_that_dies_costs_no_job(bench) -> None:
    async def scenario(bench: Bench) -> None:
        await bench.run(SUM)
        os.kill(worker_pid(bench), signal.SIGKILL)
        assert (await bench.jobs.get(await bench.run(SUM))).state == "done"

    bench(scenario)


def test_a_node_that_holds_the_interpreter_is_cancelled_by_force(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "CANCEL_GRACE_S", 0.2)

    async def scenario(bench: Bench) -> None:
        id = await bench.jobs.submit(document(ending("spin")))
        await asyncio.sleep(0.5)
        assert await bench.jobs.cancel(id) == "running"
        assert (await bench.events(id))[-1]["state"] == "cancelled"
        assert (await bench.jobs.get(await bench.run(SUM))).state == "done"

    bench(scenario)


def test_the_last_lines_of_its_stderr_are_kept(bench) -> None:
    async def scenario(bench: Bench) -> None:
        chain = {"0": ("Number", {}), "1": ("Chat", {"value": "@0"}), "2": ("End", {"value": "@1", "how": "exit"})}
        id = await bench.run({**chain, "3": ("Show", {"value": "@2"})})
        error = (await bench.jobs.get(id)).error
        assert error is not None
        assert "to standard error" in error["stderr"]

    bench(scenario, attempts=1)


def test_a_worker_that_cannot_start_is_said_to_be_unavailable(tmp_path: Path) -> None:
    entry = tmp_path / "broken.py"
    entry.write_text("raise SystemExit('no nodes today')")

    async def scenario() -> None:
        async with running(tmp_path / "data", entry) as bench:
            with pytest.raises(WorkerUnavailable, match=r"exit code 1.*no nodes today"):
                await bench.jobs.submit(document(SUM))

    asyncio.run(scenario())


def worker_pid(bench: Bench) -> int:
    """The process the supervisor of the bench has started last."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    pids = [int(pid) for task in children for pid in task.read_text().split()]
    (pid,) = [pid for pid in pids if b"worker_entry" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return pid


def test_definitions_that_make_no_sense_are_not_taken(tmp_path: Path) -> None:
    entry = tmp_path / "broken.py"
    root = Path(__file__).resolve().parents[2]
    entry.write_text(
        f"import sys, time; sys.path.insert(0, {str(root)!r})\n"
        "from jobs.protocol import Message, encode\n"
        "sys.stdout.buffer.write(encode(Message({'op': 'ready'}, b'{}')))\n"
        "sys.stdout.flush(); time.sleep(60)"
    )

    async def scenario() -> None:
        async with running(tmp_path / "data", entry) as bench:
            with pytest.raises(WorkerUnavailable, match="definitions that make no sense"):
                await bench.jobs.submit(document(SUM))

    asyncio.run(scenario())
