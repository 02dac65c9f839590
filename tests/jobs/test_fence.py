"""A result that comes late, from an attempt that was given up, changes nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from graph.node import collect
from graph.registry import Registry
from jobs.catalogue import Catalogue
from jobs.database import Database
from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.protocol import Message
from jobs.schema import MIGRATIONS
from jobs.service import Jobs
from jobs.staff import Workers
from jobs.supervisor import Listener, Loss
from tests.jobs import nodes
from tests.jobs.conftest import document
from tests.jobs.test_service import SUM


class PlayedWorker:
    """Stands where the supervisor does; the test says what the worker does."""

    worker = "played"

    def __init__(self) -> None:
        self.runs: asyncio.Queue[Message] = asyncio.Queue()
        self.killed: list[str] = []

    def start(self, listener: Listener) -> asyncio.Task[None]:
        self._listener = listener
        return asyncio.create_task(self.live())

    async def live(self, devices: int = 1) -> None:
        catalogue = {"nodes": Registry(collect(nodes)).to_json(), "packs": {}}
        head = {"op": "ready", "device": "played", "devices": devices}
        await self._listener.worker_ready(Message(head, json.dumps(catalogue).encode()))

    async def die(self) -> None:
        await self._listener.worker_lost(Loss("it fell over", ()))

    async def done(self, run: Message, name: str) -> None:
        """Report the end of a run with one output file."""
        file = {"name": name, "media_type": "text/plain", "width": 1, "height": 1, "folder": "output"}
        head: dict[str, Any] = {"op": "done", "job": run.head["job"], "attempt": run.head["attempt"]}
        head |= {"state": "done", "error": None, "outputs": {"3": [file]}, "last": run.head["first"]}
        await self._listener.worker_said(Message(head, b"{}"))

    async def stop(self) -> None:
        await self.die()

    def send(self, message: Message) -> None:
        if message.op == "run":
            self.runs.put_nowait(message)

    def kill(self, cause: str) -> None:
        self.killed.append(cause)

    def last_node(self, job: str) -> str | None:
        return None


def test_a_late_result_of_an_earlier_attempt_changes_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        worker, files = PlayedWorker(), FileStore([], tmp_path, Hashes(tmp_path / "hashes.db"))
        database, catalogue = Database(tmp_path / "jobs.db", MIGRATIONS), Catalogue(tmp_path / "nodes", [], files)
        jobs = Jobs(database, catalogue, Workers(lambda _: worker))  # pyright: ignore
        await jobs.start()
        id = await jobs.submit(document(SUM))
        first = await worker.runs.get()
        await worker.die()
        assert (await jobs.get(id)).state == "queued"
        await worker.done(first, "early.txt")
        await worker.live()
        second = await worker.runs.get()
        assert (first.head["attempt"], second.head["attempt"]) == (1, 2)
        await worker.done(first, "late.txt")
        await worker.done(second, "right.txt")
        assert [text async for text in await jobs.subscribe(id)]
        await worker.done(first, "later.txt")
        job = await jobs.get(id)
        assert (job.state, job.attempt, [file.name for file in job.outputs["3"]]) == ("done", 2, ["right.txt"])
        events = [event for text in [text async for text in jobs.recorded(id)] for event in json.loads(text)]
        assert [event["state"] for event in events] == ["queued", "running", "queued", "running", "done"]
        await jobs.stop()

    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.parametrize(
    "forged",
    [
        {"op": "done", "state": "running", "error": None, "outputs": {}, "last": 9},
        {"op": "done", "state": "done", "error": None, "outputs": {"3": [{"name": 1}]}, "last": 9},
        {"op": "events", "first": 1, "last": 9},
        {"op": "events", "first": 9, "last": 5},
        {"op": "preview", "node": "1", "last": 2},
        {"op": "dance", "last": 9},
        {"op": "done"},
    ],
)
def test_a_message_that_makes_no_sense_costs_its_worker_and_stalls_nobody(tmp_path: Path, forged: dict) -> None:
    async def scenario() -> None:
        worker, files = PlayedWorker(), FileStore([], tmp_path, Hashes(tmp_path / "hashes.db"))
        database, catalogue = Database(tmp_path / "jobs.db", MIGRATIONS), Catalogue(tmp_path / "nodes", [], files)
        jobs = Jobs(database, catalogue, Workers(lambda _: worker))  # pyright: ignore
        await jobs.start()
        id = await jobs.submit(document(SUM))
        run = await worker.runs.get()
        await worker._listener.worker_said(Message({**forged, "job": id, "attempt": run.head["attempt"]}, b"[]"))
        await worker.die()
        (cause,) = worker.killed
        assert "makes no sense" in cause
        await worker.live()
        await worker.done(await worker.runs.get(), "right.txt")
        assert [text async for text in await jobs.subscribe(id)]
        assert (await jobs.get(id)).state == "done"
        await jobs.stop()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_job_that_was_cancelled_does_not_come_back_when_its_worker_dies(tmp_path: Path) -> None:
    """Whichever comes first, and also when the loss is being recorded while the cancellation is."""

    async def scenario() -> None:
        worker, files = PlayedWorker(), FileStore([], tmp_path, Hashes(tmp_path / "hashes.db"))
        database, catalogue = Database(tmp_path / "jobs.db", MIGRATIONS), Catalogue(tmp_path / "nodes", [], files)
        jobs = Jobs(database, catalogue, Workers(lambda _: worker))  # pyright: ignore
        await jobs.start()
        for turns in range(12):
            id = await jobs.submit(document(SUM))
            await worker.runs.get()
            dying = asyncio.create_task(worker.die())
            for _ in range(turns):
                await asyncio.sleep(0)
            states = [await jobs.cancel(id)]
            await dying
            await worker.live()
            if states == ["running"]:
                assert [text async for text in await jobs.subscribe(id)]
            assert (await jobs.get(id)).state == "cancelled"
        assert worker.runs.empty()
        await jobs.stop()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_job_is_cancelled_whose_worker_died_while_it_was_leased(tmp_path: Path) -> None:
    async def scenario() -> None:
        worker, files = PlayedWorker(), FileStore([], tmp_path, Hashes(tmp_path / "hashes.db"))
        database, catalogue = Database(tmp_path / "jobs.db", MIGRATIONS), Catalogue(tmp_path / "nodes", [], files)
        jobs = Jobs(database, catalogue, Workers(lambda _: worker))  # pyright: ignore
        await jobs.start()
        go = threading.Event()
        held = asyncio.create_task(database.run(lambda _: go.wait(20)))
        submission = asyncio.create_task(jobs.submit(document(SUM)))
        await asyncio.sleep(0.05)
        dying = asyncio.create_task(worker.die())
        listing = asyncio.create_task(jobs.page())
        await asyncio.sleep(0)
        go.set()
        await held
        (id,) = [job.id for job in (await listing).jobs]
        await jobs.cancel(id)
        await asyncio.gather(submission, dying)
        assert [text async for text in await jobs.subscribe(id)]
        assert (await jobs.get(id)).state == "cancelled"
        await worker.live()
        await asyncio.sleep(0.05)
        assert worker.runs.empty()
        await jobs.stop()

    asyncio.run(asyncio.wait_for(scenario(), 30))


@pytest.mark.parametrize(("asked", "expected"), [(None, 3), (2, 2), (1, 1)])
def test_there_is_a_worker_for_each_device_unless_a_number_is_asked_for(
    tmp_path: Path, asked: int | None, expected: int
) -> None:
    async def scenario() -> None:
        made: list[PlayedWorker] = []

        def supply(number: int) -> PlayedWorker:
            assert number == len(made)
            made.append(PlayedWorker())
            return made[-1]

        files = FileStore([], tmp_path, Hashes(tmp_path / "hashes.db"))
        database, catalogue = Database(tmp_path / "jobs.db", MIGRATIONS), Catalogue(tmp_path / "nodes", [], files)
        jobs = Jobs(database, catalogue, Workers(supply, asked))  # pyright: ignore
        await jobs.start()
        await asyncio.sleep(0.05)
        await made[0].live(devices=3)
        await asyncio.sleep(0.05)
        assert [each["state"] for each in jobs.workers()] == ["ready"] * expected
        await jobs.stop()

    asyncio.run(asyncio.wait_for(scenario(), 30))
