"""Content hashes of files, remembered by what a file cannot change without a trace: path, size, times, inode."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import threading
import time
from pathlib import Path

from graph.wal import log_ahead

log = logging.getLogger("weft.hashes")

SETTLED_NS = 1_000_000_000
"""A file changed less than this ago may change again within one tick of its clock: its hash is not remembered."""


class Hashes:
    """Shared by processes through the SQLite file `memory`; safe to use from threads."""

    def __init__(self, memory: Path) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int, int, int, int], str] = {}
        self._memory = _opened(memory)

    def of(self, path: Path) -> str:
        """BLAKE2b-160 of the content, in hex. OSError when it cannot be read."""
        with path.open("rb") as file:
            identity = _identity(path, os.fstat(file.fileno()))
            with self._lock:
                known = self._known.get(identity) or self._recall(identity)
            if known is not None:
                return known
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()
            unchanged = _identity(path, os.fstat(file.fileno())) == identity
        if unchanged and time.time_ns() - max(identity[2], identity[3]) > SETTLED_NS:
            with self._lock:
                self._remember(identity, digest)
        return digest

    def close(self) -> None:
        self._memory.close()

    def _recall(self, identity: tuple[str, int, int, int, int]) -> str | None:
        try:
            row = self._memory.execute(
                "SELECT hash FROM hashes WHERE path = ? AND size = ? AND mtime = ? AND ctime = ? AND inode = ?",
                identity,
            ).fetchone()
        except sqlite3.Error as error:
            log.warning("hashes of files cannot be looked up: %s", error)
            return None
        if row is None:
            return None
        self._known[identity] = row[0]
        return row[0]

    def _remember(self, identity: tuple[str, int, int, int, int], digest: str) -> None:
        self._known[identity] = digest
        try:
            self._memory.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?)", (*identity, digest))
        except sqlite3.Error as error:
            log.warning("the hash of %s is known to this process only: %s", identity[0], error)


def _opened(memory: Path) -> sqlite3.Connection:
    """The file; an empty one in place of a damaged one, as it holds nothing that cannot be found again; one that is
    forgotten with the process where none can be written."""
    try:
        try:
            return _open(memory)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{memory}{suffix}").unlink(missing_ok=True)
            return _open(memory)
    except (sqlite3.Error, OSError) as error:
        log.warning("hashes of files are forgotten when this process ends: %s: %s", memory, error)
        return _open(":memory:")


def _open(memory: Path | str) -> sqlite3.Connection:
    """Raises sqlite3.DatabaseError when the file is damaged."""
    connection = sqlite3.connect(memory, isolation_level=None, timeout=10, check_same_thread=False)
    log_ahead(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS hashes (path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
        " ctime INTEGER NOT NULL, inode INTEGER NOT NULL, hash TEXT NOT NULL)"
    )
    return connection


def _identity(path: Path, stat: os.stat_result) -> tuple[str, int, int, int, int]:
    return str(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino & (2**63 - 1)
