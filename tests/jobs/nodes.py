"""Nodes for the tests of the worker: some that compute, some that save, some that bring their process down."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated, Any

from graph import NO_CONTEXT, Choice, Context, InputFile, OutputFile, node

LEAKED: list[bytes] = []


@node("Number", category="test")
def number(value: int = 0) -> int:
    """The given number."""
    return value


@node("Add", category="test")
def add(left: int, right: int = 1) -> int:
    """The sum."""
    return left + right


@node("Show", category="test", sink=True)
def show(value: int) -> str:
    """The number as text."""
    return str(value)


@node("Save", category="test", sink=True)
def save(value: int, prefix: str = "number", temporary: bool = False, ctx: Context = NO_CONTEXT) -> list[OutputFile]:
    """The number as a text file."""
    data = str(value).encode()
    return [ctx.save(data, prefix=prefix, media_type="text/plain", width=1, height=2, temporary=temporary)]


@node("Steps", category="test")
def steps(value: int, count: int = 10, seconds: float = 0.01, ctx: Context = NO_CONTEXT) -> int:
    """The same number, after `count` steps with a preview each."""
    for step in range(count):
        time.sleep(seconds)
        ctx.progress(step + 1, count)
        ctx.preview("text/plain", b"step %d" % step)
    return value


@node("Fail", category="test")
def fail(value: int) -> int:
    """Raises."""
    raise ValueError(f"no good: {value}")


@node("Chat", category="test")
def chat(value: int) -> int:
    """Prints, reads, and says something on standard error."""
    print("to standard output")
    os.write(1, b"to descriptor 1\n")
    print("to standard error", file=sys.stderr)
    assert sys.stdin.read() == ""
    return value


@node("End", category="test")
def end(
    value: int, how: Annotated[str, Choice(["exit", "segfault", "kill", "fork", "close", "spin", "garbage"])]
) -> int:
    """Brings the worker down, or takes it away for good."""
    match how:
        case "exit":
            os._exit(7)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "fork":
            subprocess.Popen(["sleep", "60"])
            os._exit(3)
        case "close":
            os.closerange(3, 256)
        case "spin":
            ctypes.PyDLL(None).sleep(60)
        case _:
            for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
                with contextlib.suppress(OSError):
                    if descriptor > 2 and stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                        os.write(descriptor, b"\xff" * 64)
    time.sleep(60)
    return value


@node("EndOnce", category="test")
def end_once(value: int, marker: str) -> int:
    """Brings the worker down, unless the file `marker` is there."""
    if not Path(marker).exists():
        Path(marker).touch()
        os._exit(9)
    return value


@node("Meet", category="test")
def meet(value: int, mine: str, other: str) -> int:
    """Touches the file `mine` and returns once there is the file `other`."""
    Path(mine).touch()
    deadline = time.monotonic() + 30
    while not Path(other).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(other)
        time.sleep(0.01)
    return value


@node("Hold", category="test")
def hold(value: int, log: str, until: str) -> int:
    """Adds its process to the file `log` and returns once there is the file `until`."""
    with Path(log).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return meet(value, log, until)


@node("Measure", category="test", volatile="a file")
def measure(file: str) -> int:
    """How long a file is at the moment."""
    return Path(file).stat().st_size


@node("Same", category="test", sink=True)
def same(value: Any) -> str:
    """How the value is written."""
    return repr(value)


@node("Mess", category="test")
def mess(value: int) -> int:
    """Leaves the process in disorder."""
    os.umask(0o777)
    os.chdir("/")
    os.environ.clear()
    sys.setrecursionlimit(120)
    sys.stdout.close()
    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    return value


@node("Leak", category="test")
def leak(value: int, megabytes: int = 1) -> int:
    """Holds memory that nobody accounts for."""
    LEAKED.append(b"\x01" * (megabytes << 20))
    return value


@node("Exit", category="test")
def leave(value: int) -> int:
    """Raises SystemExit."""
    sys.exit(value)


@node("Threads", category="test")
def threads() -> int:
    """How many threads the worker has."""
    return threading.active_count()


@node("Read", category="test")
def read(file: Annotated[str, InputFile("text")]) -> int:
    """Length of an uploaded text."""
    return len(Path(file).read_text())
