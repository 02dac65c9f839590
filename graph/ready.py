"""Nodes that are ready to run, by the class of resource they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Final

from graph.node import Resource

_FIRST: Final = 2**40
"""More than there are positions."""


class Ready:
    """Positions in order, those begun before any other; one that no longer `stands` is passed over."""

    def __init__(self, stands: Callable[[int], bool]) -> None:
        self._heaps: dict[Resource, list[int]] = {"gpu": [], "cpu": [], "io": []}
        self._stands = stands

    def push(self, i: int, resource: Resource) -> None:
        heappush(self._heaps[resource], i)

    def push_begun(self, i: int, resource: Resource) -> None:
        """What was called before and can go on."""
        heappush(self._heaps[resource], i - _FIRST)

    def pop(self, free: Mapping[Resource, int]) -> int | None:
        """The first of those with a free place in their class."""
        best: list[int] | None = None
        for resource, heap in self._heaps.items():
            while heap and not self._stands(heap[0] % _FIRST):
                heappop(heap)
            if heap and free[resource] > 0 and (best is None or heap[0] < best[0]):
                best = heap
        return None if best is None else heappop(best) % _FIRST

    def any(self, free: Mapping[Resource, int]) -> bool:
        for resource, heap in self._heaps.items():  # noqa: SIM110 - a generator here is felt in long chains
            if heap and free[resource] > 0:
                return True
        return False
