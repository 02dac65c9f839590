"""Compares what the database says of results with the files there are, and makes each good from the other.

A file that no row names gets a job of its own, with the workflow it carries; a row whose file is gone goes. Files are
never changed; only what a dead process left half written is deleted. Temporary results are not looked at.
"""

from __future__ import annotations

import contextlib
import io
import secrets
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph.context import OutputFile
from graph.workflow import Workflow
from jobs import rows
from jobs.database import connect
from jobs.documents import PNG, BadDocument, read_workflow
from jobs.files import PART
from jobs.home import HomeLock
from jobs.rows import Ending, NewJob, compact
from jobs.schema import MIGRATIONS


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it must be: `kind` is "missing", "unrecorded", "unknown", "damaged" or "leftover"."""

    kind: str
    name: str
    detail: str
    repairable: bool

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "detail": self.detail, "repairable": self.repairable}


def compare(data: Path, *, repair_too: bool) -> tuple[Sequence[Difference], bool]:
    """The differences in a data folder that no server uses, and whether any is left, once what can be is repaired.
    Raises HomeTaken."""
    lock = HomeLock(data)
    (data / "output").mkdir(exist_ok=True)
    with contextlib.closing(connect(data / "jobs.db", MIGRATIONS)) as database:
        found = examine(database, data / "output")
        if repair_too:
            repair(database, data / "output", found)
    lock.release()
    return found, any(not (repair_too and difference.repairable) for difference in found)


def examine(db: sqlite3.Connection, output: Path) -> list[Difference]:
    """Everything in which the rows and the files of the folder `output` differ, by name."""
    recorded = _recorded(db)
    there = {path.relative_to(output).as_posix(): path for path in output.rglob("*") if path.is_file()}
    found = [
        Difference("missing", name, f"job {', '.join(jobs)} has it as a result and there is no such file", True)
        for name, jobs in recorded.items()
        if name not in there
    ]
    for name, path in there.items():
        if path.name.endswith(PART):
            found.append(Difference("leftover", name, "it was being written when its process ended", True))
        else:
            found += _examine_file(name, path, name in recorded)
    return sorted(found, key=lambda difference: difference.name)


def repair(db: sqlite3.Connection, output: Path, found: list[Difference]) -> None:
    """Make good what can be, in one transaction, then delete leftovers."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for difference in found:
            if difference.kind == "missing":
                db.execute("DELETE FROM outputs WHERE folder = 'output' AND name = ?", (difference.name,))
            elif difference.kind == "unrecorded":
                _record(db, output / difference.name, difference.name)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    for difference in found:
        if difference.kind == "leftover":
            (output / difference.name).unlink(missing_ok=True)


def _recorded(db: sqlite3.Connection) -> dict[str, list[str]]:
    jobs: dict[str, list[str]] = {}
    for name, job in db.execute("SELECT name, job FROM outputs WHERE folder = 'output' ORDER BY rowid"):
        jobs.setdefault(name, []).append(job)
    return jobs


def _examine_file(name: str, path: Path, recorded: bool) -> list[Difference]:
    if path.stat().st_size == 0:
        return [Difference("damaged", name, "the file is empty", False)]
    with path.open("rb") as file:
        is_picture = file.read(len(PNG)) == PNG
    if not is_picture:
        detail = "no job has it as a result, and it carries no workflow to make one from"
        return [] if recorded else [Difference("unknown", name, detail, False)]
    try:
        _workflow(path)
    except BadDocument as error:
        if "carries no workflow" not in str(error):
            return [Difference("damaged", name, str(error), False)]
        return [] if recorded else [Difference("unknown", name, f"no job has it as a result, and {error}", False)]
    return [] if recorded else [Difference("unrecorded", name, "no job has it as a result", True)]


def _workflow(path: Path) -> Workflow:
    return read_workflow(str(path), io.BytesIO())


def _record(db: sqlite3.Connection, path: Path, name: str) -> None:
    """A done job with this one picture as its result, at the time the file was written."""
    document = _workflow(path).document
    with path.open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])
    id, written = secrets.token_hex(8), path.stat().st_mtime_ns // 1_000_000
    rows.insert(db, NewJob(id, "fsck", None, compact(document), None, written))
    db.execute("UPDATE jobs SET state = 'running', attempt = 1, started = ? WHERE id = ?", (written, id))
    db.execute("INSERT INTO attempts (job, number, worker, started) VALUES (?, 1, 'fsck', ?)", (id, written))
    outputs = {_sink(document["nodes"], name): [OutputFile(name, "image/png", width, height)]}
    rows.finish(db, id, 1, Ending("done", "done", outputs=outputs), 1, written)


def _sink(nodes: Mapping[str, Any], name: str) -> str:
    """The node that wrote the file: the one with the longest prefix that the name begins with, else the last."""
    prefixes = {
        id: prefix
        for id, node in nodes.items()
        if isinstance(prefix := node.get("inputs", {}).get("prefix"), str) and name.startswith(f"{prefix}-")
    }
    return max(prefixes, key=lambda id: len(prefixes[id])) if prefixes else list(nodes)[-1]
