"""One SQLite file, one thread that owns it, and group commit: work that waits together is made durable by one fsync."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from jobs.exits import Exit, Failure

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
log = logging.getLogger("weft.jobs")

IDLE_S = 0.25
"""After such a pause the log is copied into the file: in the midst of work that would hold up whoever waits."""
LONGEST_LOG = 8192
"""Pages of the log, of 4 KiB, at which it is copied even without a pause."""


class DatabaseTooNew(Failure):
    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            Exit.BAD_DATA,
            f"{path} has schema version {found}, this program knows up to {known}: "
            "it was written by a later version; run that version or choose another --data",
        )


class DatabaseUnusable(Failure):
    def __init__(self, path: Path, error: sqlite3.Error) -> None:
        code, way = Exit.CANNOT_WRITE, "choose another --data"
        if not isinstance(error, sqlite3.OperationalError):
            code, way = Exit.BAD_DATA, "move it away to begin without what it holds, or choose another --data"
        super().__init__(code, f"the database {path} cannot be opened: {error}; {way}")


class DatabaseClosed(RuntimeError):
    """Asked of a database that was stopped."""


def connect(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open `path` durably (WAL, FULL) and bring its schema up to `migrations`, one transaction a step.

    Raises DatabaseTooNew and DatabaseUnusable."""
    try:
        return _connect(path, migrations)
    except sqlite3.Error as error:
        raise DatabaseUnusable(path, error) from error


def _connect(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(f"PRAGMA wal_autocheckpoint={LONGEST_LOG}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(migrations):
            raise DatabaseTooNew(path, version, len(migrations))
        for step in range(version, len(migrations)):
            connection.executescript(f"BEGIN IMMEDIATE;{migrations[step]};PRAGMA user_version={step + 1};COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass(frozen=True)
class _Request:
    work: Work[Any]
    future: asyncio.Future[Any]


class Database:
    """Runs functions over the connection in its thread; each is one transaction of its own and all or nothing."""

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self._path, self._migrations = path, migrations
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="database", daemon=True)
        self._opened: asyncio.Future[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Open and migrate. Raises DatabaseTooNew and DatabaseUnusable."""
        self._loop = asyncio.get_running_loop()
        self._opened = self._loop.create_future()
        self._thread.start()
        await self._opened

    async def stop(self) -> None:
        """Finish what was asked, then close the file."""
        self._closed = True
        self._requests.put(None)
        await asyncio.to_thread(self._thread.join)

    async def run(self, work: Work[T]) -> T:
        """The result of `work(connection)`, once it is committed; its exception, once it is rolled back."""
        if self._closed:
            raise DatabaseClosed(f"{self._path} is closed: the server is stopping")
        future: asyncio.Future[T] = self._loop.create_future()
        self._requests.put(_Request(work, future))
        return await future

    def _serve(self) -> None:
        assert self._opened is not None
        try:
            connection = connect(self._path, self._migrations)
        except Failure as error:
            self._loop.call_soon_threadsafe(_settle, [(self._opened, error)])
            return
        self._loop.call_soon_threadsafe(_settle, [(self._opened, None)])
        try:
            while group := self._next_group(connection):
                self._loop.call_soon_threadsafe(_settle, _transact(connection, group))
        finally:
            connection.close()

    def _next_group(self, connection: sqlite3.Connection) -> list[_Request]:
        """Everything waiting now, at least one request; empty when the end was asked for."""
        group: list[_Request] = []
        try:
            request = self._requests.get(timeout=IDLE_S)
        except queue.Empty:
            _checkpoint(connection)
            request = self._requests.get()
        while request is not None:
            group.append(request)
            try:
                request = self._requests.get_nowait()
            except queue.Empty:
                return group
        if group:
            self._requests.put(None)
        return group


def _checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the log into the file. What cannot be copied, for want of room say, waits in the log for the next pause."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    except sqlite3.Error as error:
        log.warning("the log of the database is not copied into its file yet: %s", error)


def _transact(connection: sqlite3.Connection, group: Sequence[_Request]) -> list[tuple[asyncio.Future[Any], object]]:
    results: list[tuple[asyncio.Future[Any], object]] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for request in group:
            connection.execute("SAVEPOINT request")
            try:
                results.append((request.future, request.work(connection)))
            except Exception as error:
                if not connection.in_transaction:
                    raise
                connection.execute("ROLLBACK TO request")
                results.append((request.future, error))
            connection.execute("RELEASE request")
        connection.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - nothing was committed: everyone who asked is told
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return [(request.future, error) for request in group]
    return results


def _settle(results: Sequence[tuple[asyncio.Future[Any], object]]) -> None:
    for future, result in results:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
