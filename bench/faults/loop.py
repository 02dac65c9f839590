"""The loop over the system calls of one write path: each in turn fails, or ends the process; what is left is checked.

Everything happens in forked processes, so a kill is a kill. What a path was told goes through a pipe to the parent,
which remembers it whatever becomes of the process.
"""

from __future__ import annotations

import ctypes
import errno
import json
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from jobs.exits import Failure

FULL, BROKEN, KILL, UNREAD = range(4)
WAYS: Mapping[str, int] = {"full": FULL, "broken": BROKEN, "kill": KILL, "unread": UNREAD}
LIMIT_S = 30
CAUSES = (
    os.strerror(errno.ENOSPC),
    os.strerror(errno.EIO),
    "is full",
    "disk I/O error",
    "unable to open database file",
    "readonly database",
    "disk image is malformed",
)
"""One of these is in every refusal: what the system says, or what SQLite or the engine makes of it."""


@dataclass
class Run:
    """What a write path does its work with: calls fail from `arm` to `calm`."""

    folder: Path
    pipe: int
    at: int
    way: int
    hits: int = 0
    calls: int = 0
    done: set[str] = field(default_factory=set[str])

    def arm(self) -> None:
        ctypes.CDLL(None).strike_arm(os.fsencode(self.folder), self.at, self.way)

    def calm(self) -> None:
        strike = ctypes.CDLL(None)
        self.calls, self.hits = strike.strike_calm(), strike.strike_hits()

    def attempt(self, label: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do something that may be refused, and tell how it went; None when it was."""
        self.tell("begun", label, None)
        try:
            result = work(*arguments)
        except (OSError, sqlite3.Error, Failure) as error:
            self.tell("refused", label, f"{type(error).__name__}: {error}")
            return None
        self.done.add(label)
        self.tell("done", label, result)
        return result

    def tell(self, kind: str, label: str, fact: Any) -> None:
        os.write(self.pipe, json.dumps([kind, label, fact]).encode() + b"\n")


@dataclass
class Seen:
    """What was begun, done (with its result) and refused (with the message); `killed` when the process ended there."""

    begun: dict[str, None] = field(default_factory=dict[str, None])
    done: dict[str, Any] = field(default_factory=dict[str, Any])
    refused: dict[str, str] = field(default_factory=dict[str, str])
    killed: bool = False
    crash: str = ""
    hits: int = 0
    calls: int = 0


@dataclass(frozen=True)
class WritePath:
    """`prepare` makes a folder as it is before, `act` changes it, `check` raises AssertionError for a wrong state."""

    name: str
    prepare: Callable[[Path], object]
    act: Callable[[Run], object]
    check: Callable[[Path, Seen], object]


@dataclass
class Tally:
    name: str
    calls: int = 0
    injected: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    wrong: list[str] = field(default_factory=list[str])


def loop(path: WritePath, every: int, ways: Collection[str] = WAYS) -> Tally:
    """Strike call number 1, 1 + every, ... in each of the ways, until a run passes without being struck."""
    tally = Tally(path.name)
    in_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="weft-faults-", dir=in_memory if in_memory.is_dir() else None) as name:
        before = Path(name).resolve() / "before"
        before.mkdir()
        _require(_forked(lambda _: path.prepare(before)))
        for way in ways:
            for turn in count():
                folder = before.with_name(f"{way}-{turn}")
                shutil.copytree(before, folder)
                at = 1 + turn * every
                seen = _strike(path, folder, at, WAYS[way])
                tally.calls = max(tally.calls, seen.calls)
                struck = seen.killed or seen.hits > 0
                tally.injected[way] += struck
                wrong = seen.crash or _vague(seen) or _check(path, folder, seen)
                shutil.rmtree(folder)
                if wrong:
                    tally.wrong.append(f"{path.name}, {way} at call {at}: {wrong}")
                if not struck:
                    break
    return tally


def _check(path: WritePath, folder: Path, seen: Seen) -> str:
    return _forked(lambda _: path.check(folder, seen)).crash


def _vague(seen: Seen) -> str:
    """Refusals that do not say why."""
    vague = [message for message in seen.refused.values() if not any(cause in message for cause in CAUSES)]
    return f"a refusal that does not say why: {vague}" if vague else ""


def _strike(path: WritePath, folder: Path, at: int, way: int) -> Seen:
    def act(pipe: int) -> None:
        run = Run(folder, pipe, at, way)
        try:
            path.act(run)
        finally:
            run.calm()
            run.tell("end", "", [run.calls, run.hits])

    return _forked(act)


def _forked(work: Callable[[int], object]) -> Seen:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_a_child(work, writing)
    os.close(writing)
    seen = Seen()
    with os.fdopen(reading, "rb") as pipe:
        for line in pipe:
            kind, label, fact = json.loads(line)
            match kind:
                case "begun":
                    seen.begun[label] = None
                case "end":
                    seen.calls, seen.hits = fact
                case "crash":
                    seen.crash = fact
                case _:
                    getattr(seen, kind)[label] = fact
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        seen.killed = os.WTERMSIG(status) == signal.SIGKILL
        seen.crash = "" if seen.killed else f"ended by signal {os.WTERMSIG(status)} (14: nothing moved for {LIMIT_S} s)"
    return seen


def _be_a_child(work: Callable[[int], object], pipe: int) -> None:
    logging.disable(logging.CRITICAL)
    signal.alarm(LIMIT_S)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        work(pipe)
    except BaseException:  # noqa: BLE001 - told to the parent
        os.write(pipe, json.dumps(["crash", "", traceback.format_exc()]).encode() + b"\n")
    finally:
        os._exit(0)


def _require(seen: Seen) -> None:
    if seen.crash:
        raise RuntimeError(seen.crash)


def preloaded(module: str, arguments: Sequence[str]) -> int:
    """Run a module of this project with system calls that can be struck; its exit code."""
    with tempfile.TemporaryDirectory(prefix="weft-faults-") as folder:
        library = Path(folder) / "strike.so"
        source = Path(__file__).with_name("strike.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(library)}
        root = Path(__file__).resolve().parents[2]
        return subprocess.run(
            [sys.executable, "-m", module, *arguments], env=environment, cwd=root, check=False
        ).returncode


def is_preloaded() -> bool:
    return hasattr(ctypes.CDLL(None), "strike_arm")
