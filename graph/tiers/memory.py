"""Results in memory, within a budget."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from graph.keys import Key
from graph.ledger import Account, TierName
from graph.storage import Unstorable
from graph.tiers.tier import Place, Result


class Memory:
    """Tier within a budget of bytes. What leaves first is what is cheapest to make again per byte, and oldest:
    GreedyDual-Size (Cao and Irani, 1997), where a result's worth is its seconds per byte above a floor that rises to
    the worth of whatever left last."""

    OVERHEAD = 512
    """Bytes an entry costs beside its values."""

    def __init__(self, budget: int) -> None:
        self.name: TierName = "host"
        self.account = Account(budget)
        self._floor = 0.0
        self._results: dict[Key, Result] = {}
        self._worth: dict[Key, float] = {}
        self._queue: list[tuple[float, int, Key]] = []
        self._turn = count()

    @property
    def budget(self) -> int:
        return self.account.budget

    @property
    def used(self) -> int:
        return self.account.used

    def hit(self, key: Key) -> bool:
        return key in self._results

    def get(self, key: Key) -> Result | None:
        result = self._results.get(key)
        if result is not None:
            self._worth[key] = self._floor + result.seconds / (result.size + self.OVERHEAD)
        return result

    def put(self, key: Key, result: Result) -> Sequence[tuple[Key, Result]]:
        if key in self._results:
            self.drop(key)
        size = result.size + self.OVERHEAD
        if size > self.account.budget:
            return ((key, result),)
        left: list[tuple[Key, Result]] = []
        while not self.account.fits(size):
            left.append(self._evict())
        self._results[key] = result
        self.account.take(size)
        worth = self._worth[key] = self._floor + result.seconds / size
        heapq.heappush(self._queue, (worth, next(self._turn), key))
        return left

    def drop(self, key: Key) -> None:
        if key in self._results:
            self._remove(key)

    def clear(self) -> None:
        for key in list(self._results):
            self._remove(key)
        self._queue.clear()

    def spill(self) -> Sequence[tuple[Key, Result]]:
        left = [(key, self._remove(key)) for key in list(self._results)]
        self._queue.clear()
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
        self.account.give_back(result.size + self.OVERHEAD)
        return result


class DeviceMemory(Memory):
    """Tier for results that lie in a device's memory, all others fall through it. What has to leave is brought to the
    host where it can be moved, and is lost where it cannot, as a live model."""

    def __init__(self, budget: int, place: Place) -> None:
        super().__init__(budget)
        self.name = "device"
        self._place = place

    def put(self, key: Key, result: Result) -> Sequence[tuple[Key, Result]]:
        if not result.on_device:
            return ((key, result),)
        return self._lowered(super().put(key, result))

    def spill(self) -> Sequence[tuple[Key, Result]]:
        return self._lowered(super().spill())

    def _lowered(self, left: Sequence[tuple[Key, Result]]) -> list[tuple[Key, Result]]:
        found: list[tuple[Key, Result]] = []
        for key, result in left:
            try:
                outputs = {name: self._place.lower(value) for name, value in result.outputs.items()}
            except Unstorable:
                continue
            found.append((key, replace(result, outputs=outputs, on_device=0, lowered=True)))
        return found
