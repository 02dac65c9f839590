"""Results of nodes, kept between runs: tiers from fastest to slowest, and a memory of what was ever made.

A result is stored under its value key; structural keys point to it. A Record outlives the values it describes, so that
an evicted result still tells its readers what it was, and a miss can be explained.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from threading import RLock
from typing import Any, Protocol

from graph.flights import Flights
from graph.keys import Fingerprint, Key, Record, fingerprint
from graph.plan import History, Plan
from graph.values import Traits

Outputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What a node returned, its size in bytes and what it took to make, in seconds."""

    outputs: Outputs
    size: int
    seconds: float


class Tier(Protocol):
    """One level of storage."""

    def hit(self, key: Key) -> bool: ...

    def get(self, key: Key) -> Result | None: ...

    def put(self, key: Key, result: Result) -> Sequence[tuple[Key, Result]]:
        """Store, and return what had to leave to make room; the result itself when it does not fit."""
        ...


class Memory:
    """Tier within a budget of bytes. What leaves first is what is cheapest to make again per byte, and oldest:
    GreedyDual-Size (Cao and Irani, 1997), where a result's worth is its seconds per byte above a floor that rises to
    the worth of whatever left last."""

    OVERHEAD = 512
    """Bytes an entry costs beside its values."""

    def __init__(self, budget: int) -> None:
        self.budget, self.used = budget, 0
        self._floor = 0.0
        self._results: dict[Key, Result] = {}
        self._worth: dict[Key, float] = {}
        self._queue: list[tuple[float, int, Key]] = []
        self._turn = count()

    def hit(self, key: Key) -> bool:
        return key in self._results

    def get(self, key: Key) -> Result | None:
        result = self._results.get(key)
        if result is not None:
            self._worth[key] = self._floor + result.seconds / (result.size + self.OVERHEAD)
        return result

    def put(self, key: Key, result: Result) -> Sequence[tuple[Key, Result]]:
        if key in self._results:
            self._remove(key)
        size = result.size + self.OVERHEAD
        if size > self.budget:
            return ((key, result),)
        left: list[tuple[Key, Result]] = []
        while self.used + size > self.budget:
            left.append(self._evict())
        self._results[key] = result
        self.used += size
        worth = self._worth[key] = self._floor + result.seconds / size
        heapq.heappush(self._queue, (worth, next(self._turn), key))
        return left

    def _evict(self) -> tuple[Key, Result]:
        """Remove the least worthy. A place in the queue may be out of date: worth only rises, so it is moved back."""
        while True:
            worth, _, key = heapq.heappop(self._queue)
            now = self._worth.get(key)
            if now is None:
                continue
            if now > worth:
                heapq.heappush(self._queue, (now, next(self._turn), key))
                continue
            self._floor = worth
            return key, self._remove(key)

    def _remove(self, key: Key) -> Result:
        del self._worth[key]
        result = self._results.pop(key)
        self.used -= result.size + self.OVERHEAD
        return result


class Cache:
    """Results over `tiers`, fastest first. Remembers at most `remembered` records, forgetting the oldest."""

    def __init__(self, tiers: Sequence[Tier], traits: Traits, remembered: int = 100_000) -> None:
        self.history, self.flights = History(), Flights()
        self._tiers, self._traits, self._remembered = tiers, traits, remembered
        self._by_structure: dict[Key, Record] = {}
        self._by_value: dict[Key, Record] = {}
        self._lock = RLock()

    def find(self, structural: Key) -> Record | None:
        return self._by_structure.get(structural)

    def known(self, key: Key) -> Record | None:
        """The record of a value key."""
        return self._by_value.get(key)

    def remember(self, plan: Plan) -> None:
        """What is known at the end of a run: why nodes may differ from it, and results found by value, which are from
        now on found by structure too."""
        with self._lock:
            for i in plan.by_value:
                if (record := plan.records[i]) is not None and i not in plan.transient:
                    self._link(plan.keys[i], record)
            self.history.remember(plan)

    def holds(self, record: Record) -> bool:
        return any(tier.hit(record.key) for tier in self._tiers)

    def get(self, record: Record) -> Outputs | None:
        """The outputs, moved to the fastest tier; None when they were evicted or no longer stand."""
        with self._lock:
            for depth, tier in enumerate(self._tiers):
                if (result := tier.get(record.key)) is not None:
                    if depth:
                        self._store(record.key, result)
                    break
            else:
                return None
        return result.outputs if all(map(self._traits.valid, result.outputs.values())) else None

    def describe(
        self, key: Key, outputs: Outputs, seconds: float, forwarded: Mapping[str, Fingerprint] | None = None
    ) -> Record:
        """The record of outputs, which are not kept; of `forwarded` ones the fingerprint is known."""
        known, traits = forwarded or {}, self._traits
        prints = {
            name: known.get(name) or fingerprint(key, name, traits.fingerprint(value))
            for name, value in outputs.items()
        }
        return Record(key, prints, seconds)

    def put(
        self,
        structural: Key | None,
        key: Key,
        outputs: Outputs,
        seconds: float,
        forwarded: Mapping[str, Fingerprint] | None = None,
    ) -> Record:
        """Keep outputs by their value key, and by `structural` where what made them always makes the same."""
        record = self.describe(key, outputs, seconds, forwarded)
        result = Result(outputs, sum(map(self._traits.size, outputs.values())), seconds)
        with self._lock:
            self._by_value[key] = record
            _forget(self._by_value, self._remembered)
            if structural is not None:
                self._link(structural, record)
            self._store(key, result)
        return record

    def _link(self, structural: Key, record: Record) -> None:
        self._by_structure[structural] = record
        _forget(self._by_structure, self._remembered)

    def _store(self, key: Key, result: Result) -> None:
        falling: Sequence[tuple[Key, Result]] = ((key, result),)
        for tier in self._tiers:
            falling = [lower for one in falling for lower in tier.put(*one)]


def _forget(records: dict[Key, Record], most: int) -> None:
    if len(records) > most:
        for key in list(islice(records, most // 10)):
            del records[key]
