"""Processes that a worker started and left behind: found by a mark in the environment they inherited, and ended.

Most die with the worker's process group. One that made a session of its own is in no group that is known, and holds
the worker's pipes open and its memory taken. Known on Linux only; elsewhere the group has to do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "WEFT_WORKER"
ROUNDS = 5
"""A stray may start another while they are looked for."""


def end_strays(mark: str) -> int:
    """Kill every process whose environment says VARIABLE=mark; how many there were."""
    ended = 0
    for _ in range(ROUNDS):
        found = list(_marked(mark))
        if not found:
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended += len(found)
    return ended


def _marked(mark: str) -> Iterator[int]:
    if sys.platform != "linux":
        return
    wanted = f"{VARIABLE}={mark}".encode(errors="surrogateescape")
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)
