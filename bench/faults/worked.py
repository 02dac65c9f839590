"""Write paths of a job: in the worker, whose results go to files and to the cache on disk; in the server, which records
them and answers over HTTP; and opening the database that all of it is in."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.chaos import nodes
from bench.chaos.__main__ import link
from bench.faults.loop import CAUSES, Run, Seen, WritePath
from bench.faults.stored import LARGE, check_swept, nothing, visible
from graph.cache import Cache, Memory
from graph.context import Context
from graph.executor import run
from graph.files import NoFiles
from graph.graph import build
from graph.ledger import Account
from graph.node import collect
from graph.registry import Registry
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from graph.values import PlainTraits
from graph.workflow import load
from jobs import dispatcher
from jobs.database import connect
from jobs.outputs import OutputWriter
from jobs.schema import MIGRATIONS
from tests.api.world import API, World, png, workflow

# In the worker

BUDGET = 100_000
"""Bytes of cache on disk: two large results of the three."""
NUMBERS = (15, 31, 47)


class Worker:
    """What runs jobs, over the cache and the results of a folder."""

    def __init__(self, folder: Path, disk: Disk | None) -> None:
        self._folder, self._registry = folder, Registry(collect(nodes))
        self._cache = Cache([Memory(1 << 20)], PlainTraits(), disk=disk)
        self._context = Context(save=OutputWriter(folder / "output", folder / "temp").save)

    def run(self, number: int) -> str:
        """The file with the result of a job; OSError with the words of a job that failed."""
        inputs = {"value": f"job {number}", "blob": link("1", "bytes")}
        document = {
            "1": {"type": "chaos.Blob", "inputs": {"number": number}},
            "2": {"type": "chaos.Write", "inputs": inputs},
        }
        graph = build(load({"version": 1, "nodes": document}), self._registry, NoFiles())
        outcome = run(graph, None, self._cache, lambda _: None, files=NoFiles(), context=self._context)
        if outcome.error is not None:
            raise OSError(outcome.error.message)
        name = outcome.outputs["2"]["files"][0].name
        written = (self._folder / "output" / name).read_bytes()
        assert written == nodes.content(f"job {number}", nodes.made(number)), "a wrong result"
        return name

    def close(self) -> None:
        self._cache.close()


def opened(folder: Path) -> Disk:
    return Disk(folder / "cache", Account(BUDGET), PlainStorage(), "faults")


def worker_act(run: Run) -> None:
    run.arm()
    found: list[Disk] = []
    run.attempt("cache", lambda: found.append(opened(run.folder)))
    worker = Worker(run.folder, found[0] if found else None)
    for number in NUMBERS:
        run.attempt(str(number), worker.run, number)
        for disk in found:
            disk.flush()
    run.calm()
    for number in NUMBERS:
        worker.run(number)
    worker.close()


def worker_check(folder: Path, seen: Seen) -> None:
    for number in map(int, seen.done.keys() - {"cache"}):
        written = (folder / "output" / seen.done[str(number)]).read_bytes()
        assert written == nodes.content(f"job {number}", nodes.made(number))
    whole = [nodes.content(f"job {number}", nodes.made(number)) for number in NUMBERS]
    assert all(data in whole for data in visible(folder / "output").values()), "a half file is visible"
    check_swept(folder, seen)
    disk = opened(folder)
    worker = Worker(folder, disk)
    for number in NUMBERS:
        worker.run(number)
    disk.flush()
    assert disk.damaged == disk.failures == 0, "what was left in the cache does not have its hash"
    assert disk.report()["used"] <= BUDGET
    worker.close()


# In the server

ANSWERED = {200, 201, 202}
REFUSED: Mapping[int, str] = {500: "storage_failed", 507: "disk_full"}


class Refusal(OSError):
    """A request answered with problem details that say the disk was full or broken."""


class Client:
    def __init__(self, world: World) -> None:
        self._world = world
        self.accepted: list[str] = []

    def ask(self, method: str, path: str, value: object = None) -> Any:
        if isinstance(value, bytes):
            answer = self._world.ask(method, API + path, value, {"Content-Type": "image/png"})
        elif value is None:
            answer = self._world.ask(method, API + path)
        else:
            answer = self._world.send_json(method, API + path, value, {"If-Match": "*"} if method == "PUT" else None)
        if answer.status in ANSWERED:
            return answer.json
        problem = answer.json
        assert problem["code"] == REFUSED.get(answer.status), problem
        assert any(cause in problem["detail"] for cause in CAUSES), problem
        raise Refusal(problem["detail"])


def server_act(run: Run) -> None:
    with patch.object(dispatcher, "RETRY_S", 0.02), World(run.folder) as world:
        client = Client(world)
        run.arm()
        requests(run, client)
        run.calm()
        client.ask("POST", "/queue/resume", {})  # the one before may have been refused
        last = client.ask("POST", "/jobs", {"workflow": workflow("last")})
        for id in [last["id"], *client.accepted]:
            assert world.ask("GET", f"{API}/jobs/{id}", headers={"Prefer": "wait=20"}).json["state"] == "done"


def requests(run: Run, client: Client) -> None:
    """One of each kind that changes something."""
    for label in ("one", "two"):
        accepted = run.attempt(label, client.ask, "POST", "/jobs", {"workflow": workflow(label)})
        client.accepted += [accepted["id"]] if accepted else []
    run.attempt("picture", client.ask, "POST", "/files?name=a.png", png())
    run.attempt("workflow", client.ask, "PUT", "/workflows/kept", workflow("kept" * 5000))
    run.attempt("pause", client.ask, "POST", "/queue/pause", {})
    held = run.attempt("three", client.ask, "POST", "/jobs", {"workflow": workflow("three")})
    if held and "pause" in run.done:
        run.attempt("move", client.ask, "PATCH", f"/jobs/{held['id']}", {"priority": 3})
        run.attempt("cancel", client.ask, "POST", f"/jobs/{held['id']}/cancel", {})
    elif held:
        client.accepted.append(held["id"])
    run.attempt("resume", client.ask, "POST", "/queue/resume", {})


def server_check(folder: Path, seen: Seen) -> None:
    with contextlib.closing(connect(folder / "jobs.sqlite", MIGRATIONS)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        states = dict(db.execute("SELECT id, state FROM jobs"))
        for label in ("one", "two", "three"):
            assert label not in seen.done or seen.done[label]["id"] in states, "an accepted job is lost"
        if "cancel" in seen.done:
            assert states[seen.done["three"]["id"]] == "cancelled"
        consistent(db, states)
    data = folder / "data"
    if "picture" in seen.done:
        assert visible(data / "input")[seen.done["picture"]["name"]] == png()
    assert all(content == png() for content in visible(data / "input").values())
    saved = visible(data / "workflows").get("kept.json")
    assert saved is None or json.loads(saved) == workflow("kept" * 5000)
    assert saved is not None or "workflow" not in seen.done
    check_swept(data, seen)


def consistent(db: sqlite3.Connection, states: Mapping[str, str]) -> None:
    """Every job is whole: attempts, results and events say what its state says."""
    for id, state in states.items():
        attempts = db.execute("SELECT outcome FROM attempts WHERE job = ? ORDER BY number", (id,)).fetchall()
        results = db.execute("SELECT COUNT(*) FROM outputs WHERE job = ?", (id,)).fetchone()[0]
        spans = db.execute("SELECT first, last, body FROM events WHERE job = ? ORDER BY first", (id,)).fetchall()
        assert results == (state == "done"), "a job is done exactly when it has its result"
        assert (attempts[-1:] == [(None,)]) == (state == "running"), "a lease is open exactly while a job runs"
        assert json.loads(spans[-1][2])[-1]["state"] == state, "the last event tells the state"
        assert all(before[1] < after[0] for before, after in pairwise(spans)), "an event has a number twice"
        assert all([event["n"] for event in json.loads(body)] == [*range(a, b + 1)] for a, b, body in spans)


# The database


def database_prepare(folder: Path) -> None:
    """One of the first version, with a job."""
    db = connect(folder / "old.db", MIGRATIONS[:1])
    fields = "id, state, rank, client, attempt, created, workflow"
    db.execute(f"INSERT INTO jobs ({fields}) VALUES ('a', 'queued', 1, '', 0, 0, ?)", (LARGE.decode(),))
    db.close()


def database_act(run: Run) -> None:
    run.arm()
    for name in ("old.db", "new.db"):
        run.attempt(name, lambda name: connect(run.folder / name, MIGRATIONS).close(), name)


def database_check(folder: Path, _: Seen) -> None:
    for name, ids in (("old.db", [("a",)]), ("new.db", [])):
        with contextlib.closing(connect(folder / name, MIGRATIONS)) as db:
            assert db.execute("SELECT id FROM jobs").fetchall() == ids
            assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


PATHS = (
    WritePath("jobs in the worker", nothing, worker_act, worker_check),
    WritePath("requests to the server", nothing, server_act, server_check),
    WritePath("opening the database", database_prepare, database_act, database_check),
)
