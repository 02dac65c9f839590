"""Paths that read what is there: results cached on disk by an earlier worker, what the server is asked for, and the
comparison of rows with files, which makes each good from the other."""

from __future__ import annotations

import contextlib
import http.client
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.faults.loop import CAUSES, Run, Seen, WritePath
from bench.faults.stored import visible
from bench.faults.worked import NUMBERS, REFUSED, Refusal, Worker, opened, worker_act, worker_check
from jobs import fsck
from jobs.database import connect
from jobs.schema import MIGRATIONS
from tests.api.world import API, World, png, workflow
from tests.jobs.test_fsck import png as picture
from tests.jobs.test_fsck import recorded

# In the worker


def cache_prepare(folder: Path) -> None:
    """As many results on disk as there is room for."""
    worker = Worker(folder, opened(folder))
    for number in NUMBERS:
        worker.run(number)
    worker.close()


# In the server

SAVED = "/workflows/kept"


def forget_parts(folder: Path) -> None:
    """Remove what a World writes for itself at its start, so that another can start there."""
    for name in ("page", "packs"):
        shutil.rmtree(folder / name)


def server_prepare(folder: Path) -> None:
    with World(folder) as world:
        for label in ("one", "two"):
            id = world.send_json("POST", f"{API}/jobs", {"workflow": workflow(label * 9000)}).json["id"]
            world.ask("GET", f"{API}/jobs/{id}", headers={"Prefer": "wait=20"})
        world.ask("POST", f"{API}/files?name=a.png", png(), {"Content-Type": "image/png"})
        world.send_json("PUT", f"{API}{SAVED}", workflow("kept" * 5000), {"If-Match": "*"})
        (folder / "data" / "output").mkdir(exist_ok=True)
        (folder / "data" / "output" / "b.png").write_bytes(png())
    forget_parts(folder)


def server_act(run: Run) -> None:
    with World(run.folder) as world:
        whole = {path: world.ask("GET", path).body for path in asked(world)}
    forget_parts(run.folder)
    with World(run.folder) as world:
        run.arm()
        for path, body in whole.items():
            got = run.attempt(path, lambda path: read(world, path).decode("latin-1"), path)
            assert got is None or got.encode("latin-1") == body, f"{path} is not what is there"
        run.calm()
        for path, body in whole.items():
            assert read(world, path) == body, f"{path} is not what is there, afterwards"


def asked(world: World) -> list[str]:
    """What a client may ask for of what is there."""
    ids = [job["id"] for job in world.ask("GET", f"{API}/jobs").json["jobs"]]
    of_jobs = [f"{API}/jobs/{id}{part}" for id in ids for part in ("", "/workflow", "/events")]
    return [f"{API}/jobs", *of_jobs, f"{API}{SAVED}", f"{API}/files/input/a.png", f"{API}/files/output/b.png"]


def read(world: World, path: str) -> bytes:
    """The body; Refusal when the answer says why there is none, or is cut off."""
    try:
        answer = world.ask("GET", path)
    except (http.client.IncompleteRead, ConnectionError) as error:
        raise Refusal(f"{CAUSES[1]}, seen as a line that broke: {error!r}") from error
    if answer.status == 200:
        return answer.body
    problem = answer.json
    assert problem["code"] == REFUSED.get(answer.status), problem
    raise Refusal(problem["detail"])


def server_check(folder: Path, _: Seen) -> None:
    """What was asked was checked while the server ran; nothing was changed by it."""
    with contextlib.closing(connect(folder / "jobs.sqlite", MIGRATIONS)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM jobs WHERE state = 'done'").fetchone() == (2,)


# Rows and files compared

DIFFERENCES: Mapping[str, str] = {"gone.png": "missing", "set/a-00001.png": "unrecorded", ".0123.part": "leftover"}
NOTE = b"mine"


def fsck_prepare(folder: Path) -> None:
    output = folder / "output"
    (output / "set").mkdir(parents=True)
    with contextlib.closing(connect(folder / "jobs.db", MIGRATIONS)) as db:
        (output / recorded(db, "right.png")).write_bytes(picture())
        recorded(db, "gone.png")
    (output / "set" / "a-00001.png").write_bytes(picture())
    (output / "note.txt").write_bytes(NOTE)
    (output / ".0123.part").write_bytes(b"half")


def compared(folder: Path) -> dict[str, Any]:
    found, _ = fsck.compare(folder, repair_too=True)
    return {each.name: [each.kind, each.detail] for each in found}


def fsck_act(run: Run) -> None:
    run.arm()
    run.attempt("compared", compared, run.folder)


def fsck_check(folder: Path, seen: Seen) -> None:
    told = seen.done.get("compared", {})
    for name, (kind, detail) in told.items():
        right = kind == {**DIFFERENCES, "note.txt": "unknown"}.get(name)
        assert right or any(cause in detail for cause in CAUSES), f"{name} is said to be {kind}: {detail}"
    compared(folder)
    assert compared(folder).keys() == {"note.txt"}, "not all was made good"
    assert visible(folder / "output") == {"right.png": picture(), "set/a-00001.png": picture(), "note.txt": NOTE}
    with contextlib.closing(connect(folder / "jobs.db", MIGRATIONS)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = [name for (name,) in db.execute("SELECT name FROM outputs ORDER BY name")]
        assert names == ["right.png", "set/a-00001.png"], "a result is recorded twice, or not"
        assert db.execute("SELECT count(*) FROM jobs WHERE state = 'done'").fetchone() == (3,)


PATHS = (
    WritePath("cache of an earlier worker", cache_prepare, worker_act, worker_check),
    WritePath("what the server is asked for", server_prepare, server_act, server_check),
    WritePath("rows and files compared", fsck_prepare, fsck_act, fsck_check),
)
