"""The power goes at any moment: what was promised by then is there, and nothing is there by half.

`python -m bench.faults.power [--cuts N] [--seed S]` has a server take jobs, pictures and workflows and a worker save
results, writes down every change of the disk and every promise in between, and then cuts that record at random places.
Of what was not synced by then any part may be lost: writes (whole, or torn at a sector), and names from some point on
since their folder was synced. What is left is checked. Linux and a C compiler are needed. Exits with 1 when a promise
is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from api.documents import FOLDER
from bench.faults.loop import is_preloaded, preloaded
from bench.faults.read import forget_parts
from bench.faults.stored import visible
from bench.faults.worked import consistent
from jobs.database import connect
from jobs.outputs import OutputWriter
from jobs.schema import MIGRATIONS
from tests.api.world import API, World, png, workflow

SECTOR = 512
JOBS, SAVES = 40, 12
DATABASE = "jobs.sqlite"


class Change(NamedTuple):
    """One step of the record, see strike.c."""

    op: str
    offset: int
    path: str
    other: str
    data: bytes


@dataclass
class File:
    """What a file holds after each change so far, what it holds for certain, and the changes between the two."""

    live: bytearray = field(default_factory=bytearray)
    safe: bytes = b""
    open: list[Change] = field(default_factory=list[Change])

    def change(self, change: Change) -> None:
        apply(self.live, change)
        self.open.append(change)

    def sync(self) -> None:
        self.safe = bytes(self.live)
        self.open.clear()

    def left(self, chance: random.Random, kept: float) -> bytes:
        """What may be found after the power went: each open change with a probability, some torn."""
        content = bytearray(self.safe)
        for change in self.open:
            if chance.random() < kept:
                torn = chance.random() < 0.2
                size = chance.randrange(0, len(change.data) + 1, SECTOR) if torn else len(change.data)
                apply(content, change._replace(data=change.data[:size]))
        return bytes(content)


def apply(content: bytearray, change: Change) -> None:
    if change.op == "t":
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
    else:
        content.extend(bytes(max(0, change.offset - len(content))))
        content[change.offset : change.offset + len(change.data)] = change.data


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


class Names(NamedTuple):
    """One step that changes names, whole or not at all: which are gone, and which there are from then on."""

    gone: tuple[str, ...]
    there: Mapping[str, File | None]

    def apply(self, names: dict[str, File | None]) -> None:
        for path in self.gone:
            names.pop(path, None)
        names.update(self.there)

    def is_in(self, folder: str) -> bool:
        return any(folder_of(path) == folder for path in (*self.gone, *self.there))


class Disk:
    """Files (None: a folder) by path below a folder: as they are, and as they are for certain."""

    def __init__(self, folder: Path) -> None:
        self.root = str(folder)
        self._live: dict[str, File | None] = {self.root: None}
        for path in folder.rglob("*"):
            data = None if path.is_dir() else path.read_bytes()
            self._live[str(path)] = None if data is None else File(bytearray(data), data)
        self._safe, self._open = dict(self._live), list[Names]()

    def change(self, change: Change) -> None:
        path, other = change.path, change.other
        file = self._live.get(path)
        match change.op:
            case "w" | "t" if file is not None:
                file.change(change)
            case "s":
                self._sync(path, file)
            case "c" if file is not None:
                if change.offset == 0:
                    file.change(change._replace(op="t"))
            case "c":
                self._rename(Names((), {path: File()}))
            case "m":
                self._rename(Names((), {path: None}))
            case "u":
                self._rename(Names((path,), {}))
            case "l":
                self._rename(Names((), {other: file}))
            case "r":
                self._rename(Names((path,), {other: file}))
            case op:
                raise ValueError(f"{op} of {path}, which is not there")

    def _rename(self, names: Names) -> None:
        names.apply(self._live)
        self._open.append(names)

    def _sync(self, path: str, file: File | None) -> None:
        if file is not None:
            file.sync()
            return
        for names in [names for names in self._open if names.is_in(path)]:
            names.apply(self._safe)
            self._open.remove(names)

    def left(self, chance: random.Random) -> Iterator[tuple[str, bytes | None]]:
        """What may be found after the power went: paths relative to the folder, and what they hold."""
        names, kept = dict(self._safe), chance.choice((0.0, 0.5, 1.0))
        for step in self._open[: chance.randint(0, len(self._open))]:
            step.apply(names)
        found = {self.root}
        for path, file in sorted(names.items()):
            if folder_of(path) in found:
                found.add(path)
                yield os.path.relpath(path, self.root), None if file is None else file.left(chance, kept)


def changes(record: Path) -> Iterator[Change]:
    data, at = record.read_bytes(), 0
    while at < len(data):
        end = data.index(b"\n", at)
        op, offset, *sizes = data[at:end].split()
        parts: list[bytes] = []
        at = end + 1
        for size in map(int, sizes):
            parts.append(data[at : at + size])
            at += size
        path, other, content = parts
        yield Change(op.decode(), int(offset), os.fsdecode(path), os.fsdecode(other), content)


# What is done, and what is promised


def act(folder: Path) -> None:
    """Promises are told once they are made: a kind, and what it is about."""
    with World(folder) as world:
        writer = OutputWriter(folder / "data" / "output", folder / "data" / "temp")
        for number in range(JOBS):
            answer = world.send_json("POST", f"{API}/jobs", {"workflow": workflow(f"{number}" * 50)})
            promise("accepted", answer.json["id"])
            if number % 4 == 0:
                job = world.ask("GET", f"{API}/jobs/{answer.json['id']}", headers={"Prefer": "wait=20"}).json
                promise(job["state"], job["id"])
            if number < SAVES:
                save(world, writer, number)


def save(world: World, writer: OutputWriter, number: int) -> None:
    """One file of each kind."""
    facts = {"media_type": "text/plain", "width": 1, "height": 1, "temporary": False}
    prefix = ("plain", f"new-{number}/deeper/weft")[number % 2]
    promise("output", f"output/{writer.save(content(number), prefix=prefix, **facts).name}")
    name = world.ask("POST", f"{API}/files?name={number}.png", png(8 + number), {"Content-Type": "image/png"}).json[
        "name"
    ]
    promise("input", f"input/{name}")
    world.send_json("PUT", f"{API}/workflows/kept", workflow(f"kept {number}" * 500), {"If-Match": "*"})
    promise("workflow", str(number))


def content(number: int) -> bytes:
    return b"%d " % number * 5000


def promise(kind: str, what: str) -> None:
    ctypes.CDLL(None).strike_promise(json.dumps([kind, what]).encode())


# What is found


def check(folder: Path, promises: list[tuple[str, str]]) -> None:
    """AssertionError for a promise that is broken and for what is there by half."""
    with contextlib.closing(connect(folder / DATABASE, MIGRATIONS)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        states = dict(db.execute("SELECT id, state FROM jobs"))
        consistent(db, states)
    files = visible(folder / "data")
    outputs = [data for name, data in files.items() if name.startswith("output/")]
    assert set(outputs) <= set(map(content, range(SAVES))), "half a result is visible"
    assert {data for name, data in files.items() if name.startswith("input/")} <= {png(8 + n) for n in range(SAVES)}
    latest = -1
    for kind, what in promises:
        match kind:
            case "accepted":
                assert what in states, "an accepted job is lost"
            case "done":
                assert states[what] == "done", "the end of a job is lost"
            case "workflow":
                latest = int(what)
            case _:
                assert what in files, f"the file {what} is lost"
    saved = files.get(f"{FOLDER}/kept.json")
    assert latest < 0 or saved is not None, "a workflow is lost"
    known = [json.dumps(workflow(f"kept {number}" * 500)).encode() for number in range(latest, SAVES)]
    assert saved is None or saved in known, "a workflow is not one that was saved, or an earlier one"


def cut(folder: Path, disk: Disk, promises: list[tuple[str, str]], chance: random.Random) -> None:
    folder.mkdir()
    for path, data in disk.left(chance):
        if data is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(data)
    check(folder, promises)
    shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not is_preloaded():
        return preloaded("bench.faults.power", sys.argv[1:])
    chance, began = random.Random(options.seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weft-power-", dir="/dev/shm") as name:
        root = Path(name).resolve()
        before, record = root / "before", root / "record"
        before.mkdir()
        with World(before):
            forget_parts(before)
        disk = Disk(before)
        with record.open("wb", buffering=0) as file:
            ctypes.CDLL(None).strike_trace(os.fsencode(before), file.fileno())
            act(before)
            ctypes.CDLL(None).strike_calm()
        steps = list(changes(record))
        places = sorted(chance.randrange(len(steps)) for _ in range(options.cuts))
        promises: list[tuple[str, str]] = []
        broken = 0
        for at, step in enumerate(steps):
            while places and places[0] == at:
                places.pop(0)
                try:
                    cut(root / "after", disk, promises, chance)
                except AssertionError as error:
                    broken += 1
                    print(f"cut at step {at}, before {step.op} of {step.path}: {error}", flush=True)
                    shutil.rmtree(root / "after")
            if step.op == "!":
                promises.append(tuple(json.loads(step.path)))
            else:
                disk.change(step)
    print(
        f"{len(steps)} steps, {len(promises)} promises; {options.cuts} cuts with seed {options.seed}: {broken} broken"
    )
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
