"""Write paths of plain files: results, uploads, workflows, definitions, hashes, the lock and the flight recorder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from api.documents import FOLDER, Conflict, Documents
from bench.faults.loop import Run, Seen, WritePath
from jobs import recorder
from jobs.catalogue import Catalogue
from jobs.files import PART, FileStore, remove_leftovers
from jobs.hashes import Hashes
from jobs.home import HomeLock, HomeTaken, server_of
from jobs.outputs import OutputWriter

LARGE = b"0123456789abcdef" * 6000
"""More than any buffer takes before it is written."""


def nothing(folder: Path) -> None:
    """The path starts in an empty folder."""


def store(folder: Path) -> FileStore:
    return FileStore([], folder, Hashes(folder / "hashes.db"))


def check_swept(folder: Path, seen: Seen) -> None:
    """A process that lives on leaves no half of a file; one that was killed may, until it has been left for an hour."""
    left = list(folder.rglob(f".*{PART}"))
    assert seen.killed or not left, f"left behind: {left}"
    past = time.time() - 7200
    for path in left:
        os.utime(path, (past, past))
    remove_leftovers(folder)
    assert list(folder.rglob(f".*{PART}")) == [], "left behind after the next start"


def visible(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# Results

RESULTS: Mapping[str, tuple[bytes, str, bool]] = {
    "first": (LARGE, "deep/er/weft", False),
    "second": (b"small", "deep/er/weft", False),
    "third": (LARGE[1:], "weft", True),
}


def save_result(writer: OutputWriter, label: str) -> str:
    data, prefix, temporary = RESULTS[label]
    kept = writer.save(data, prefix=prefix, media_type="text/plain", width=1, height=1, temporary=temporary)
    return f"{kept.folder}/{kept.name}"


def results_act(run: Run) -> None:
    writer = OutputWriter(run.folder / "output", run.folder / "temp")
    run.arm()
    for label in RESULTS:
        run.attempt(label, save_result, writer, label)


def results_check(folder: Path, seen: Seen) -> None:
    there = {f"{top}/{name}": data for top in ("output", "temp") for name, data in visible(folder / top).items()}
    for label, name in seen.done.items():
        assert there[name] == RESULTS[label][0], f"{name} is not what was saved"
    wanted = [data for data, _, _ in RESULTS.values()]
    assert all(data in wanted for data in there.values()), "a half file is visible"
    check_swept(folder, seen)
    writer = OutputWriter(folder / "output", folder / "temp")
    fresh = {save_result(writer, label) for label in RESULTS}
    assert len(fresh) == len(RESULTS)
    assert not fresh & there.keys(), "a result was overwritten"


# Uploads


UPLOADS: Mapping[str, bytes] = {"large": LARGE, "small": b"small", "small again": b"small"}


def upload(files: FileStore, label: str) -> str:
    incoming = files.receive()
    try:
        incoming.write(UPLOADS[label])
        return incoming.keep("photo.png")
    finally:
        incoming.discard()


def uploads_act(run: Run) -> None:
    files = store(run.folder)
    run.arm()
    for label in UPLOADS:
        run.attempt(label, upload, files, label)


def uploads_check(folder: Path, seen: Seen) -> None:
    there = visible(folder / "input")
    for label, name in seen.done.items():
        assert there[name] == UPLOADS[label], f"{name} is not what was sent"
    assert all(data in UPLOADS.values() for data in there.values()), "a half file is visible"
    check_swept(folder, seen)
    files = store(folder)
    for label, data in UPLOADS.items():
        assert files.read("input", upload(files, label)) == data
    assert len(visible(folder / "input")) == 2, "an equal upload is one file"


# Workflows


def workflow(text: str) -> bytes:
    return json.dumps({"version": 1, "nodes": {"1": {"type": "Note", "inputs": {"text": text * 9000}}}}).encode()


OLD, NEW, OTHER = workflow("old"), workflow("new"), workflow("other")


def save_workflow(folder: Path, name: str, content: bytes) -> str:
    return asyncio.run(Documents(store(folder)).save(name, content, "*"))[0]


def workflows_act(run: Run) -> None:
    documents = Documents(store(run.folder))

    def save_over_what_is_there() -> None:
        """As something new: a file that cannot be read is there nonetheless."""
        with contextlib.suppress(Conflict):
            asyncio.run(documents.save("here", OTHER, None))

    run.arm()
    run.attempt("taken", save_over_what_is_there)
    run.attempt("new", lambda: asyncio.run(documents.save("here", NEW, "*")))
    run.attempt("other", lambda: asyncio.run(documents.save("there", OTHER, None)))


def workflows_check(folder: Path, seen: Seen) -> None:
    documents = Documents(store(folder))
    here = asyncio.run(documents.read("here"))[0]
    assert here == NEW if "new" in seen.done else here in (OLD, NEW), "a workflow is neither the old nor the new one"
    there = visible(folder / FOLDER).get("there.json")
    assert there == OTHER if "other" in seen.done else there in (None, OTHER)
    check_swept(folder, seen)
    asyncio.run(documents.list())
    for name in ("here", "there"):
        save_workflow(folder, name, OLD)
        assert asyncio.run(documents.read(name))[0] == OLD


def moves_act(run: Run) -> None:
    documents = Documents(store(run.folder))

    def ask(work: Any, *arguments: Any) -> Any:
        return asyncio.run(work(*arguments))

    run.arm()
    run.attempt("draft", ask, documents.write_draft, "here", NEW, None)
    if run.attempt("move", ask, documents.move, "here", "moved/there"):
        id = run.attempt("delete", ask, documents.delete, "moved/there", "*")
        if id:
            run.attempt("undelete", lambda: ask(documents.undelete, id, None).name)


def moves_check(folder: Path, seen: Seen) -> None:
    """The one workflow is somewhere, whole, under a name it was given."""
    documents = Documents(store(folder))
    saved, drafts = asyncio.run(documents.list())
    deleted = asyncio.run(documents.deleted())
    names = {each.name for each in saved}
    assert names <= {"here", "moved/there"}
    assert names or deleted, "a workflow is lost"
    for name in names:
        assert asyncio.run(documents.read(name))[0] == OLD
    if "move" in seen.done:
        assert "here" not in names
    if "undelete" in seen.done:
        assert "moved/there" in names
    if "draft" in seen.done and "delete" not in seen.begun:
        assert any(asyncio.run(documents.read_draft(draft.name))[0] == NEW for draft in drafts)
    for each in deleted:
        assert asyncio.run(documents.read(asyncio.run(documents.undelete(each.id, f"back-{each.id}")).name))[0] == OLD
    check_swept(folder, seen)


# Definitions of nodes

FIRST = json.dumps({"nodes": {}, "packs": {"a": {"nodes": [], "error": "x" * 20_000}}}).encode()
SECOND = json.dumps({"nodes": {}, "packs": {"b": {"nodes": [], "error": None}}}).encode()


def catalogue(folder: Path) -> Catalogue:
    return Catalogue(folder / "catalogue.json", [], store(folder))


def catalogue_act(run: Run) -> None:
    known = catalogue(run.folder)
    run.arm()
    run.attempt("second", lambda: known.update(SECOND))
    assert known.version, "the definitions that came are used, kept or not"
    assert known.to_json()["packs"].keys() == {"b"}


def catalogue_check(folder: Path, seen: Seen) -> None:
    packs = set(catalogue(folder).to_json()["packs"])
    assert packs == {"b"} if "second" in seen.done else packs in ({"a"}, {"b"})
    check_swept(folder, seen)
    catalogue(folder).update(SECOND)
    assert set(catalogue(folder).to_json()["packs"]) == {"b"}


# Hashes of files


def hashes_prepare(folder: Path) -> None:
    past = time.time() - 60
    for name in ("a", "b"):
        (folder / name).write_bytes(name.encode())
        os.utime(folder / name, (past, past))


def hashes_act(run: Run) -> None:
    run.arm()
    known = Hashes(run.folder / "hashes.db")
    for name in ("a", "b", "a"):
        run.attempt(name, known.of, run.folder / name)


def hashes_check(folder: Path, seen: Seen) -> None:
    first, again = Hashes(folder / "hashes.db"), Hashes(folder / "hashes.db")
    for name in ("a", "b"):
        right = blake2b(name.encode(), digest_size=20).hexdigest()
        assert first.of(folder / name) == again.of(folder / name) == seen.done.get(name, right) == right


# The lock of the data folder

ADDRESS = "http://127.0.0.1:1"


def lock_act(run: Run) -> None:
    run.arm()
    held: list[HomeLock] = []
    run.attempt("lock", lambda: held.append(HomeLock(run.folder)))
    for lock in held:
        run.attempt("tell", lock.tell, ADDRESS)
    run.calm()
    for lock in held:
        assert server_of(run.folder) in ((ADDRESS,) if "tell" in run.done else (None, ADDRESS))
        with pytest.raises(HomeTaken, match="in use"):
            HomeLock(run.folder)
        run.arm()
        lock.release()
    HomeLock(run.folder).release()


def lock_check(folder: Path, _: Seen) -> None:
    assert server_of(folder) is None, "nobody holds it"
    lock = HomeLock(folder)
    lock.tell("http://127.0.0.1:2")
    assert server_of(folder) == "http://127.0.0.1:2"
    lock.release()


# The flight recorder


def recorder_act(run: Run) -> None:
    record = run.folder / "worker.record"
    run.arm()
    run.attempt("prepare", lambda: recorder.prepare(record))
    if "prepare" in run.done:
        run.attempt("note", lambda: recorder.Recorder(record).note("job", "node"))
    run.calm()
    assert recorder.last_node(record, "job") in (("node",) if "note" in run.done else (None, "before", "node"))


def recorder_check(folder: Path, _: Seen) -> None:
    record = folder / "worker.record"
    assert recorder.last_node(record, "job") in (None, "before", "node")
    recorder.prepare(record)
    recorder.Recorder(record).note("job", "again")
    assert recorder.last_node(record, "job") == "again"


def recorder_prepare(folder: Path) -> None:
    record = folder / "worker.record"
    recorder.prepare(record)
    recorder.Recorder(record).note("job", "before")


PATHS = (
    WritePath("results of nodes", nothing, results_act, results_check),
    WritePath("uploads", nothing, uploads_act, uploads_check),
    WritePath("workflows", lambda folder: save_workflow(folder, "here", OLD), workflows_act, workflows_check),
    WritePath("workflows moved", lambda folder: save_workflow(folder, "here", OLD), moves_act, moves_check),
    WritePath("definitions of nodes", lambda folder: catalogue(folder).update(FIRST), catalogue_act, catalogue_check),
    WritePath("hashes of files", hashes_prepare, hashes_act, hashes_check),
    WritePath("lock of the data folder", nothing, lock_act, lock_check),
    WritePath("flight recorder", recorder_prepare, recorder_act, recorder_check),
)
