"""Contents on disk, each in a file named by the hash of what it holds. A file is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Collection, Sequence
from io import FileIO
from pathlib import Path
from typing import Final

from graph.storage import Bytes

PART: Final = ".part"
STALE_S: Final = 600.0
"""A part older than this belongs to a writer that is gone; should it not be, its rename fails and nothing is lost."""


class System:
    """What the disk tier asks of the operating system, one call a step, so that a test can make each of them fail."""

    def connect(self, path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)

    def create(self, path: Path) -> FileIO:
        """A new file, open for writing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileIO(path, "x")

    def write(self, file: FileIO, data: memoryview) -> int:
        """How many bytes were taken."""
        return file.write(data) or 0

    def sync(self, file: FileIO) -> None:
        os.fsync(file.fileno())

    def rename(self, part: Path, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.replace(path)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


class Contents:
    """Files of `folder`. Raises OSError."""

    def __init__(self, folder: Path, system: System) -> None:
        self._folder, self._system = folder, system

    def path(self, hash: bytes) -> Path:
        name = hash.hex()
        return self._folder / name[:2] / f"{name[2:]}.safetensors"

    def prepare(self, parts: Sequence[Bytes]) -> Path:
        """Write a content durably under a temporary name."""
        path = self._folder / f"{secrets.token_hex(8)}{PART}"
        try:
            with self._system.create(path) as file:
                for part in parts:
                    rest = memoryview(part)
                    while rest:
                        rest = rest[self._system.write(file, rest) :]
                self._system.sync(file)
        except OSError:
            self.abandon(path)
            raise
        return path

    def place(self, part: Path, hash: bytes) -> None:
        """Give a prepared content its name."""
        self._system.rename(part, self.path(hash))

    def remove(self, hash: bytes) -> None:
        self._system.remove(self.path(hash))

    def abandon(self, part: Path) -> None:
        with contextlib.suppress(OSError):
            self._system.remove(part)

    def there(self, hash: bytes, size: int) -> bool:
        try:
            return self.path(hash).stat().st_size == size
        except OSError:
            return False

    def read(self, hash: bytes, size: int) -> bytearray | None:
        """None when there is no such file of that size."""
        data = bytearray(size)
        try:
            with self.path(hash).open("rb", buffering=0) as file:
                view, read = memoryview(data), 0
                while read < size and (count := file.readinto(view[read:])):
                    read += count
                whole = read == size and not file.read(1)
        except OSError:
            return None
        return data if whole else None

    def sweep(self, known: Collection[bytes]) -> None:
        """Remove files that are not `known`, and parts of writers that are gone."""
        wanted = {self.path(hash) for hash in known}
        now = time.time()
        for path in self._folder.glob("*/*.safetensors"):
            if path not in wanted:
                self._system.remove(path)
        for path in self._folder.glob(f"*{PART}"):
            with contextlib.suppress(FileNotFoundError):
                if now - path.stat().st_mtime > STALE_S:
                    self._system.remove(path)
