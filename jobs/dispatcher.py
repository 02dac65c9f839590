"""Between the queue and the workers: gives them jobs, records what they say, and ends the job of one that is lost.

What workers say goes through one inbox in order, is committed in groups, and is told to readers once committed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from graph.context import OutputFile
from jobs import placement, rows
from jobs.catalogue import Catalogue
from jobs.database import Database
from jobs.feed import Feeds
from jobs.job import TERMINAL
from jobs.placement import Needs
from jobs.protocol import Message
from jobs.recovery import lost, recover, retry_or_fail
from jobs.rows import Batch, Ending, Lease, NewJob, compact, now_ms
from jobs.slot import Run, Slot
from jobs.staff import Staff, Workers
from jobs.summary import NodeState
from jobs.supervisor import Loss

T = TypeVar("T")
log = logging.getLogger("weft.jobs")

RETRY_S = 1.0
INBOX = 64
_NO_NEEDS: Needs = MappingProxyType({})


@dataclass(frozen=True)
class _Heard:
    """What a worker said, or its end; `recorded` is completed when that is recorded."""

    slot: Slot
    what: Message | Loss
    recorded: asyncio.Future[None] | None = None


@dataclass(frozen=True)
class _Step:
    """Work for the database, and what to do with its result once that is durable."""

    work: Callable[[sqlite3.Connection], Any]
    then: Callable[[Any], None]


@dataclass(frozen=True)
class _Placed:
    """A job leased to the worker of a slot."""

    slot: Slot
    lease: Lease
    needs: Needs


class Dispatcher:
    def __init__(self, database: Database, catalogue: Catalogue, workers: Workers, feeds: Feeds) -> None:
        self._database, self._catalogue, self._feeds, self._attempts = database, catalogue, feeds, workers.attempts
        self.staff = Staff(workers, self, partial(feeds.tell_watchers, "worker"))
        self._inbox: asyncio.Queue[_Heard] = asyncio.Queue(INBOX)
        self._missed = False
        self._stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Recover what an earlier server left running, then start the workers."""
        for event in await self._database.run(partial(recover, attempts=self._attempts)):
            log.warning("job %s was running when the server went away; it is now %s", event.job, event.state)
        for job, last in await self._database.run(rows.queued):
            self._feeds.open(job, last)
        self._recorder = asyncio.create_task(self._record(), name="recorder")
        self._recorder.add_done_callback(report_crash)
        self.staff.start(report_crash)

    async def stop(self) -> None:
        """Stop the workers; the jobs they were on go back to the queue."""
        self._stopping = True
        await self.staff.stop()
        await self._inbox.join()
        await asyncio.gather(*self._tasks)
        self._recorder.cancel()

    async def submit(self, job: NewJob) -> str:
        """Record and queue, and give it to a worker in the same transaction when one is free; the id."""
        return await asyncio.shield(self._spawn(self._submit(job)))

    def cancel(self, job: str) -> None:
        """Ask the worker that is on `job`, if one is, to let go of it; it is replaced if it does not in time."""
        slot = self.staff.on(job)
        if slot is not None:
            slot.cancel()

    def offer(self) -> None:
        """Start queued jobs on the workers that are free."""
        self._spawn(self._offer())

    # What the slots tell

    async def worker_ready(self, slot: Slot, message: Message) -> None:
        devices = 1
        try:
            slot.device, devices = str(message.head.get("device", "")), int(message.head.get("devices", 1))
            slot.device_bytes = int(message.head.get("bytes", 0))
            self._catalogue.update(message.body)
        except OSError:
            log.exception("the node definitions could not be kept for the next start")
        except (KeyError, TypeError, ValueError) as error:
            slot.supervisor.kill(f"the worker sent definitions that make no sense: {error!r}")
            return
        for name, why in self._catalogue.failures.items() if slot.number == 0 else ():
            log.warning("The pack %s could not be loaded whole:\n%s", name, why.strip())
        slot.stillborn, slot.ready = None, True
        self.staff.turned()
        self.offer()
        self.staff.found(devices)

    async def worker_said(self, slot: Slot, message: Message) -> None:
        await self._inbox.put(_Heard(slot, message))

    async def worker_lost(self, slot: Slot, loss: Loss) -> None:
        """Returns when the loss is recorded, so that no later worker is blamed for it."""
        if not self._stopping:
            log.log(logging.INFO if loss.wanted else logging.ERROR, "%s; starting another", loss.cause)
        self.staff.turned()
        recorded = asyncio.get_running_loop().create_future()
        await self._inbox.put(_Heard(slot, loss, recorded))
        await recorded

    # Giving jobs to workers

    async def _submit(self, job: NewJob) -> str:
        free = self._take()
        try:
            id, event, placed = await self._database.run(lambda db: (*rows.insert(db, job), self._place(db, free)))
        except BaseException:
            self._begin(free, [])
            raise
        if event is not None:
            self._feeds.open(id)
            self._feeds.tell(event)
        self._begin(free, placed)
        return id

    async def _offer(self) -> None:
        """Give the first queued jobs to the workers that are free."""
        free = self._take()
        if not free:
            return
        placed: list[_Placed] = []
        try:
            placed = await self._database.run(partial(self._place, free=free))
        except sqlite3.Error:
            log.exception("the next job could not be leased; trying again in %s s", RETRY_S)
            await asyncio.sleep(RETRY_S)
            self._missed = True
        self._begin(free, placed)

    def _take(self) -> list[Slot]:
        """The free slots, which nobody else takes until `_begin`."""
        if self._stopping:
            return []
        free = self.staff.free()
        if not free:
            self._missed = True
        for slot in free:
            slot.taken = True
        return free

    def _place(self, db: sqlite3.Connection, free: Sequence[Slot]) -> list[_Placed]:
        """Lease the first queued jobs to the slots taken, each to the one that holds most of what it needs."""
        placed: list[_Placed] = []
        left = list(free)
        while left:
            job = rows.first_queued(db)
            if job is None:
                break
            needs = placement.needs(job.workflow) if len(self.staff.slots) > 1 else _NO_NEEDS
            slot = placement.best(left, needs) if len(left) > 1 else left[0]
            left.remove(slot)
            placed.append(_Placed(slot, rows.lease(db, job, slot.supervisor.worker, now_ms()), needs))
        return placed

    def _begin(self, taken: Sequence[Slot], placed: Sequence[_Placed]) -> None:
        """Start what was leased for the slots taken before; those without a lease are free again."""
        for each in placed:
            self._feeds.tell(each.lease.event)
            if each.slot.ready:
                self._send(each)
            else:
                self._spawn(self._give_back(each))
        busy = [each.slot for each in placed]
        for slot in taken:
            if slot not in busy:
                self._release(slot)
        if len(busy) < len(taken) and self._missed:
            self._missed = False
            self.offer()

    def _send(self, placed: _Placed) -> None:
        lease = placed.lease
        placed.slot.begin(lease, placed.needs)
        head = {"op": "run", "job": lease.job, "attempt": lease.attempt, "first": lease.event.last + 1}
        targets = None if lease.targets is None else json.loads(lease.targets)
        placed.slot.supervisor.send(Message({**head, "targets": targets}, lease.workflow.encode()))

    def _release(self, slot: Slot) -> None:
        slot.taken = False
        if slot.worn is not None and slot.ready:
            slot.retire()
            self.staff.turned()

    async def _give_back(self, placed: _Placed) -> None:
        lease = placed.lease
        ending = Ending("queued", "returned", cause="the worker died before it was given the job")
        event = await self._database.run(
            partial(
                rows.requeue, job=lease.job, attempt=lease.attempt, ending=ending, last=lease.event.last, now=now_ms()
            )
        )
        if event is not None:
            self._feeds.tell(event)
        self._missed = True
        self._begin([placed.slot], [])

    # Recording what workers say

    async def _record(self) -> None:
        while True:
            group = [await self._inbox.get()]
            while not _ends_run(group[-1]) and not self._inbox.empty():
                group.append(self._inbox.get_nowait())
            steps = self._steps(group)
            for step, result in zip(steps, await self._durably(steps)):
                step.then(result)
            for heard in group:
                if heard.recorded is not None:
                    heard.recorded.set_result(None)
                self._inbox.task_done()

    async def _durably(self, steps: Sequence[_Step]) -> list[Any]:
        """The results of the steps in one transaction, tried until the database takes it (a full disk, say)."""
        while True:
            try:
                return await self._database.run(lambda db: [step.work(db) for step in steps])
            except sqlite3.Error:
                log.exception("events could not be recorded; trying again in %s s", RETRY_S)
                self._feeds.tell_watchers("disk", compact([{"type": "disk", "state": "full"}]))
                if self._stopping:
                    return []
                await asyncio.sleep(RETRY_S)

    def _steps(self, group: Sequence[_Heard]) -> list[_Step]:
        steps: list[_Step] = []
        for heard in group:
            slot, what = heard.slot, heard.what
            if isinstance(what, Loss):
                steps += self._loss_steps(slot, what)
                continue
            run = slot.run
            try:
                if run is not None and (what.head["job"], what.head["attempt"]) == (run.lease.job, run.lease.attempt):
                    steps.append(self._message_step(slot, run, what))
            except (KeyError, TypeError, ValueError) as error:
                slot.supervisor.kill(f"the worker sent a message that makes no sense ({what.op}): {error!r}")
        return steps

    def _message_step(self, slot: Slot, run: Run, message: Message) -> _Step:
        head, job, last = message.head, run.lease.job, int(message.head["last"])
        match message.op:
            case "events":
                batch = Batch(job, int(head["first"]), last, message.body.decode())
                if not run.last < batch.first <= last:
                    raise ValueError(f"events {batch.first} to {last} after {run.last}")
                run.last = last
                return _Step(partial(rows.append, batch=batch), lambda _: self._feeds.tell(batch))
            case "preview":
                preview = Batch(job, last, last, message.body.decode(), preview=str(head["node"]))
                if last <= run.last:
                    raise ValueError(f"preview {last} after {run.last}")
                run.last = last
                return _Step(_nothing, lambda _: self._feeds.tell(preview))
            case "done":
                if head["state"] not in TERMINAL:
                    raise ValueError(f"state {head['state']!r}")
                if run.needs:
                    placement.learn(slot, run.needs, message.body.decode())
                outputs = {node: [OutputFile(**file) for file in files] for node, files in head["outputs"].items()}
                ending = Ending(head["state"], head["state"], message.body.decode(), outputs, head["error"])
                return self._end_step(slot, run, ending)
            case _:
                raise ValueError("unknown op")

    def _loss_steps(self, slot: Slot, loss: Loss) -> list[_Step]:
        run = slot.run
        if run is None:
            return []
        if self._stopping:
            return [self._lost_step(slot, run, Ending("queued", "returned", cause="the server was stopped"))]
        feed = self._feeds.get(run.lease.job)
        assert feed is not None
        summary = feed.summary()
        if run.cancelled:
            nodes = compact(summary.interrupted("cancelled"))
            return [self._lost_step(slot, run, Ending("cancelled", "cancelled", nodes, cause=loss.cause))]
        node = slot.supervisor.last_node(run.lease.job)
        if node is None:
            return [self._lost_step(slot, run, lost(loss.cause, "before any node started", loss.stderr))]
        nodes = compact(summary.interrupted(loss.cause) | _failed(node, loss))
        when = f"while running node {node}"
        return [self._lost_step(slot, run, lost(loss.cause, when, loss.stderr, node=node, nodes=nodes))]

    def _end_step(self, slot: Slot, run: Run, ending: Ending) -> _Step:
        """End the run, and lease the next job to its worker in the same transaction."""
        lease, last = run.lease, run.last
        free = [slot] if slot.ready and slot.worn is None and not self._stopping else []

        def work(db: sqlite3.Connection) -> tuple[Batch | None, list[_Placed]]:
            event = rows.finish(db, lease.job, lease.attempt, ending, last, now_ms())
            return event, self._place(db, free)

        def then(result: tuple[Batch | None, list[_Placed]]) -> None:
            event, following = result
            self._ended(slot, [] if event is None else [event], following)

        return _Step(work, then)

    def _lost_step(self, slot: Slot, run: Run, ending: Ending) -> _Step:
        """Put the job back, or end it when it was cancelled or lost too often."""
        work = partial(
            retry_or_fail,
            job=run.lease.job,
            attempt=run.lease.attempt,
            ending=ending,
            last=run.last,
            attempts=self._attempts,
        )

        def then(events: Sequence[Batch]) -> None:
            self._missed = True
            self._ended(slot, events, [])

        return _Step(work, then)

    def _ended(self, slot: Slot, events: Sequence[Batch], following: Sequence[_Placed]) -> None:
        slot.ended()
        for event in events:
            self._feeds.tell(event)
        self._begin([slot], following)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def report_crash(task: asyncio.Task[None]) -> None:
    """Say that a task that must not end has, and why."""
    if not task.cancelled() and task.exception() is not None:
        log.critical("the task %r ended: no further job will run", task.get_name(), exc_info=task.exception())


def _failed(node: str, loss: Loss) -> dict[str, NodeState]:
    return {node: {"state": "failed", "reason": loss.cause, "ms": None}}


def _nothing(_: sqlite3.Connection) -> None:
    """What the database does for an event that is told but not stored."""


def _ends_run(heard: _Heard) -> bool:
    return isinstance(heard.what, Loss) or heard.what.op == "done"
