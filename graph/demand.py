"""What a run still needs: the state of every node from wanted to settled. One thread at a time; runs nothing itself.

A node is wanted in two degrees. Its *record* (the fingerprints of what it makes) is enough for a reader to find that
its own result is known; its *value* is needed only by a reader that runs. So a node runs when neither of its keys is
known, or when its value is wanted and no longer held. Of nodes with one value key the earliest leads and the others
follow it. A node is settled once it will not read its parents again; a value is let go when all readers of it are
settled.

A node that asks for values while it runs is suspended, and holds what it asked for until it is settled. Nodes with
lazy inputs are twins only if their structural keys are equal: what they will read is not known before they run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graph import reasons
from graph.cache import Outputs
from graph.events import NodeError, endless
from graph.flights import Landed
from graph.keys import Key, Record, ask_key, read_key, value_key
from graph.node import Resource
from graph.standing import Asked, Standing, State


class Demand(Standing):
    """The executor calls `start` first, then `next_ready` for each place it has, and for each node so given exactly
    one of `finished`, `suspend`, `failed` and `cancel`; at the end `close`.

    A node that another run on the cache computes at that moment is away; that run's thread calls `told`, and who holds
    the lock of this one then calls `landed`. Of what other processes compute nobody tells: `look_abroad` sees to it.
    What is computed here is told through `boarding`."""

    def start(self) -> None:
        """Find what has to run, and announce of every node whether it is cached or queued."""
        plan = self._plan
        if not all(self._held(i) for i in plan.targets):
            self.values.clear()
            self._count_readers(0)
            for i in plan.targets:
                self._readers[i] += 1
            self._steps += [(self._want, i) for i in reversed(plan.targets)]
            self._take_steps()
            self._optional = {i for i in plan.behind_lazy() if self._is_undecided(i)}
        for i, state in enumerate(self._state):
            if i not in self._optional:
                self._announce(i, state)
        for id, reason in plan.graph.skipped.items():
            self._tell.left_out(id, reason)
        self._announcing = True

    def close(self) -> None:
        """The run is over: nobody waits for it, and what no chosen branch needed is told of."""
        self.boarding.give_up()
        for i in sorted(self._optional):
            if self._is_undecided(i):
                self._tell.skipped(i, reasons.CANCELLED if self.cancelled else reasons.NOT_CHOSEN)

    def next_ready(self, free: Mapping[Resource, int]) -> int | None:
        """The first node in order that is ready and has a free place in its class; taken off, and announced started
        when it is called for the first time."""
        while (i := self._ready.pop(free)) is not None:
            if i in self._asked:
                self._state[i] = State.RUNNING
                break
            if self._take_off(i):
                self._state[i] = State.RUNNING
                self._tell.started(i)
                break
        return i

    def look_abroad(self) -> None:
        """See again to what another process computes."""
        for i in self.boarding.abroad():
            if self._state[i] is State.AWAY:
                self._make_ready(i)

    def any_ready(self, free: Mapping[Resource, int]) -> bool:
        return self._ready.any(free)

    def _take_off(self, i: int) -> bool:
        """Whether node i is to be run here and now; else another run does, or just did, or a twin gave away what it
        will read."""
        plan, lazy = self._plan, bool(self._plan.nodes[i].lazy)
        if lazy:
            chased = plan.chase(i, self._cache)
            if plan.records[i] is None and (chased.record is not None or chased.missing is not None):
                self._drop_lead(i)
                self._state[i] = State.ASKING
                self._decide(i)
                self._take_steps()
                return False
            self._value_key[i] = value_key(plan.identity[i], plan.arrived(i) or ())
        if plan.nodes[i].volatile or (lazy and i in plan.transient):
            return True
        self._state[i] = State.AWAY
        if not self.boarding.join(i, self._work_key[i]):
            return False
        record = plan.records[i] or (self._cache.find(plan.keys[i]) if lazy else self._cache.known(self._value_key[i]))
        outputs = self._cache.get(record) if record is not None and self._cache.holds(record) else None
        if record is None or outputs is None:
            return True
        self._share(i, outputs, record)
        return False

    def landed(self, i: int, landed: Landed | None) -> None:
        """Another run is done with what node i waits for, or has given it up."""
        if self._state[i] is not State.AWAY:
            return
        self.boarding.away.discard(i)
        if landed is None:
            self._make_ready(i)
        else:
            self._share(i, *landed)

    def _share(self, i: int, outputs: Outputs, record: Record) -> None:
        self._plan.by_value.add(i)
        self._tell.shared(i, outputs, reasons.SHARED)
        self._complete(i, outputs, record)

    def value_key(self, i: int) -> Key:
        """Of a node that has to run: so far, while it may still read lazy inputs."""
        return self._value_key[i]

    def suspend(self, i: int, wanted: Sequence[int], reads: Mapping[str, tuple[int, str]]) -> None:
        """Node i was called and asks for the values of `wanted`. Of the lazy inputs that it `reads`, now or by what
        has grown of it, the key takes the fingerprints."""
        asked = self._asked.setdefault(i, Asked())
        asked.reads += [(link, source) for link, source in reads.items() if link not in asked.known]
        asked.known.update(reads)
        self._hold(i, wanted)
        for parent in (*wanted, *(source for source, _ in reads.values())):
            if self._state[parent] is State.DEAD:
                self._root[i] = self._root[parent]
                self._skip(i)
                break
        else:
            if asked.reads:
                self._note_read(i, asked.reads[0][0])
            self._state[i] = State.SUSPENDED
            asked.values = {p for p in wanted if p not in self.values}
            asked.records = {p for _, (p, _) in asked.reads if self._plan.records[p] is None}
            for p in asked.records:
                self._children[p].append(i)
            self._steps += [(self._ask, p) for p in sorted(asked.records, reverse=True)]
            self._steps += [(self._want, p) for p in sorted(asked.values, reverse=True)]
            self._resume(i)
        self._take_steps()

    def _resume(self, i: int) -> None:
        """Let node i go on when all it asked for is there."""
        asked = self._asked[i]
        if self._state[i] is not State.SUSPENDED or asked.values or asked.records:
            return
        for link, (source, output) in asked.reads:
            record = self._plan.records[source]
            assert record is not None
            self._note_read(i, link)
            self._value_key[i] = read_key(self._value_key[i], link, record.fingerprints[output])
        asked.reads.clear()
        self._state[i] = State.READY
        self._ready.push_begun(i, self._plan.nodes[i].spec.resource)

    def _note_read(self, i: int, link: str) -> None:
        """Remember what is read next by what has read so much."""
        if not self._plan.nodes[i].volatile:
            self._cache.put(None, ask_key(self._value_key[i]), {link: None}, 0)

    def _wake(self, i: int) -> None:
        """Tell who is suspended that something of node i is there."""
        for child in dict.fromkeys(self._children[i]):
            if self._state[child] is State.SUSPENDED:
                asked = self._asked[child]
                asked.records.discard(i)
                if i in self.values:
                    asked.values.discard(i)
                self._steps.append((self._resume, child))

    def finished(self, i: int, outputs: Outputs, record: Record, seconds: float) -> None:
        self._tell.finished(i, outputs, seconds, record.size)
        self._complete(i, outputs, record)

    def _complete(self, i: int, outputs: Outputs, record: Record) -> None:
        self.boarding.land(i, (outputs, record))
        followers = self._followers.pop(i, ())
        del self._leader[self._work_key[i]]
        for follower in followers:
            self._plan.by_value.add(follower)
            self._tell.shared(follower, outputs, f"same as {self._plan.label(i)} in this run")
            self._arrive(follower, outputs, record)
        self._arrive(i, outputs, record)
        self._take_steps()

    def failed(self, i: int, error: NodeError) -> None:
        self.error = self.error or error
        self._root[i] = self._failed[self._work_key[i]] = i
        self._tell.failed(error)
        self._die(i)
        self._take_steps()

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
        unknown = [parent for parent, _ in self._plan.eager(i) if records[parent] is None]
        self._wait(i, State.ASKING, unknown, self._ask, self._decide)

    def _gather(self, i: int) -> None:
        """Node i has to run: the values of all its parents are wanted, save those it reads if at all."""
        absent = [parent for parent, _ in self._plan.eager(i) if parent not in self.values]
        self._wait(i, State.GATHERING, absent, self._want, self._set_ready)

    def _wait(
        self, i: int, state: State, parents: list[int], demand: Callable[[int], None], then: Callable[[int], None]
    ) -> None:
        if self._announcing and self._state[i] is State.IDLE:
            self._tell.queued(i)
        for parent in parents:
            if self._state[parent] is State.DEAD:
                self._root[i] = self._root[parent]
                self._skip(i)
                return
        self._state[i] = state
        if self._plan.nodes[i].lazy:
            self._needs[i] = set(parents)
        self._waiting[i] = len(parents)
        if parents:
            self._steps += [(demand, parent) for parent in reversed(parents)]
        else:
            then(i)

    def _decide(self, i: int) -> None:
        """The fingerprints of all that node i reads are known, as far as is known what it reads: is its result?"""
        if self._state[i] is not State.ASKING:
            return
        if self._plan.nodes[i].lazy:
            chased = self._plan.chase(i, self._cache)
            if chased.missing is not None:
                self._wait(i, State.ASKING, [chased.missing], self._ask, self._decide)
                return
            key, record = chased.key, chased.record
        else:
            arrived = self._plan.arrived(i)
            assert arrived is not None
            key = value_key(self._plan.identity[i], arrived)
            record = self._cache.known(key)
        self._value_key[i] = key
        if record is None:
            self._lead_or_follow(i)
            return
        self._state[i] = State.IDLE
        self._plan.by_value.add(i)
        self._set_record(i, record)
        if self._wanted[i]:
            self._fetch(i)
        if self._announcing and self._state[i] in (State.IDLE, State.DONE):
            self._tell.cached(i, self.values.get(i))

    def _fetch(self, i: int) -> None:
        """Node i's record is known and its value wanted: it is held, or has to be made again."""
        if self._held(i):
            self._set_value(i)
            return
        record = self._plan.records[i]
        assert record is not None
        self._tell.because[i] = self._cache.absence(record)
        self._value_key[i] = record.key
        self._lead_or_follow(i)

    def _held(self, i: int) -> bool:
        """Take node i's value from the cache, or from a twin that this run holds."""
        record = self._plan.records[i]
        if record is None:
            return False
        outputs = self.values.get(self._holder.get(record.key, i)) or self._cache.get(record)
        if outputs is not None:
            self.values[i] = outputs
        return outputs is not None

    def _lead_or_follow(self, i: int) -> None:
        """Node i has to run, unless another of the same key does, or has failed and would fail again. The leader is
        the earlier of two, lest it wait for its own follower."""
        key = self._work_key[i] = b"L" + self._plan.keys[i] if self._plan.nodes[i].lazy else self._value_key[i]
        if key in self._failed:
            self._root[i] = self._failed[key]
            self._skip(i)
            return
        leader = self._leader.setdefault(key, i)
        if self._state[leader] is State.GATHERING and self._plan.rank(i) < self._plan.rank(leader):
            self._leader[key] = i
            self._followers[i] = self._followers.pop(leader, [])
            self._follow(leader, i)
            leader = i
        if leader == i:
            self._gather(i)
        elif self._plan.grew_of(i, leader):
            self.failed(i, endless(self._plan.ids[i], self._plan.label(leader)))
        else:
            self._follow(i, leader)

    def _drop_lead(self, i: int) -> None:
        """Node i, which was to run, may not have to after all: whoever followed looks again."""
        self.boarding.away.discard(i)
        self.boarding.land(i, None)
        del self._leader[self._work_key[i]]
        self._steps += [(self._lose_leader, follower) for follower in self._followers.pop(i, ())]

    def _follow(self, i: int, leader: int) -> None:
        self._state[i] = State.FOLLOWING
        self._followers.setdefault(leader, []).append(i)

    def _set_ready(self, i: int) -> None:
        if self._state[i] is State.GATHERING:
            self._make_ready(i)

    def _arrive(self, i: int, outputs: Outputs, record: Record) -> None:
        if self._plan.records[i] is None:
            self._set_record(i, record)
        self.values[i] = outputs
        self._holder[record.key] = i
        self._set_value(i)

    def _set_record(self, i: int, record: Record) -> None:
        self._plan.records[i] = record
        self._inform(i, State.ASKING, self._decide)
        if self._asked:
            self._wake(i)

    def _set_value(self, i: int) -> None:
        self._state[i] = State.DONE
        self._inform(i, State.GATHERING, self._set_ready)
        if self._asked:
            self._wake(i)
        self._settle(i)
        self._release(i)

    def _lose_leader(self, i: int) -> None:
        """Take the place of a leader that could not run."""
        if self._state[i] is State.FOLLOWING:
            self._lead_or_follow(i)
