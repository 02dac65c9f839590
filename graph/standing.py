"""Where every node of a run stands, who reads whom, and what happens when a node is done with, or dies.

One thread at a time. Every step is taken from a list, so depth costs no stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from graph import reasons
from graph.cache import Cache, Outputs
from graph.events import Event, NodeError
from graph.flights import Boarding, Landed
from graph.graph import NodeId
from graph.keys import Key
from graph.live import Live
from graph.plan import Plan
from graph.ready import Ready
from graph.telling import Teller


class State(IntEnum):
    IDLE = 0
    """not wanted, or its record is known"""
    ASKING = 1
    """waits for records of its parents, to know its value key"""
    FOLLOWING = 2
    """waits for another node of the same value key"""
    GATHERING = 3
    """has to run, waits for values of its parents"""
    SUSPENDED = 4
    """was called, waits for what its function asked for"""
    AWAY = 5
    """waits for another run on the same cache that computes the same"""
    READY = 6
    RUNNING = 7
    DONE = 8
    DEAD = 9
    """failed, skipped or cancelled"""


@dataclass
class Asked:
    """Of a node that was called: the lazy inputs that have to enter its key, in order of asking, all that did, what it
    waits for, and what is held for it."""

    reads: list[tuple[str, tuple[int, str]]] = field(default_factory=list[tuple[str, tuple[int, str]]])
    known: set[str] = field(default_factory=set[str])
    values: set[int] = field(default_factory=set[int])
    records: set[int] = field(default_factory=set[int])
    held: list[int] = field(default_factory=list[int])


class Standing:
    """The base of Demand, which decides what is wanted."""

    def __init__(
        self, plan: Plan, cache: Cache, emit: Callable[[Event], None], told: Callable[[int, Landed | None], None]
    ) -> None:
        count = len(plan.ids)
        self.values = Live(plan.records)
        self.error: NodeError | None = None
        self.cancelled = False
        self.boarding = Boarding(cache.flights, told, plan.owner)
        self._plan, self._cache, self._tell = plan, cache, Teller(plan, cache, emit)
        self._state = [State.IDLE] * count
        self._ready = Ready(self._is_ready)
        self._wanted = bytearray(count)
        self._settled = bytearray(count)
        self._waiting = [0] * count
        self._readers = [0] * count
        self._children: list[list[int]] = [[] for _ in range(count)]
        self._value_key: dict[int, Key] = {}
        self._work_key: dict[int, Key] = {}
        self._leader: dict[Key, int] = {}
        self._followers: dict[int, list[int]] = {}
        self._holder: dict[Key, int] = {}
        self._failed: dict[Key, int] = {}
        self._root: dict[int, int] = {}
        """of a node that cannot run, the one whose failure is the cause"""
        self._needs: dict[int, set[int]] = {}
        """what a node with lazy inputs waits for"""
        self._asked: dict[int, Asked] = {}
        """of a node that was called: what it asked for"""
        self._optional: set[int] = set()
        """what may be needed or not, as only lazy inputs read it"""
        self._announcing = False
        self._steps: list[tuple[Callable[[int], None], int]] = []

    def dead(self) -> tuple[set[NodeId], set[NodeId]]:
        """The nodes that failed or needed one that did, and all that made nothing."""
        ids = self._plan.ids
        dead = [i for i, state in enumerate(self._state) if state is State.DEAD]
        return {ids[i] for i in dead if i in self._root}, {ids[i] for i in dead}

    def ahead(self) -> list[int]:
        """The nodes that run, or will as far as is known."""
        return [
            i for i, state in enumerate(self._state) if State.IDLE < state < State.DONE and state is not State.FOLLOWING
        ]

    def _is_undecided(self, i: int) -> bool:
        return self._state[i] is State.IDLE and self._plan.records[i] is None

    def _announce(self, i: int, state: State) -> None:
        if state in (State.IDLE, State.DONE):
            self._tell.cached(i, self.values.get(i))
        else:
            self._tell.queued(i)

    def announce_grown(self, first: int) -> None:
        for i in range(first, len(self._plan.ids)):
            if self._is_undecided(i):
                self._optional.add(i)
            elif self._plan.nodes[i].spec.id and self._state[i] in (State.IDLE, State.DONE):
                self._tell.cached(i, self.values.get(i))

    def _count_readers(self, first: int) -> None:
        for i in range(first, len(self._plan.parents)):
            for parent, _ in self._plan.parents[i]:
                self._readers[parent] += 1
                self._children[parent].append(i)

    def adopt(self, first: int, made: Mapping[int, Outputs]) -> None:
        """Take in nodes that were added to the plan, from position `first` on, some of them with their values."""
        count = len(self._plan.ids) - first
        self._state += [State.IDLE] * count
        self._wanted.extend(bytes(count))
        self._settled.extend(bytes(count))
        self._waiting += [0] * count
        self._readers += [0] * count
        self._children += [[] for _ in range(count)]
        self._count_readers(first)
        for i, outputs in made.items():
            self._state[i] = State.DONE
            self.values[i] = outputs

    def hold(self, i: int, positions: Sequence[int]) -> None:
        """Keep the values of what has grown of node i until it is settled, as its function may ask for them again."""
        self._asked.setdefault(i, Asked()).held += positions
        for p in positions:
            self._readers[p] += 1

    def let_go(self, i: int, positions: Sequence[int]) -> None:
        """Node i will not ask again for these of what has grown of it."""
        if not positions:
            return
        asked, gone = self._asked[i], set(positions)
        for p in (p for p in asked.held if p in gone):
            self._readers[p] -= 1
            if not self._readers[p]:
                self._steps.append((self._release, p))
        asked.held = [p for p in asked.held if p not in gone]

    def settle_unread(self, first: int) -> None:
        """Of what was added from position `first` on, nobody will ask any more for what nobody reads: it holds nothing
        that it would have read."""
        self._steps += [(self._release, p) for p in range(first, len(self._readers)) if not self._readers[p]]
        self._take_steps()

    def _hold(self, i: int, positions: Sequence[int]) -> None:
        self.hold(i, positions)
        for p in positions:
            self._children[p].append(i)

    def _is_ready(self, i: int) -> bool:
        return self._state[i] is State.READY

    def _make_ready(self, i: int) -> None:
        self._state[i] = State.READY
        self._ready.push(i, self._plan.nodes[i].spec.resource)

    def cancel(self, running: int | None = None) -> None:
        """Skip all that waits to run, and `running`, which stopped itself."""
        lost = [i for i, state in enumerate(self._state) if i == running or State.IDLE < state < State.RUNNING]
        self.cancelled = self.cancelled or bool(lost)
        for i in lost:
            self._skip(i)
        self._take_steps()

    def _take_steps(self) -> None:
        while self._steps:
            step, i = self._steps.pop()
            step(i)

    def _inform(self, i: int, waiting: State, then: Callable[[int], None]) -> None:
        for child in reversed(self._children[i]):
            if self._state[child] is waiting:
                needs = self._needs.get(child)
                if needs is None:
                    self._waiting[child] -= 1
                elif i in needs:
                    needs.discard(i)
                    self._waiting[child] = len(needs)
                else:
                    continue
                if not self._waiting[child]:
                    self._steps.append((then, child))

    def _settle(self, i: int) -> None:
        """Node i will not read its parents again: those are let go that nothing else reads, and so on upwards."""
        done = [i]
        while done:
            i = done.pop()
            if self._settled[i]:
                continue
            self._settled[i] = True
            asked = self._asked.pop(i, None)
            read = [parent for parent, _ in self._plan.parents[i]]
            for parent in (*read, *asked.held) if asked else read:
                self._readers[parent] -= 1
                if not self._readers[parent] and self._lets_go(parent):
                    done.append(parent)

    def _release(self, i: int) -> None:
        """Let node i go when nothing needs it any more."""
        if self._lets_go(i):
            self._settle(i)

    def _lets_go(self, i: int) -> bool:
        """Whether nothing needs node i any more, and it will not read its parents again."""
        if self._readers[i] or self._followers.get(i):
            return False
        if i in self.values:
            self.values.let_go(i)
        if State.IDLE < self._state[i] < State.RUNNING:
            self._steps.append((self._drop, i))
            return False
        return self._state[i] is not State.RUNNING

    def _drop(self, i: int) -> None:
        """Node i waits to run, and nothing needs it."""
        if not self._readers[i] and not self._followers.get(i) and State.IDLE < self._state[i] < State.RUNNING:
            self._skip(i)

    def _skip(self, i: int) -> None:
        if self.cancelled:
            reason = reasons.CANCELLED
        elif i in self._root:
            reason = f"{self._plan.label(self._root[i])} failed"
        else:
            reason = reasons.NO_READERS
        self._tell.skipped(i, reason)
        self._die(i)

    def _die(self, i: int) -> None:
        """Node i makes nothing in this run; what waits for it cannot run either."""
        self.boarding.land(i, None)
        self.boarding.away.discard(i)
        key = self._work_key.get(i, b"")
        leader = self._leader.get(key)
        if leader == i:
            del self._leader[key]
        elif leader is not None and self._state[i] is State.FOLLOWING:
            self._followers[leader].remove(i)
            self._steps.append((self._release, leader))
        self._state[i] = State.DEAD
        for child in self._children[i]:
            if self._waits_for(child, i):
                self._root.setdefault(child, self._root.get(i, i))
                self._steps.append((self._lose, child))
        self._steps += [(self._lose_leader, follower) for follower in self._followers.pop(i, ())]
        self._settle(i)

    def _waits_for(self, child: int, i: int) -> bool:
        state = self._state[child]
        if state is State.SUSPENDED:
            return i in self._asked[child].values or i in self._asked[child].records
        if i not in self._needs.get(child, (i,)):
            return False
        return state is State.GATHERING or (state is State.ASKING and self._plan.records[i] is None)

    def _lose(self, i: int) -> None:
        if State.IDLE < self._state[i] < State.READY:
            self._skip(i)

    def _lose_leader(self, i: int) -> None:
        """Take the place of a leader that could not run."""
        raise NotImplementedError
