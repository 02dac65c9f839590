"""The index of the disk tier: one SQLite file that says which result is made of which contents, shared by processes.

Rows that are believed without a look at the values carry a check of their own, so a flipped bit in them is noticed.
Contents change place only inside a write transaction of this file; it is the lock between processes.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import struct
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from graph.keys import SIZE, Key, Record
from graph.tiers.batch import Fact
from graph.wal import log_ahead

log = logging.getLogger("weft.cache")

OVERHEAD: Final = 256
"""Bytes counted for the row of a result beside what it says."""
CHECK: Final = 8
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS editions (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY AUTOINCREMENT, edition INTEGER NOT NULL, key BLOB NOT NULL,
    body BLOB NOT NULL, UNIQUE (edition, key));
CREATE TABLE IF NOT EXISTS structures (id INTEGER PRIMARY KEY AUTOINCREMENT, edition INTEGER NOT NULL,
    structural BLOB NOT NULL, key BLOB NOT NULL, UNIQUE (edition, structural));
CREATE TABLE IF NOT EXISTS results (edition INTEGER NOT NULL, key BLOB NOT NULL, worth REAL NOT NULL,
    rate REAL NOT NULL, used INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (edition, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_worth ON results (worth, used);
CREATE TABLE IF NOT EXISTS contents (hash BLOB PRIMARY KEY, size INTEGER NOT NULL, data BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reads (hash BLOB NOT NULL, edition INTEGER NOT NULL, key BLOB NOT NULL,
    PRIMARY KEY (hash, edition, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_result ON reads (edition, key);
CREATE TABLE IF NOT EXISTS facts (edition INTEGER NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (edition, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), used INTEGER NOT NULL, floor REAL NOT NULL);
INSERT OR IGNORE INTO state VALUES (1, 0, 0.0);
"""


class Inline(NamedTuple):
    """An output small enough to be written in the index."""

    structure: Any


class Content(NamedTuple):
    """An output kept under the hash of its bytes; `data` None: in a file of its own."""

    hash: bytes
    size: int
    data: bytes | None = None


class Entry(NamedTuple):
    """A result as it is stored."""

    key: Key
    size: int
    seconds: float
    outputs: Mapping[str, Inline | Content]

    @property
    def contents(self) -> list[Content]:
        return [output for output in self.outputs.values() if isinstance(output, Content)]


class Fresh(NamedTuple):
    """What other processes, or an earlier one, have written: records as stored, by key; keys, by structural key."""

    records: Mapping[Key, bytes]
    structures: Mapping[Key, Key]


class Index:
    """One connection: to be used by one thread at a time. Raises sqlite3.Error."""

    def __init__(self, path: Path, edition: str, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self._db = connect(path)
        try:
            self._prepare(edition)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, edition: str) -> None:
        db = self._db
        log_ahead(db)
        db.execute("PRAGMA synchronous=NORMAL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError(f"expected a cache index of version {_VERSION}, got {version}")
        row = db.execute("SELECT id FROM editions WHERE name = ?", (edition,)).fetchone() if version else None
        if row is None:
            with self.writing():
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
                db.execute("INSERT OR IGNORE INTO editions (name) VALUES (?)", (edition,))
                row = db.execute("SELECT id FROM editions WHERE name = ?", (edition,)).fetchone()
        self._edition: int = row[0]

    def damage(self) -> str | None:
        """What is wrong with the file, if anything is."""
        try:
            (found,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return str(error)
        return None if found == "ok" else found

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def writing(self) -> Generator[None]:
        """A write transaction, which keeps other processes from writing; undone whole if anything is raised."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    # Records

    def version(self) -> int:
        """Changes whenever another connection has written."""
        return self._db.execute("PRAGMA data_version").fetchone()[0]

    def last(self) -> tuple[int, int]:
        """The numbers of the last record and structure."""
        rows = dict(self._db.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        return rows.get("records", 0), rows.get("structures", 0)

    def fresh(self, record: int, structure: int) -> Fresh:
        """What was written above these numbers, oldest first."""
        records = self._db.execute(
            "SELECT key, body FROM records WHERE id > ? AND edition = ? ORDER BY id", (record, self._edition)
        )
        structures = self._db.execute(
            "SELECT structural, key FROM structures WHERE id > ? AND edition = ? ORDER BY id",
            (structure, self._edition),
        )
        return Fresh(dict(records.fetchall()), dict(structures.fetchall()))

    def remember(self, records: Iterable[Record], structures: Mapping[Key, Key], most: int) -> None:
        """Add records and what points to them; the oldest beyond `most` go."""
        edition = self._edition
        self._db.executemany(
            "INSERT OR REPLACE INTO records (edition, key, body) VALUES (?, ?, ?)",
            [(edition, record.key, sealed_record(record)) for record in records],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO structures (edition, structural, key) VALUES (?, ?, ?)",
            [(edition, structural, key) for structural, key in structures.items()],
        )
        for table in ("records", "structures"):
            self._db.execute(f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (most,))  # noqa: S608

    # Results

    def holds(self, key: Key) -> bool:
        found = self._db.execute("SELECT 1 FROM results WHERE edition = ? AND key = ?", (self._edition, key))
        return found.fetchone() is not None

    def get(self, key: Key) -> Entry | None:
        """ValueError when the row is damaged."""
        row = self._db.execute("SELECT body FROM results WHERE edition = ? AND key = ?", (self._edition, key))
        found = row.fetchone()
        return None if found is None else _entry(key, opened(key, found[0]))

    def content(self, hash: bytes) -> Content | None:
        row = self._db.execute("SELECT size, data FROM contents WHERE hash = ?", (hash,)).fetchone()
        return None if row is None else Content(hash, row[0], row[1])

    def results(self) -> int:
        return self._db.execute("SELECT count(*) FROM results").fetchone()[0]

    def used(self) -> int:
        return self._db.execute("SELECT used FROM state").fetchone()[0]

    def add(self, entry: Entry, budget: int) -> list[bytes] | None:
        """Add a result, after the least worthy have left to make room for it. The hashes of files that nothing needs
        any more; None, and nothing is added, when it is larger than the budget."""
        db, edition = self._db, self._edition
        body = sealed(entry.key, _body(entry))
        contents = {content.hash: content for content in entry.contents}
        size = len(body) + OVERHEAD + sum(content.size for content in contents.values())
        if size > budget:
            return None
        freed = self.discard(entry.key)
        while self.used() + (needed := size - self._shared(contents)) > budget:
            freed += self._evict()
        rate = entry.seconds / size
        db.execute(
            "INSERT INTO results SELECT ?, ?, floor + ?, ?, ?, ?, ? FROM state",
            (edition, entry.key, rate, rate, time.time_ns(), len(body) + OVERHEAD, body),
        )
        db.executemany("INSERT OR IGNORE INTO contents VALUES (?, ?, ?)", contents.values())
        db.executemany("INSERT INTO reads VALUES (?, ?, ?)", [(hash, edition, entry.key) for hash in contents])
        db.execute("UPDATE state SET used = used + ?", (needed,))
        return [hash for hash in freed if hash not in contents]

    def _shared(self, contents: Mapping[bytes, Content]) -> int:
        """Bytes of those contents that are there already."""
        return sum(content.size for hash, content in contents.items() if self.content(hash) is not None)

    def touch(self, keys: Iterable[Key]) -> None:
        """These were used just now: they are worth what they cost above the present floor again."""
        self._db.executemany(
            "UPDATE results SET worth = (SELECT floor FROM state) + rate, used = ? WHERE edition = ? AND key = ?",
            [(time.time_ns(), self._edition, key) for key in keys],
        )

    def discard(self, key: Key) -> list[bytes]:
        """Remove a result; the hashes of files that nothing needs any more."""
        return self._remove(self._edition, key)

    def discard_content(self, hash: bytes) -> list[bytes]:
        """Remove a content with every result made of it; the hashes of files that nothing needs any more."""
        readers = self._db.execute("SELECT edition, key FROM reads WHERE hash = ?", (hash,)).fetchall()
        return [freed for edition, key in readers for freed in self._remove(edition, key)]

    def _evict(self) -> list[bytes]:
        row = self._db.execute("SELECT edition, key, worth FROM results ORDER BY worth, used LIMIT 1").fetchone()
        if row is None:
            return self.recount()
        self._db.execute("UPDATE state SET floor = ?", (row[2],))
        return self._remove(row[0], row[1])

    def _remove(self, edition: int, key: Key) -> list[bytes]:
        db = self._db
        row = db.execute("SELECT size FROM results WHERE edition = ? AND key = ?", (edition, key)).fetchone()
        if row is None:
            return []
        hashes = [
            hash for (hash,) in db.execute("SELECT hash FROM reads WHERE edition = ? AND key = ?", (edition, key))
        ]
        db.execute("DELETE FROM results WHERE edition = ? AND key = ?", (edition, key))
        db.execute("DELETE FROM reads WHERE edition = ? AND key = ?", (edition, key))
        size, freed = row[0], list[bytes]()
        for hash in hashes:
            content = self.content(hash)
            if content is None or db.execute("SELECT 1 FROM reads WHERE hash = ? LIMIT 1", (hash,)).fetchone():
                continue
            db.execute("DELETE FROM contents WHERE hash = ?", (hash,))
            size += content.size
            if content.data is None:
                freed.append(hash)
        db.execute("UPDATE state SET used = used - ?", (size,))
        return freed

    def recount(self) -> list[bytes]:
        """Bring the books in line with the rows. Returns the hashes of contents that nothing reads, now forgotten."""
        db = self._db
        orphans = [
            hash for (hash,) in db.execute("SELECT hash FROM contents WHERE hash NOT IN (SELECT hash FROM reads)")
        ]
        db.executemany("DELETE FROM contents WHERE hash = ?", [(hash,) for hash in orphans])
        db.execute(
            "UPDATE state SET used = (SELECT coalesce(sum(size), 0) FROM results)"
            " + (SELECT coalesce(sum(size), 0) FROM contents)"
        )
        return orphans

    def files(self) -> set[bytes]:
        """The hashes of all contents that have a file."""
        return {hash for (hash,) in self._db.execute("SELECT hash FROM contents WHERE data IS NULL")}

    def clear(self) -> None:
        """Forget every result and record, of every edition."""
        for table in ("results", "reads", "contents", "records", "structures"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608
        self._db.execute("UPDATE state SET used = 0, floor = 0.0")

    # Facts

    def fact(self, name: str) -> bytes | None:
        """ValueError when it is damaged."""
        row = self._db.execute("SELECT body FROM facts WHERE edition = ? AND name = ?", (self._edition, name))
        found = row.fetchone()
        return None if found is None else opened(name.encode(), found[0])

    def keep(self, facts: Mapping[str, Fact]) -> None:
        """Within a transaction, as what is there may enter what is written."""
        for name, fact in facts.items():
            body = fact if isinstance(fact, bytes) else fact(self._believed(name))
            row = (self._edition, name, sealed(name.encode(), body))
            self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", row)

    def _believed(self, name: str) -> bytes | None:
        try:
            return self.fact(name)
        except ValueError:
            return None


def open_both(
    path: Path, edition: str, connect: Callable[[Path], sqlite3.Connection], damage: str | None = None
) -> tuple[Index, Index]:
    """For reading and for writing. A file that is damaged, as is seen or as `damage` says, holds nothing that cannot be
    made again: an empty one takes its place."""
    if damage is not None:
        log.warning("the cache index %s is damaged (%s); starting an empty one", path, damage)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    try:
        return Index(path, edition, connect), Index(path, edition, connect)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        if damage is not None:
            raise
        return open_both(path, edition, connect, str(error))


def sealed(key: bytes, body: bytes) -> bytes:
    """The body with a check that binds it to its key."""
    return blake2b(key + body, digest_size=CHECK).digest() + body


def opened(key: bytes, row: bytes) -> bytes:
    """The body; ValueError when a bit of it or of the key has changed."""
    body = row[CHECK:]
    if blake2b(key + body, digest_size=CHECK).digest() != row[:CHECK]:
        raise ValueError("a row of the cache index is damaged")
    return body


def sealed_record(record: Record) -> bytes:
    prints = b"".join(
        len(name := output.encode()).to_bytes(2, "big") + name + print for output, print in record.fingerprints.items()
    )
    return sealed(record.key, struct.pack(">dQ", record.seconds, record.size) + prints)


def opened_record(key: Key, row: bytes) -> Record:
    """ValueError when the row is damaged."""
    body = opened(key, row)
    prints: dict[str, bytes] = {}
    at = 16
    while at < len(body):
        name = at + 2
        end = name + int.from_bytes(body[at:name], "big")
        prints[body[name:end].decode()] = body[end : end + SIZE]
        at = end + SIZE
    return Record(key, prints, *struct.unpack(">dQ", body[:16]))


def _body(entry: Entry) -> bytes:
    outputs: Mapping[str, Sequence[Any]] = {
        name: [output.structure] if isinstance(output, Inline) else [output.hash.hex(), output.size]
        for name, output in entry.outputs.items()
    }
    return json.dumps([entry.size, entry.seconds, outputs], separators=(",", ":")).encode()


def _entry(key: Key, body: bytes) -> Entry:
    size, seconds, outputs = json.loads(body)
    return Entry(
        key,
        size,
        seconds,
        {
            name: Inline(output[0]) if len(output) == 1 else Content(bytes.fromhex(output[0]), output[1])
            for name, output in outputs.items()
        },
    )
