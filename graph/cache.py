"""Results of nodes, kept between runs: tiers from fastest to slowest, and a memory of what was ever made.

A result is stored under its value key; structural keys point to it. A Record outlives the values it describes, so that
an evicted result still tells its readers what it was, and a miss can be explained. With a disk, results and records
outlive the process too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from threading import Lock, RLock
from typing import Any, TypeVar

from graph import reasons
from graph.costs import Costs
from graph.flights import Flights
from graph.keys import Fingerprint, Key, Record, fingerprint
from graph.ledger import Gauge, TierName
from graph.past import History
from graph.plan import Plan
from graph.tiers.disk import Disk
from graph.tiers.index import opened_record
from graph.tiers.memory import Memory
from graph.tiers.tier import Outputs, Place, Result, Tier
from graph.values import Traits

__all__ = ("Cache", "Memory", "Outputs", "Result", "Tier")

T = TypeVar("T")


class Cache:
    """Results over `tiers` of memory, fastest first, and `disk`. `place` moves values off a device and back,
    `gauge` tells what nodes need there while they run.
    Remembers at most `remembered` records, forgetting the oldest."""

    def __init__(
        self,
        tiers: Sequence[Tier],
        traits: Traits,
        remembered: int = 100_000,
        *,
        disk: Disk | None = None,
        place: Place | None = None,
        gauge: Gauge | None = None,
    ) -> None:
        self.flights = Flights(self)
        self._tiers, self._traits, self._remembered = tiers, traits, remembered
        self._disk, self._place, self.gauge = disk, place, gauge
        self.costs = Costs(None if disk is None else disk.fact("costs"))
        self.history = History() if disk is None else History(partial(disk.fact, "history"))
        self._made: dict[Key, int] = {}
        self._by_structure: dict[Key, Key] = {}
        self._by_value: dict[Key, Record | bytes] = {}
        self._lock, self._loading = RLock(), Lock()
        self.catch_up()

    def catch_up(self) -> None:
        """Learn what other processes have written since."""
        if self._disk is None:
            return
        fresh = self._disk.fresh()
        if not fresh.records and not fresh.structures:
            return
        with self._lock:
            self._by_value.update(fresh.records)
            self._by_structure.update(fresh.structures)
            _forget(self._by_value, self._remembered)
            _forget(self._by_structure, self._remembered)
            self.history.look_again()

    def claim(self, key: Key) -> bool:
        if self._disk is None:
            return True
        granted = self._disk.claim(key)
        if granted:
            self.catch_up()
        return granted

    def unclaim(self, key: Key, made: Record | None) -> None:
        if self._disk is not None:
            self._disk.unclaim(key, made)

    def run(self) -> AbstractContextManager[None]:
        """Around a run: the disk waits with its writing."""
        return nullcontext() if self._disk is None else self._disk.run()

    def find(self, structural: Key) -> Record | None:
        key = self._by_structure.get(structural)
        return None if key is None else self.known(key)

    def known(self, key: Key) -> Record | None:
        """The record of a value key."""
        record = self._by_value.get(key)
        return self._read_record(key, record) if isinstance(record, bytes) else record

    def _read_record(self, key: Key, row: bytes) -> Record | None:
        """A record as the disk has it is read when it is asked for; a damaged one was never made."""
        try:
            record = self._by_value[key] = opened_record(key, row)
        except ValueError:
            self._by_value.pop(key, None)
            return None
        return record

    def remember(self, plan: Plan) -> None:
        """What is known at the end of a run: why nodes may differ from it, and results found by value, which are from
        now on found by structure too."""
        with self._lock:
            for i in plan.by_value:
                if (record := plan.records[i]) is not None and i not in plan.transient:
                    self._link(plan.keys[i], record.key)
                    if self._disk is not None:
                        self._disk.link(plan.keys[i], record.key)
            if self.history.remember(plan) and self._disk is not None:
                self._disk.keep("history", self.history.merged)
            if self.costs.settle(plan) and self._disk is not None:
                self._disk.keep("costs", self.costs.merged)

    def learn(self, plan: Plan, i: int) -> None:
        """What node i, which has just run, has cost: the rest of the run is estimated by it, too."""
        record = plan.records[i]
        with self._lock:
            beside = None if record is None else self._made.pop(record.key, None)
        if record is not None and beside is not None:
            self.costs.learn(plan, i, record, beside)

    def holds(self, record: Record) -> bool:
        if any(tier.hit(record.key) for tier in self._tiers):
            return True
        return self._disk is not None and self._disk.hit(record.key)

    def get(self, record: Record) -> Outputs | None:
        """The outputs, moved to the fastest tier; None when they were evicted or no longer stand."""
        result = self._from_memory(record.key)
        if result is None and self._disk is not None:
            with self._loading:
                result = self._from_memory(record.key) or self._from_disk(record.key, self._disk)
        if result is None:
            return None
        return result.outputs if all(map(self._traits.valid, result.outputs.values())) else None

    def absence(self, record: Record) -> str:
        """Why `get` has nothing for a record, in words."""
        if self.holds(record):
            return reasons.FILE_GONE
        alive = None if self._disk is None else self._disk.why_alive(record.key)
        return reasons.EVICTED if alive is None else f"kept in memory only, and not there any more: {alive}"

    def _from_memory(self, key: Key) -> Result | None:
        with self._lock:
            for depth, tier in enumerate(self._tiers):
                if (result := tier.get(key)) is not None:
                    if result.lowered:
                        tier.drop(key)
                        result = self._lifted(result)
                    if depth:
                        self._store(key, result)
                    return result
        return None

    def _from_disk(self, key: Key, disk: Disk) -> Result | None:
        result = disk.get(key)
        if result is None:
            return None
        with self._lock:
            result = self._measured(result.outputs, result.seconds)
            self._store(key, result)
        return result

    def describe(
        self, key: Key, outputs: Outputs, seconds: float, forwarded: Mapping[str, Fingerprint] | None = None
    ) -> Record:
        """The record of outputs, which are not kept; of `forwarded` ones the fingerprint is known."""
        size = sum(map(self._traits.size, outputs.values()))
        return Record(key, self._fingerprints(key, outputs, forwarded or {}), seconds, size)

    def _fingerprints(self, key: Key, outputs: Outputs, known: Mapping[str, Fingerprint]) -> Mapping[str, Fingerprint]:
        return {
            name: known.get(name) or fingerprint(key, name, self._traits.fingerprint(value))
            for name, value in outputs.items()
        }

    def put(
        self,
        structural: Key | None,
        key: Key,
        outputs: Outputs,
        seconds: float,
        forwarded: Mapping[str, Fingerprint] | None = None,
        peak: int = 0,
    ) -> Record:
        """Keep outputs by their value key, and by `structural` where what made them always makes the same. `peak` are
        the most bytes that making them took on the device."""
        result = self._measured(outputs, seconds)
        record = Record(key, self._fingerprints(key, outputs, forwarded or {}), seconds, result.size)
        with self._lock:
            self._made[key] = max(0, peak - result.on_device)
            self._by_value[key] = record
            _forget(self._by_value, self._remembered)
            if structural is not None:
                self._link(structural, key)
            self._store(key, result)
        if self._disk is not None:
            self._disk.remember(structural, record, result)
        return record

    def clear(self, tier: TierName) -> None:
        """Let every result in a tier go. What is running keeps what it holds."""
        if tier == "disk" and self._disk is not None:
            self._disk.clear()
        with self._lock:
            for memory in self._tiers:
                if memory.name == tier:
                    memory.clear()

    def spill(self, tier: TierName) -> None:
        """Have every result leave a tier of memory for the next one that has room; what waits to be written is written
        first, as it would stay there until then."""
        if self._disk is not None:
            self._disk.flush()
        with self._lock:
            for depth, memory in enumerate(self._tiers):
                if memory.name == tier:
                    self._fall(memory.spill(), self._tiers[depth + 1 :])

    def report(self) -> Mapping[str, Any]:
        """Bytes by tier: `{tier: {"budget", "used", "results"}}`; of the disk also what went wrong."""
        with self._lock:
            found = {memory.name: memory.account.to_json() for memory in self._tiers}
        if self._disk is not None:
            found["disk"] = self._disk.report()
        return found

    def close(self) -> None:
        """Write what waits to be written. The cache is not to be used any more."""
        if self._disk is not None:
            self._disk.close()

    def _link(self, structural: Key, key: Key) -> None:
        self._by_structure[structural] = key
        _forget(self._by_structure, self._remembered)

    def _measured(self, outputs: Outputs, seconds: float) -> Result:
        size = sum(map(self._traits.size, outputs.values()))
        on_device = 0 if self._place is None else sum(map(self._place.on_device, outputs.values()))
        return Result(outputs, size, seconds, on_device)

    def _lifted(self, result: Result) -> Result:
        assert self._place is not None
        outputs = {name: self._place.lift(value) for name, value in result.outputs.items()}
        return replace(result, outputs=outputs, on_device=result.size, lowered=False)

    def _store(self, key: Key, result: Result) -> None:
        self._fall(((key, result),), self._tiers)

    def _fall(self, falling: Sequence[tuple[Key, Result]], tiers: Sequence[Tier]) -> None:
        for tier in tiers:
            falling = [lower for one in falling for lower in tier.put(*one)]


def _forget(records: dict[Key, T], most: int) -> None:
    if len(records) > most:
        for key in list(islice(records, most // 10)):
            del records[key]
