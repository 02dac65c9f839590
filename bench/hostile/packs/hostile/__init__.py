"""Nodes that do their worst to the process they run in, and two that behave."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from graph import NO_CONTEXT, Choice, Context, OutputFile, node

LONG_S = 600


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("there are no words for it")


def fail(_: Context) -> None:
    raise ValueError("I do not like this number")


def fail_unspeakably(_: Context) -> None:
    raise Unspeakable


def leave(_: Context) -> None:
    sys.exit("I have had enough")


def leave_at_once(_: Context) -> None:
    os._exit(7)


def crash(_: Context) -> None:
    ctypes.string_at(8)


def abort(_: Context) -> None:
    os.abort()


def kill_group(_: Context) -> None:
    os.killpg(0, signal.SIGKILL)


def spin(_: Context) -> None:
    """Holds the interpreter, so that no other thread of the process gets a turn."""
    ctypes.PyDLL(None).sleep(LONG_S)


def loop(_: Context) -> None:
    while True:
        pass


def deadlock(_: Context) -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def stop(_: Context) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(LONG_S)


def swallow(ctx: Context) -> None:
    """Takes the cancellation for an error of its own, and goes on."""
    while True:
        with contextlib.suppress(BaseException):
            ctx.progress(1, 2)
        time.sleep(0.01)


def allocate(_: Context) -> None:
    bytearray(10 << 30)


def recurse(_: Context) -> None:
    recurse(_)


def close_all(_: Context) -> None:
    os.closerange(0, 4096)
    time.sleep(LONG_S)


def shout(_: Context) -> None:
    """A gigabyte, half of it in lines."""
    for _number in range(512):
        os.write(1, b"x" * (1 << 20))
        sys.stderr.write("0123456789abcde\n" * (1 << 16))


def orphan(_: Context) -> None:
    """A child in a session of its own, with all descriptors of the worker, outlives it."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(LONG_S)
    subprocess.Popen(["sleep", str(LONG_S)], start_new_session=True, close_fds=False)
    os._exit(3)


def twins(_: Context) -> None:
    """Two processes come back."""
    os.fork()


def garble(_: Context) -> None:
    for descriptor in _pipes():
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\xff" * 64)
    time.sleep(LONG_S)


def forge(_: Context) -> None:
    """A message whose form is right, about a job nobody knows, and answers to questions nobody asked."""
    for head in ({"op": "answer"}, {"op": "done", "job": 1}, {"op": "events", "job": None, "attempt": []}, {"op": "x"}):
        body = json.dumps(head).encode()
        for descriptor in _pipes():
            with contextlib.suppress(OSError):
                os.write(descriptor, struct.pack(">II", len(body), 0) + body)
    time.sleep(LONG_S)


def mess(_: Context) -> None:
    os.umask(0o777)
    os.chdir("/")
    os.environ.clear()
    sys.setrecursionlimit(200)
    sys.stdout.close()


def crowd(_: Context) -> None:
    """Threads that outlive the job, and the next ones."""
    for _number in range(200):
        threading.Thread(target=time.sleep, args=(5,)).start()


def flood(ctx: Context) -> None:
    """400 MB of previews as fast as they go."""
    for step in range(2000):
        ctx.preview("image/png", b"\x01" * 150_000)
        ctx.progress(step + 1, 2000)


def _pipes() -> Iterator[int]:
    """Descriptors above the standard ones that something may be listening to."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if int(entry.name) > 2 and stat.S_ISFIFO(os.fstat(int(entry.name)).st_mode):
                yield int(entry.name)


ACTS: Mapping[str, Callable[[Context], None]] = {
    act.__name__: act
    for act in (fail, fail_unspeakably, leave, leave_at_once, crash, abort, kill_group, spin, loop, deadlock, stop)
    + (swallow, allocate, recurse, close_all, shout, orphan, twins, garble, forge, mess, crowd, flood)
}


@node("hostile.Act", category="hostile")
def act(value: int, how: Annotated[str, Choice(list(ACTS))], ctx: Context = NO_CONTEXT) -> int:
    """The number, if it gets that far."""
    ACTS[how](ctx)
    return value


@node("hostile.Calm", category="hostile")
def calm(value: int) -> int:
    """The number after it."""
    print("all is well with", value)
    return value + 1


@node("hostile.Write", category="hostile", sink=True)
def write(value: int, ctx: Context = NO_CONTEXT) -> list[OutputFile]:
    """The number as a file."""
    data = str(value).encode()
    return [ctx.save(data, prefix="calm", media_type="text/plain", width=1, height=1, temporary=False)]
