"""An operating system for the disk tier that fails, or ends the process, at a chosen call."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import Any

from graph.tiers.contents import System


class Killed(BaseException):
    """The process is gone: nothing it would do after this happens."""


class Faulty(System):
    """Raises at call number `at`, counted from 1 once `armed`; as a full disk, a broken one, or a kill."""

    def __init__(self, at: int, how: str) -> None:
        self.at, self.how, self.armed, self.calls, self.dead = at, how, False, 0, False

    def step(self) -> None:
        if self.dead:
            raise Killed
        if not self.armed:
            return
        self.calls += 1
        if self.calls != self.at:
            return
        if self.how == "kill":
            self.dead = True
            raise Killed
        raise OSError(errno.ENOSPC if self.how == "full" else errno.EIO, self.how)

    def step_sql(self) -> None:
        try:
            self.step()
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from error

    def connect(self, path: Path) -> sqlite3.Connection:
        return sqlite3.connect(
            path, isolation_level=None, timeout=10, check_same_thread=False, factory=_connection(self.step_sql)
        )

    def create(self, path: Path) -> FileIO:
        self.step()
        return super().create(path)

    def write(self, file: FileIO, data: memoryview) -> int:
        half = super().write(file, data[: len(data) // 2 + 1])
        self.step()
        return half

    def sync(self, file: FileIO) -> None:
        self.step()
        super().sync(file)

    def rename(self, part: Path, path: Path) -> None:
        self.step()
        super().rename(part, path)

    def remove(self, path: Path) -> None:
        self.step()
        super().remove(path)


def _connection(step: Callable[[], None]) -> type[sqlite3.Connection]:
    class Connection(sqlite3.Connection):
        def execute(self, statement: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if statement.split()[:1] not in (["SELECT"], ["PRAGMA"], ["ROLLBACK"]):
                step()
            return super().execute(statement, parameters)

        def executemany(self, statement: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
            step()
            return super().executemany(statement, parameters)

    return Connection
