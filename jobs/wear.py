"""What jobs leave behind in their worker: small things are put back; for what cannot be, the worker is replaced.

A node runs in the process of the worker and may change all of it. Back go the working directory, the permissions of new
files, variables of the environment, the recursion limit and the standard streams. Not to be mended are memory that
nobody accounts for, and standard descriptors that were closed: what is opened next takes their numbers, and is printed
into.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

STATUS = Path("/proc/self/status")


class Wear:
    """Made when the worker is ready. `margin` is how many bytes its memory may grow beyond what `accounted` says; 0 is
    any. Memory is known on Linux only."""

    def __init__(self, margin: int, accounted: Callable[[], int]) -> None:
        self._margin, self._accounted = margin, accounted
        self._folder, self._variables, self._recursion = Path.cwd(), dict(os.environ), sys.getrecursionlimit()
        self._mask = os.umask(0o022)
        os.umask(self._mask)
        self._descriptors = [_identity(number) for number in (1, 2)]
        self._first = private_memory()

    def after_job(self) -> str | None:
        """Put back what a job has changed; why the worker is to be replaced, if it is."""
        os.umask(self._mask)
        sys.setrecursionlimit(self._recursion)
        if not _is_at(self._folder):
            os.chdir(self._folder)
        changed = {name: value for name, value in self._variables.items() if os.environ.get(name) != value}
        os.environ.update(changed)
        if [_identity(number) for number in (1, 2)] != self._descriptors:
            return "a job closed the standard output or error of the worker"
        sys.stdout, sys.stderr = _open(sys.stdout, 1), _open(sys.stderr, 2)
        return self._drift()

    def _drift(self) -> str | None:
        """Private memory counts, not files that are mapped. Unreachable objects and what the allocator holds back are
        given up before the verdict."""
        if not self._margin or private_memory() - self._first <= self._margin:
            return None
        gc.collect()
        _trim()
        grown, accounted = private_memory() - self._first, self._accounted()
        if grown - accounted <= self._margin:
            return None
        mb = 1 << 20
        return f"recycled: memory grew by {grown // mb} MB since it started, of which {accounted // mb} MB are results"


def private_memory() -> int:
    """Resident bytes of this process that no file is behind; 0 where the system does not tell."""
    if sys.platform == "linux":
        for line in STATUS.read_bytes().splitlines():
            if line.startswith(b"RssAnon:"):
                return int(line.split()[1]) << 10
    return 0


def _trim() -> None:
    """Have the C library give freed memory back, where it is one that can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def _is_at(folder: Path) -> bool:
    try:
        return Path.cwd() == folder
    except FileNotFoundError:
        return False


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _open(stream: TextIO, descriptor: int) -> TextIO:
    if stream is (sys.__stdout__ if descriptor == 1 else sys.__stderr__) and not stream.closed:
        return stream
    return os.fdopen(descriptor, "w", buffering=1, errors="backslashreplace", closefd=False)
