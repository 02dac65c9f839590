"""The flight recorder: the last node a worker started, readable after the worker was killed.

A shared mapping of a small file costs a microsecond a write and, unlike an event on its way, survives the writer.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_SIZE = 8192
_LENGTH = struct.Struct(">I")


class Recorder:
    """The writing side; `path` must have been made by `prepare`."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE)

    def note(self, job: str, node: str) -> None:
        data = f"{job}\n{node}".encode("utf-8", "surrogatepass")[: _SIZE - _LENGTH.size]
        self._map[: _LENGTH.size + len(data)] = _LENGTH.pack(len(data)) + data


def prepare(path: Path) -> None:
    """An empty record, replacing an earlier one. Raises OSError."""
    path.write_bytes(bytes(_SIZE))


def last_node(path: Path, job: str) -> str | None:
    """The last node started in `job`; None when none was, or nothing could be recorded."""
    data = path.read_bytes()
    if len(data) < _SIZE:
        return None
    (length,) = _LENGTH.unpack_from(data)
    noted_job, _, node = data[_LENGTH.size : _LENGTH.size + length].decode("utf-8", "replace").partition("\n")
    return node if noted_job == job else None
