"""Results on disk: shared by processes, there after a restart, believed only when their hash agrees.

Whoever runs never waits for a write: a thread of its own takes what was put and noted in a pause, or when it has
waited long enough, and writes it in one transaction. What waits can be read as if it were written. A write that fails
costs what it was to keep, and nothing else. Who claims a result has it until it is written, so that no other process
makes it meanwhile.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from graph.keys import Key, Record
from graph.ledger import Account
from graph.storage import Storage, Unstorable
from graph.tiers.batch import Batch, Fact
from graph.tiers.claims import Claims
from graph.tiers.contents import Contents, System
from graph.tiers.index import Content, Entry, Fresh, Index, open_both
from graph.tiers.packing import SMALL, Damaged, Packing
from graph.tiers.tier import Result

T = TypeVar("T")
log = logging.getLogger("weft.cache")

READ_RATE: Final = 200e6
"""Bytes a second at which a result is read back, at the least: one that is made faster is not worth writing."""
PAUSE_S: Final = 0.15
PATIENCE_S: Final = 1.0
LONG_PATIENCE_S: Final = 5.0
WORK_S: Final = 0.5
"""Without a pause, results are written this long after the first: sooner when they took more than WORK_S to make."""
WAITING_BYTES: Final = 256 << 20
"""Bytes that may wait to be written; what comes on top is not written, lest memory overflow."""
MOST_RECORDS: Final = 100_000
LOOK_S: Final = 0.05
"""How often a writer that waits looks whether another process waits for what it has."""


class Disk:
    """Tier over `folder`, within a budget of bytes for all processes that share it.

    `edition` names what results depend on beside their keys (the sources, the device): those of another edition are
    never seen, and leave first as nobody uses them.
    """

    def __init__(
        self, folder: Path, account: Account, storage: Storage, edition: str, system: System | None = None
    ) -> None:
        self.account = account
        self._alive: dict[Key, str] = {}
        self.tidied = False
        """whether what an earlier process has left behind is gone"""
        self.failures = 0
        self.damaged = 0
        self._folder = folder
        self._system = system or System()
        self._contents = Contents(folder / "contents", self._system)
        self._packing = Packing(storage, self._contents)
        self._reading, self._owning = threading.Lock(), threading.Lock()
        """around the connection that reads, and the one that writes"""
        self._lock = threading.RLock()
        self._turn = threading.Condition(self._lock)
        self._waiting, self._writing = Batch(), Batch()
        self._since = self._active = 0.0
        self._runs = 0
        self._hurry = self._closing = False
        self._seen, self._version = (0, 0), -1
        folder.mkdir(parents=True, exist_ok=True)
        self._claims = Claims(folder / "claims", edition)
        self._open = partial(open_both, folder / "index.db", edition, self._system.connect)
        self._index, self._own = self._open()
        self._writer = threading.Thread(target=self._work, name="cache-writer", daemon=True)
        self._writer.start()

    def _examine(self) -> None:
        """Look through an index that could be opened: a page that is read later may be damaged too."""
        with self._owning:
            damage = self._own.damage()
        if damage is not None:
            with self._reading, self._owning:
                self._index.close()
                self._own.close()
                self._index, self._own = self._open(damage)

    def _tidy(self, index: Index) -> list[bytes]:
        """What an earlier process has left behind."""
        orphans = index.recount()
        self._contents.sweep(index.files())
        return orphans

    # Who makes what

    def claim(self, key: Key) -> bool:
        """False while another process makes the result `key`, or is about to write it; not of one that cannot be
        written."""
        return self._claims.take(key) or self.why_alive(key) is not None

    def unclaim(self, key: Key, made: Record | None) -> None:
        """The result was made, or given up: others may have the claim, once what was made is written."""
        if made is not None and self._held(made.key) is not None:
            with self._lock:
                if not self._waiting.claims:
                    self._turn.notify_all()
                self._waiting.claims.append(key)
                self._stir()
        else:
            self._claims.give_back(key)

    # What was ever made

    def fresh(self) -> Fresh:
        """Records and structures written by others since the last call, or ever at the first one."""
        return self._ask(self._news, Fresh({}, {}))

    def _news(self, index: Index) -> Fresh:
        version = index.version()
        if version == self._version:
            return Fresh({}, {})
        self._version, last = version, index.last()
        seen, self._seen = self._seen, last
        return Fresh({}, {}) if last == seen else index.fresh(*seen)

    def _ask(self, question: Callable[[Index], T], otherwise: T) -> T:
        """What the index says; `otherwise` where it cannot be read, or what it says is damaged."""
        with self._reading:
            try:
                return question(self._index)
            except (sqlite3.Error, ValueError) as error:
                self._failed("read from", error)
                return otherwise

    def remember(self, structural: Key | None, record: Record, result: Result | None = None) -> None:
        """Write soon that a record was made, that a structural key leads to it, and the result if it is worth it."""
        with self._lock:
            waiting, key = self._waiting, record.key
            waiting.records[key] = record
            if structural is not None:
                waiting.structures[structural] = key
            if result is not None and self._is_worth(key, result):
                waiting.results[key] = result
                waiting.bytes += result.size
                waiting.seconds += result.seconds
            self._stir()

    def _is_worth(self, key: Key, result: Result) -> bool:
        if result.size > SMALL and result.seconds * READ_RATE < result.size:
            return False
        if self.account.budget == 0 or key in self._alive:
            return False
        return self._waiting.bytes + result.size <= WAITING_BYTES and key not in self._writing.results

    def link(self, structural: Key, key: Key) -> None:
        with self._lock:
            self._waiting.structures[structural] = key
            self._stir()

    def keep(self, name: str, body: Fact) -> None:
        """Write a small fact about this edition, soon; what is called makes it then of the one that is there."""
        with self._lock:
            self._waiting.facts[name] = body
            self._stir()

    def fact(self, name: str) -> bytes | None:
        return self._ask(lambda index: index.fact(name), None)

    def why_alive(self, key: Key) -> str | None:
        """Why a result cannot be written down, of one that cannot."""
        if (reason := self._alive.get(key)) is not None:
            return reason
        stored = self.fact(_alive(key))
        return None if stored is None else stored.decode()

    # Results

    def hit(self, key: Key) -> bool:
        return self._held(key) is not None or self._ask(lambda index: index.holds(key), otherwise=False)

    def get(self, key: Key) -> Result | None:
        """The result with every hash checked; what is damaged is dropped and None."""
        if (waiting := self._held(key)) is not None:
            return waiting
        try:
            with self._reading:
                entry = self._index.get(key)
            if entry is None:
                return None
            outputs = {name: self._packing.unpack(each, self._content) for name, each in entry.outputs.items()}
        except ValueError as error:
            self._drop_damaged(key, None, str(error))
            return None
        except Damaged as damaged:
            self._drop_damaged(key, damaged.hash, "a content does not have its hash any more")
            return None
        except sqlite3.Error as error:
            self._failed("read from", error)
            return None
        with self._lock:
            self._waiting.touched.add(key)
            self._stir()
        return Result(outputs, entry.size, entry.seconds)

    def drop(self, key: Key) -> None:
        """Remove a result that no longer stands."""
        with self._lock:
            if (waiting := self._waiting.results.pop(key, None)) is not None:
                self._waiting.bytes -= waiting.size
        self._remove(lambda index: index.discard(key))

    def clear(self) -> None:
        """Remove every result and record, of every edition."""
        with self._lock:
            self._waiting = Batch(facts=self._waiting.facts, claims=self._waiting.claims)
        self.flush()

        def clear(index: Index) -> list[bytes]:
            files = list(index.files())
            index.clear()
            return files

        self._remove(clear)

    def flush(self) -> None:
        """Return when all that waits now has been written, or failed to be."""
        with self._lock:
            self._hurry = True
            self._turn.notify_all()
            while (self._waiting or self._writing) and self._writer.is_alive():
                self._turn.wait(1.0)

    def report(self) -> dict[str, Any]:
        """The account, and how many reads or writes failed and how many results were found damaged."""
        self._count()
        return {**self.account.to_json(), "failures": self.failures, "damaged": self.damaged}

    def close(self) -> None:
        self.flush()
        with self._lock:
            self._closing = True
            self._turn.notify_all()
        self._writer.join()
        with self._reading, self._owning:
            self._index.close()
            self._own.close()
        self._claims.close()

    def _held(self, key: Key) -> Result | None:
        """What waits to be written, or is being written."""
        return self._waiting.results.get(key) or self._writing.results.get(key)

    def _content(self, hash: bytes) -> Content | None:
        with self._reading:
            return self._index.content(hash)

    def _drop_damaged(self, key: Key, hash: bytes | None, why: str) -> None:
        self.damaged += 1
        log.warning("a result on disk is dropped and will be made again: %s", why)
        self._remove(lambda index: index.discard(key) if hash is None else index.discard_content(hash))

    # The writer

    @contextmanager
    def run(self) -> Generator[None]:
        """While a run goes on, what waits is not written before it has waited long enough: both would be slower."""
        with self._lock:
            self._runs += 1
        try:
            yield
        finally:
            with self._lock:
                self._runs -= 1
                if self._waiting:
                    self._active = time.monotonic()
                    self._turn.notify_all()

    def _stir(self) -> None:
        """Something waits. The writer is woken only by the first of a batch; it looks at the clock itself."""
        now = self._active = time.monotonic()
        if not self._since:
            self._since = now
            self._turn.notify_all()

    def _work(self) -> None:
        try:
            self._examine()
        except (OSError, sqlite3.Error) as error:
            self._failed("read from", error)
        self._remove(self._tidy)
        self.tidied = True
        while True:
            with self._lock:
                while (delay := self._delay()) is None or delay > 0:
                    if self._closing and not self._waiting:
                        return
                    self._turn.wait(delay)
                    self._hurry |= bool(self._waiting) and self._claims.was_asked()
                self._writing, self._waiting = self._waiting, Batch()
                self._since, self._hurry = 0.0, False
            try:
                self._write(self._writing)
            except (OSError, sqlite3.Error) as error:
                self._failed("written to", error)
            finally:
                with self._lock:
                    for key in self._writing.claims:
                        self._claims.give_back(key)
                    self._writing = Batch()
                    self._turn.notify_all()

    def _delay(self) -> float | None:
        """Seconds until what waits is written; None when nothing waits."""
        if not self._waiting:
            self._hurry = False
            return None
        if self._hurry or self._closing:
            return 0.0
        now = time.monotonic()
        patience = PATIENCE_S if self._waiting.seconds > WORK_S else LONG_PATIENCE_S
        paused = math.inf if self._runs else self._active + PAUSE_S
        left = min(paused, self._since + patience) - now
        return min(left, LOOK_S) if self._waiting.claims else left

    def _write(self, batch: Batch) -> None:
        parts: dict[bytes, Path] = {}
        try:
            entries = [entry for key, result in batch.results.items() if (entry := self._entry(key, result, parts))]
            with self._owning, self._own.writing():
                before = self._own.last()
                self._own.remember(batch.records.values(), batch.structures, MOST_RECORDS)
                self._own.touch(batch.touched)
                for entry in entries:
                    self._place(entry, parts)
                self._own.keep(batch.facts)
                after = self._own.last()
            with self._reading:
                if self._seen == before:
                    self._seen = after
        finally:
            for part in parts.values():
                self._contents.abandon(part)
        self._count()

    def _entry(self, key: Key, result: Result, parts: dict[bytes, Path]) -> Entry | None:
        """The result packed, its large contents prepared; None when it is alive."""
        try:
            outputs = {name: self._packing.pack(value, parts) for name, value in result.outputs.items()}
        except Unstorable as reason:
            self._alive[key] = str(reason)
            self.keep(_alive(key), str(reason).encode())
            return None
        except Exception as error:  # noqa: BLE001 - whatever a value does when it is looked into, others are written
            self._failed("packed for", error)
            return None
        return Entry(key, result.size, result.seconds, outputs)

    def _place(self, entry: Entry, parts: Mapping[bytes, Path]) -> None:
        """Within the transaction: books and files change together."""
        freed = self._own.add(entry, self.account.budget)
        if freed is None:
            return
        for hash in freed:
            self._contents.remove(hash)
        for content in entry.contents:
            if content.data is not None or self._contents.there(content.hash, content.size):
                continue
            if content.hash in parts:
                self._contents.place(parts[content.hash], content.hash)
            else:  # it was there when the result was packed, and has left since to make room
                self._own.discard_content(content.hash)

    def _remove(self, discard: Callable[[Index], list[bytes]]) -> None:
        try:
            with self._owning, self._own.writing():
                for hash in discard(self._own):
                    self._contents.remove(hash)
            self._count()
        except (OSError, sqlite3.Error) as error:
            self._failed("removed from", error)

    def _count(self) -> None:
        with self._owning:
            self.account.used, self.account.results = self._own.used(), self._own.results()

    def _failed(self, what: str, error: Exception) -> None:
        self.failures += 1
        log.warning("a result could not be %s the cache in %s: %s", what, self._folder, error)


def _alive(key: Key) -> str:
    return f"alive {key.hex()}"
