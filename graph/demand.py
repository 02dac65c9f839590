"""What a run still needs: the state of every node from wanted to settled. One thread at a time; runs nothing itself.

A node is wanted in two degrees. Its *record* (the fingerprints of what it makes) is enough for a reader to find that
its own result is known; its *value* is needed only by a reader that runs. So a node runs when neither of its keys is
known, or when its value is wanted and no longer held. Of nodes with one value key the earliest leads and the others
follow it. A node is settled once it will not read its parents again; a value is let go when all readers of it are
settled. Every step is taken from a list, so depth costs no stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import partial
from heapq import heappop, heappush

from graph import reasons
from graph.cache import Cache, Outputs
from graph.context import OutputFile
from graph.events import Cached, Event, Failed, Finished, NodeError, Queued, Skipped, Started
from graph.flights import Landed
from graph.keys import Key, Record, value_key
from graph.node import Resource
from graph.plan import Plan


class State(IntEnum):
    IDLE = 0
    """not wanted, or its record is known"""
    ASKING = 1
    """waits for records of its parents, to know its value key"""
    FOLLOWING = 2
    """waits for another node of the same value key"""
    GATHERING = 3
    """has to run, waits for values of its parents"""
    AWAY = 4
    """waits for another run on the same cache that computes the same"""
    READY = 5
    RUNNING = 6
    DONE = 7
    DEAD = 8
    """failed, skipped or cancelled"""


class Demand:
    """The executor calls `start` first, then `next_ready` for each place it has, and for each node so given exactly
    one of `finished`, `failed` and `cancel`.

    A node that another run on the cache computes at that moment is `away`; that run's thread calls `told`, and who
    holds the lock of this one then calls `landed`. What is computed here is told by `take_landings`, of which the
    executor must tell the cache without holding its lock."""

    def __init__(
        self, plan: Plan, cache: Cache, emit: Callable[[Event], None], told: Callable[[int, Landed | None], None]
    ) -> None:
        count = len(plan.ids)
        self.values: dict[int, Outputs] = {}
        self.error: NodeError | None = None
        self.cancelled = False
        self.away: set[int] = set()
        self._plan, self._cache, self._emit, self._told = plan, cache, emit, told
        self._flying: dict[int, Key] = {}
        self.landings: list[tuple[Key, Landed | None]] = []
        self._ready: dict[Resource, list[int]] = {"gpu": [], "cpu": [], "io": []}
        self._state = [State.IDLE] * count
        self._wanted = bytearray(count)
        self._settled = bytearray(count)
        self._waiting = [0] * count
        self._readers = [0] * count
        self._children: list[list[int]] = [[] for _ in range(count)]
        self._value_key: dict[int, Key] = {}
        self._leader: dict[Key, int] = {}
        self._followers: dict[int, list[int]] = {}
        self._holder: dict[Key, int] = {}
        self._failed: dict[Key, int] = {}
        self._root: dict[int, int] = {}
        """of a node that cannot run, the one whose failure is the cause"""
        self._because: dict[int, str] = {}
        self._announcing = False
        self._steps: list[tuple[Callable[[int], None], int]] = []

    def start(self) -> None:
        """Find what has to run, and announce of every node whether it is cached or queued."""
        plan = self._plan
        if not all(self._held(i) for i in plan.targets):
            self.values.clear()
            self._count_readers()
            self._steps += [(self._want, i) for i in reversed(plan.targets)]
            self._take_steps()
        for i, state in enumerate(self._state):
            if state in (State.IDLE, State.DONE):
                self._announce_cached(i)
            else:
                self._emit(Queued(plan.ids[i], self._why(i)))
        self._announcing = True

    def _count_readers(self) -> None:
        for i, parents in enumerate(self._plan.parents):
            for parent, _ in parents:
                self._readers[parent] += 1
                self._children[parent].append(i)
        for i in self._plan.targets:
            self._readers[i] += 1

    def next_ready(self, free: Mapping[Resource, int]) -> int | None:
        """The first node in order that is ready and has a free place in its class; taken off, and announced started."""
        while (i := self._pop_ready(free)) is not None:
            if self._take_off(i):
                self._state[i] = State.RUNNING
                self._emit(Started(self._plan.ids[i], self._why(i)))
                break
        return i

    def _pop_ready(self, free: Mapping[Resource, int]) -> int | None:
        best: list[int] | None = None
        for resource, heap in self._ready.items():
            while heap and self._state[heap[0]] is not State.READY:
                heappop(heap)
            if heap and free[resource] > 0 and (best is None or heap[0] < best[0]):
                best = heap
        return None if best is None else heappop(best)

    def _take_off(self, i: int) -> bool:
        """Whether node i is to be run here and now; else another run does, or just did."""
        if self._plan.nodes[i].spec.volatile:
            return True
        key = self._value_key[i]
        self._state[i] = State.AWAY
        if not self._cache.flights.join(key, partial(self._told, i)):
            self.away.add(i)
            return False
        self._flying[i] = key
        record = self._cache.known(key)
        outputs = self._cache.get(record) if record is not None and self._cache.holds(record) else None
        if record is None or outputs is None:
            return True
        self._share(i, outputs, record)
        return False

    def landed(self, i: int, landed: Landed | None) -> None:
        """Another run is done with what node i waits for, or has given it up."""
        if self._state[i] is not State.AWAY:
            return
        self.away.discard(i)
        if landed is None:
            self._state[i] = State.GATHERING
            self._set_ready(i)
        else:
            self._share(i, *landed)

    def _share(self, i: int, outputs: Outputs, record: Record) -> None:
        self._plan.by_value.add(i)
        self._emit(Cached(self._plan.ids[i], reasons.SHARED, self._files(i, outputs)))
        self._complete(i, outputs, record)

    def take_landings(self) -> list[tuple[Key, Landed | None]]:
        taken, self.landings = self.landings, []
        return taken

    def _land(self, i: int, landed: Landed | None) -> None:
        if (key := self._flying.pop(i, None)) is not None:
            self.landings.append((key, landed))

    def give_up(self) -> None:
        """The run is over: what it left unfinished is not computed here any more."""
        for i in list(self._flying):
            self._land(i, None)

    def any_ready(self, free: Mapping[Resource, int]) -> bool:
        for resource, heap in self._ready.items():  # noqa: SIM110 - a generator here is felt in long chains
            if heap and free[resource] > 0:
                return True
        return False

    def value_key(self, i: int) -> Key:
        """Of a node that has to run."""
        return self._value_key[i]

    def finished(self, i: int, outputs: Outputs, record: Record, seconds: float) -> None:
        self._emit(Finished(self._plan.ids[i], seconds * 1000, self._files(i, outputs)))
        self._complete(i, outputs, record)

    def _complete(self, i: int, outputs: Outputs, record: Record) -> None:
        self._land(i, (outputs, record))
        followers = self._followers.pop(i, ())
        del self._leader[record.key]
        for follower in followers:
            self._plan.by_value.add(follower)
            reason = f"same as {self._label(i)} in this run"
            self._emit(Cached(self._plan.ids[follower], reason, self._files(follower, outputs)))
            self._arrive(follower, outputs, record)
        self._arrive(i, outputs, record)
        self._take_steps()

    def failed(self, i: int, error: NodeError) -> None:
        self.error = self.error or error
        self._root[i] = self._failed[self._value_key[i]] = i
        self._emit(Failed(error.node, error))
        self._die(i)
        self._take_steps()

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

    def _want(self, i: int) -> None:
        """Node i's value is wanted."""
        if self._wanted[i] or i in self.values:
            return
        self._wanted[i] = True
        if self._plan.records[i] is None:
            self._ask(i)
        else:
            self._fetch(i)

    def _ask(self, i: int) -> None:
        """Node i's record is wanted."""
        records = self._plan.records
        if records[i] is not None or self._state[i] is not State.IDLE:
            return
        unknown = [parent for parent, _ in self._plan.parents[i] if records[parent] is None]
        self._wait(i, State.ASKING, unknown, self._ask, self._decide)

    def _gather(self, i: int) -> None:
        """Node i has to run: the values of all its parents are wanted."""
        absent = [parent for parent, _ in self._plan.parents[i] if parent not in self.values]
        self._wait(i, State.GATHERING, absent, self._want, self._set_ready)

    def _wait(
        self, i: int, state: State, parents: list[int], demand: Callable[[int], None], then: Callable[[int], None]
    ) -> None:
        if self._announcing and self._state[i] is State.IDLE:
            self._emit(Queued(self._plan.ids[i], self._why(i)))
        for parent in parents:
            if self._state[parent] is State.DEAD:
                self._root[i] = self._root[parent]
                self._skip(i)
                return
        self._state[i] = state
        self._waiting[i] = len(parents)
        if parents:
            self._steps += [(demand, parent) for parent in reversed(parents)]
        else:
            then(i)

    def _decide(self, i: int) -> None:
        """The fingerprints of all that node i reads are known: is its result?"""
        if self._state[i] is not State.ASKING:
            return
        arrived = self._plan.arrived(i)
        assert arrived is not None
        key = self._value_key[i] = value_key(self._plan.identity[i], arrived)
        record = self._cache.known(key)
        if record is None:
            self._lead_or_follow(i, key)
            return
        self._state[i] = State.IDLE
        self._plan.by_value.add(i)
        self._set_record(i, record)
        if self._wanted[i]:
            self._fetch(i)
        if self._announcing and self._state[i] in (State.IDLE, State.DONE):
            self._announce_cached(i)

    def _fetch(self, i: int) -> None:
        """Node i's record is known and its value wanted: it is held, or has to be made again."""
        if self._held(i):
            self._set_value(i)
            return
        record = self._plan.records[i]
        assert record is not None
        self._because[i] = reasons.FILE_GONE if self._cache.holds(record) else reasons.EVICTED
        self._value_key[i] = record.key
        self._lead_or_follow(i, record.key)

    def _held(self, i: int) -> bool:
        """Take node i's value from the cache, or from a twin that this run holds."""
        record = self._plan.records[i]
        if record is None:
            return False
        outputs = self.values.get(self._holder.get(record.key, i)) or self._cache.get(record)
        if outputs is not None:
            self.values[i] = outputs
        return outputs is not None

    def _lead_or_follow(self, i: int, key: Key) -> None:
        """Node i has to run, unless another of the same key does, or has failed and would fail again. The leader is
        the earlier of two, lest it wait for its own follower."""
        if key in self._failed:
            self._root[i] = self._failed[key]
            self._skip(i)
            return
        leader = self._leader.setdefault(key, i)
        if i < leader and self._state[leader] is State.GATHERING:
            self._leader[key] = i
            self._followers[i] = self._followers.pop(leader, [])
            self._follow(leader, i)
            leader = i
        if leader == i:
            self._gather(i)
        else:
            self._follow(i, leader)

    def _follow(self, i: int, leader: int) -> None:
        self._state[i] = State.FOLLOWING
        self._followers.setdefault(leader, []).append(i)

    def _set_ready(self, i: int) -> None:
        if self._state[i] is State.GATHERING:
            self._state[i] = State.READY
            heappush(self._ready[self._plan.nodes[i].spec.resource], i)

    def _arrive(self, i: int, outputs: Outputs, record: Record) -> None:
        if self._plan.records[i] is None:
            self._set_record(i, record)
        self.values[i] = outputs
        self._holder[record.key] = i
        self._set_value(i)

    def _set_record(self, i: int, record: Record) -> None:
        self._plan.records[i] = record
        self._tell(i, State.ASKING, self._decide)

    def _set_value(self, i: int) -> None:
        self._state[i] = State.DONE
        self._tell(i, State.GATHERING, self._set_ready)
        self._settle(i)
        self._release(i)

    def _tell(self, i: int, waiting: State, then: Callable[[int], None]) -> None:
        for child in reversed(self._children[i]):
            if self._state[child] is waiting:
                self._waiting[child] -= 1
                if not self._waiting[child]:
                    self._steps.append((then, child))

    def _settle(self, i: int) -> None:
        """Node i will not read its parents again."""
        if self._settled[i]:
            return
        self._settled[i] = True
        for parent, _ in self._plan.parents[i]:
            self._readers[parent] -= 1
            if not self._readers[parent]:
                self._steps.append((self._release, parent))

    def _release(self, i: int) -> None:
        """Let node i go when nothing needs it any more."""
        if self._readers[i] or self._followers.get(i):
            return
        self.values.pop(i, None)
        if State.IDLE < self._state[i] < State.RUNNING:
            self._skip(i)
        elif self._state[i] is not State.RUNNING:
            self._settle(i)

    def _skip(self, i: int) -> None:
        if self.cancelled:
            reason = reasons.CANCELLED
        elif i in self._root:
            reason = f"{self._label(self._root[i])} failed"
        else:
            reason = reasons.NO_READERS
        self._emit(Skipped(self._plan.ids[i], reason))
        self._die(i)

    def _die(self, i: int) -> None:
        """Node i makes nothing in this run; what waits for it cannot run either."""
        self._land(i, None)
        self.away.discard(i)
        key = self._value_key.get(i, b"")
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
        return state is State.GATHERING or (state is State.ASKING and self._plan.records[i] is None)

    def _lose(self, i: int) -> None:
        if State.IDLE < self._state[i] < State.READY:
            self._skip(i)

    def _lose_leader(self, i: int) -> None:
        """Take the place of a leader that could not run."""
        if self._state[i] is State.FOLLOWING:
            self._lead_or_follow(i, self._value_key[i])

    def _announce_cached(self, i: int) -> None:
        plan = self._plan
        if plan.records[i] is None:
            reason = reasons.NOT_NEEDED
        else:
            reason = reasons.SAME_VALUES if i in plan.by_value else reasons.SAME_INPUTS
        outputs = self.values.get(i)
        self._emit(Cached(plan.ids[i], reason, self._files(i, outputs) if outputs else ()))

    def _why(self, i: int) -> str:
        because = self._because.get(i)
        return because or reasons.why(self._plan, i, self._cache.history.get(self._plan.ids[i]))

    def _label(self, i: int) -> str:
        return self._plan.graph.label(self._plan.ids[i])

    def _files(self, i: int, outputs: Outputs) -> tuple[OutputFile, ...]:
        """The files a sink wrote."""
        if not self._plan.nodes[i].spec.sink:
            return ()
        flat: list[object] = []
        for value in outputs.values():
            flat += value if isinstance(value, list) else [value]
        return tuple(item for item in flat if isinstance(item, OutputFile))
