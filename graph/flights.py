"""Computations under way on one cache, so that two runs never do the same work at the same time, in one process or in
several that share a disk."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import partial
from threading import Lock
from typing import Any, Protocol

from graph.keys import Key, Record

Landed = tuple[Mapping[str, Any], Record]
"""What a computation made: its outputs and their record."""
Told = Callable[[Landed | None], None]


class Claimant(Protocol):
    """Speaks for this process among those that share a disk."""

    def claim(self, key: Key) -> bool:
        """False while another process computes `key`. When it is True, what others have made is known."""
        ...

    def unclaim(self, key: Key, made: Record | None) -> None: ...


class Flights:
    """By value key, which run computes it, and whom to tell. Every key joined as the first is landed exactly once."""

    def __init__(self, claimant: Claimant) -> None:
        self.claimant = claimant
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
        self.claimant.unclaim(key, None if landed is None else landed[1])


class Boarding:
    """The part one run has in the flights of a cache: what it computes for others, and what it waits for.

    `away` is what waits for others. `told` is called by a thread of another run; other processes tell nothing, so what
    is `abroad` has to be joined again now and then. Nodes that have `grown` are not waited for there: what they grew of
    has a claim itself, and two processes could each wait for the other's. `landings` is what others are still to be
    told by `tell`, which the run calls without holding its own lock."""

    def __init__(self, flights: Flights, told: Callable[[int, Landed | None], None], grown: Container[int]) -> None:
        self.away: set[int] = set()
        self.landings: list[tuple[Key, Landed | None]] = []
        self._flights, self._told, self._grown = flights, told, grown
        self._flying: dict[int, Key] = {}

    def join(self, i: int, key: Key) -> bool:
        """Whether node i is to be computed here; else it is away."""
        if i not in self._flying:
            if not self._flights.join(key, partial(self._told, i)):
                self.away.add(i)
                return False
            self._flying[i] = key
        if not self._flights.claimant.claim(key) and i not in self._grown:
            self.away.add(i)
            return False
        self.away.discard(i)
        return True

    def abroad(self) -> list[int]:
        """What is away as another process computes it."""
        return [i for i in self.away if i in self._flying]

    def land(self, i: int, landed: Landed | None) -> None:
        if (key := self._flying.pop(i, None)) is not None:
            self.landings.append((key, landed))

    def give_up(self) -> None:
        """The run is over: what it left unfinished is not computed here any more."""
        for i in list(self._flying):
            self.land(i, None)

    def take(self) -> list[tuple[Key, Landed | None]]:
        taken, self.landings = self.landings, []
        return taken

    def tell(self, landings: list[tuple[Key, Landed | None]]) -> None:
        for key, landed in landings:
            self._flights.land(key, landed)
