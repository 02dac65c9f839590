"""Computations under way on one cache, so that two runs never do the same work at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from graph.keys import Key, Record

Landed = tuple[Mapping[str, Any], Record]
"""What a computation made: its outputs and their record."""
Told = Callable[[Landed | None], None]


class Flights:
    """By value key, which run computes it, and whom to tell. Every key joined as the first is landed exactly once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[Key, list[Told]] = {}

    def join(self, key: Key, told: Told) -> bool:
        """True when nobody computes `key`: the caller does from now on. Else `told` is called once, by the thread
        that lands it, with what was made, or None when it failed or was given up and who waits may try itself."""
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.append(told)
                return False
            self._waiting[key] = []
            return True

    def land(self, key: Key, landed: Landed | None) -> None:
        with self._lock:
            waiting = self._waiting.pop(key)
        for told in waiting:
            told(landed)
