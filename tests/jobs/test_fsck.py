"""Rows are made from files and files answer for rows; what differs is said exactly."""

from __future__ import annotations

import json
import sqlite3
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph.context import OutputFile
from jobs import fsck, rows
from jobs.database import connect
from jobs.rows import Ending, NewJob
from jobs.schema import MIGRATIONS

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = {
    "version": 1,
    "nodes": {"1": {"type": "LoadImage", "inputs": {}}, "7": {"type": "SaveImage", "inputs": {"prefix": "set/a"}}},
}


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    (tmp_path / "output" / "set").mkdir(parents=True)
    connection = connect(tmp_path / "jobs.db", MIGRATIONS)
    yield connection
    connection.close()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(*, carries: bool = True) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 0, 0, 0, 0))
    text = chunk(b"tEXt", b"workflow\0" + json.dumps(WORKFLOW).encode()) if carries else b""
    pixels = chunk(b"IDAT", zlib.compress(b"\0\1\2\3" * 2))
    return b"\x89PNG\r\n\x1a\n" + head + text + pixels + chunk(b"IEND", b"")


def recorded(db: sqlite3.Connection, name: str) -> str:
    """A done job that has `name` as its result."""
    rows.insert(db, NewJob(name, "", None, json.dumps(WORKFLOW), None, 0))
    lease = rows.claim(db, "w", 1)
    assert lease is not None
    files = {"7": [OutputFile(name, "image/png", 3, 2)]}
    rows.finish(db, name, lease.attempt, Ending("done", "done", outputs=files), lease.event.last, 2)
    return name


def kinds(db: sqlite3.Connection, tmp_path: Path) -> dict[str, str]:
    return {each.name: each.kind for each in fsck.examine(db, tmp_path / "output")}


def test_each_difference_is_said_and_what_can_be_is_made_good(db: sqlite3.Connection, tmp_path: Path) -> None:
    output = tmp_path / "output"
    (output / recorded(db, "right.png")).write_bytes(png())
    recorded(db, "gone.png")
    (output / recorded(db, "cut.png")).write_bytes(png()[:-20])
    flipped = bytearray(png())
    flipped[60] ^= 1
    (output / "flipped.png").write_bytes(flipped)
    (output / "empty.png").touch()
    (output / "set" / "a-00001.png").write_bytes(png())
    (output / "plain.png").write_bytes(png(carries=False))
    (output / "note.txt").write_text("mine")
    (output / ".0123.part").write_bytes(b"half")
    differ = {"cut.png": "damaged", "flipped.png": "damaged", "empty.png": "damaged"}
    differ |= {"plain.png": "unknown", "note.txt": "unknown"}
    repairable = {"gone.png": "missing", "set/a-00001.png": "unrecorded", ".0123.part": "leftover"}
    assert kinds(db, tmp_path) == {**differ, **repairable}
    before = {path: path.read_bytes() for path in output.rglob("*.*") if path.suffix != ".part"}
    fsck.repair(db, output, fsck.examine(db, output))
    assert kinds(db, tmp_path) == differ
    assert {path: path.read_bytes() for path in output.rglob("*.*")} == before


def test_a_lost_database_is_made_from_the_pictures(db: sqlite3.Connection, tmp_path: Path) -> None:
    output = tmp_path / "output"
    for name in ("set/a-00001.png", "set/a-00002.png"):
        (output / name).write_bytes(png())
    fsck.repair(db, output, fsck.examine(db, output))
    jobs = rows.page(db, None, 10, None).jobs
    assert {job.state for job in jobs} == {"done"}
    files = sorted((node, file.name, file.width, file.height) for job in jobs for node, (file,) in job.outputs.items())
    assert files == [("7", "set/a-00001.png", 3, 2), ("7", "set/a-00002.png", 3, 2)]
    assert json.loads(rows.request_of(db, jobs[0].id)[0]) == WORKFLOW
    assert fsck.examine(db, output) == []


def test_the_command_says_what_it_found(db: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "output" / "a-00001.png").write_bytes(png())
    command = [sys.executable, str(ROOT / "server.py"), "fsck", "--data", str(tmp_path), "--json"]
    codes = []
    for extra in ([], ["--repair"], []):
        done = subprocess.run(command + extra, capture_output=True, text=True, check=False)
        codes.append((done.returncode, [each["kind"] for each in json.loads(done.stdout)["differences"]]))
    assert codes == [(65, ["unrecorded"]), (0, ["unrecorded"]), (0, [])]
