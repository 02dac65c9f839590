"""Between the queue and the worker: gives it jobs, records what it says, and ends its job when it is lost.

What the worker says goes through one inbox in order, is committed in groups, and is told to readers once committed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from graph.context import OutputFile
from jobs import rows
from jobs.catalogue import Catalogue
from jobs.database import Database
from jobs.feed import Feeds
from jobs.job import WorkerState, WorkerUnavailable
from jobs.protocol import Message
from jobs.recovery import lost, recover, retry_or_fail
from jobs.rows import Batch, Ending, Lease, NewJob, compact, now_ms
from jobs.summary import NodeState
from jobs.supervisor import Loss, Supervisor

T = TypeVar("T")
log = logging.getLogger("weft.jobs")

CANCEL_GRACE_S = 2.0
RETRY_S = 1.0
INBOX = 64


@dataclass
class _Run:
    """The job the worker is on; `last` is the number of its last event that was heard."""

    lease: Lease
    last: int
    cancelled: bool = False
    killer: asyncio.TimerHandle | None = None


@dataclass(frozen=True)
class _Step:
    """Work for the database, and what to do with its result once that is durable."""

    work: Callable[[sqlite3.Connection], Any]
    then: Callable[[Any], None]


class Dispatcher:
    """A job whose worker dies is given to the next one, until it was lost `attempts` times."""

    def __init__(
        self, database: Database, catalogue: Catalogue, supervisor: Supervisor, feeds: Feeds, attempts: int
    ) -> None:
        self._database, self._catalogue, self._supervisor, self._feeds = database, catalogue, supervisor, feeds
        self._attempts = attempts
        self._inbox: asyncio.Queue[Message | Loss] = asyncio.Queue(INBOX)
        self._ready = False
        self._stillborn: Loss | None = None
        self._turn = asyncio.Event()
        self._busy = False
        self._missed = False
        self._run: _Run | None = None
        self._stopping = False
        self._questions: dict[str, asyncio.Future[bytes]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Recover what an earlier server left running, then start the worker."""
        for event in await self._database.run(partial(recover, attempts=self._attempts)):
            log.warning("job %s was running when the server went away; it is now %s", event.job, event.state)
        for job, last in await self._database.run(rows.queued):
            self._feeds.open(job, last)
        self._recorder = asyncio.create_task(self._record(), name="recorder")
        self._recorder.add_done_callback(report_crash)
        self._supervisor.start(self).add_done_callback(report_crash)

    async def stop(self) -> None:
        """Stop the worker; the job it was on goes back to the queue."""
        self._stopping = True
        await self._supervisor.stop()
        await self._inbox.join()
        await asyncio.gather(*self._tasks)
        self._recorder.cancel()

    @property
    def worker_state(self) -> WorkerState:
        return "ready" if self._ready else "starting"

    async def worker(self) -> None:
        """Return when a worker is ready. Raises WorkerUnavailable when it dies before it ever is."""
        while not self._ready:
            if self._stillborn is not None:
                raise WorkerUnavailable(f"{self._stillborn.cause}: {' | '.join(self._stillborn.stderr[-3:])}")
            await self._turn.wait()

    async def submit(self, job: NewJob) -> str:
        """Record and queue, and give it to the worker in the same transaction when that is free; the id."""
        return await asyncio.shield(self._spawn(self._submit(job)))

    def cancel(self, job: str) -> None:
        """Ask the worker to let go of `job` if that is what it is on; it is replaced if it does not in time."""
        run = self._run
        if run is None or run.lease.job != job or run.cancelled:
            return
        run.cancelled = True
        self._supervisor.send(Message({"op": "cancel", "job": job}))
        kill = partial(
            self._supervisor.kill, f"the node did not stop within {CANCEL_GRACE_S:.0f} s of the cancellation"
        )
        run.killer = asyncio.get_running_loop().call_later(CANCEL_GRACE_S, kill)

    def offer(self) -> None:
        """Start the first queued job if the worker is free."""
        self._spawn(self._offer())

    async def ask(self, question: Mapping[str, object], body: bytes) -> bytes:
        """The worker's answer to a question. Raises WorkerUnavailable when there is none."""
        await self.worker()
        id = secrets.token_hex(8)
        answer = self._questions[id] = asyncio.get_running_loop().create_future()
        self._supervisor.send(Message({**question, "id": id}, body))
        try:
            return await answer
        finally:
            del self._questions[id]

    # What the supervisor tells

    async def worker_ready(self, message: Message) -> None:
        try:
            self._catalogue.update(message.body)
        except OSError:
            log.exception("the node definitions could not be kept for the next start")
        except (KeyError, TypeError, ValueError) as error:
            self._supervisor.kill(f"the worker sent definitions that make no sense: {error!r}")
            return
        self._stillborn = None
        self._ready = True
        self._turned()
        self.offer()

    async def worker_said(self, message: Message) -> None:
        if message.op == "answer":
            answer = self._questions.get(message.head["id"])
            if answer is not None and not answer.done():
                answer.set_result(message.body)
        else:
            await self._inbox.put(message)

    async def worker_lost(self, loss: Loss) -> None:
        """Returns when the loss is recorded, so that no later worker is blamed for it."""
        if not self._stopping:
            log.error("%s; starting another", loss.cause)
        self._stillborn = None if self._ready else loss
        self._ready = False
        self._turned()
        for answer in self._questions.values():
            if not answer.done():
                answer.set_exception(WorkerUnavailable(loss.cause))
        await self._inbox.put(loss)
        await self._inbox.join()

    # Giving jobs to the worker

    async def _submit(self, job: NewJob) -> str:
        worker = self._take_worker()
        try:
            id, event, lease = await self._database.run(partial(_insert, job=job, worker=worker))
        except BaseException:
            if worker is not None:
                self._begin(None)
            raise
        if event is not None:
            self._feeds.open(id)
            self._feeds.tell(event)
        if worker is not None:
            self._begin(lease)
        return id

    async def _offer(self) -> None:
        """Give the first queued job to the worker if it is free."""
        worker = self._take_worker()
        if worker is None:
            return
        try:
            lease = await self._database.run(partial(rows.claim, worker=worker, now=now_ms()))
        except sqlite3.Error:
            log.exception("the next job could not be leased; trying again in %s s", RETRY_S)
            await asyncio.sleep(RETRY_S)
            lease = None
            self._missed = True
        self._begin(lease)

    def _take_worker(self) -> str | None:
        """The name of the worker if it is free, which it then is not until `_begin`."""
        if self._busy:
            self._missed = True
        if self._busy or self._stopping or not self._ready:
            return None
        self._busy = True
        return self._supervisor.worker

    def _begin(self, lease: Lease | None) -> None:
        """Start what was leased for the worker taken before; without a lease it is free again."""
        if lease is None:
            self._busy = False
            if self._missed:
                self._missed = False
                self._spawn(self._offer())
            return
        self._feeds.tell(lease.event)
        if not self._ready:
            self._spawn(self._give_back(lease))
            return
        self._run = _Run(lease, lease.event.last)
        head = {"op": "run", "job": lease.job, "attempt": lease.attempt, "first": lease.event.last + 1}
        targets = None if lease.targets is None else json.loads(lease.targets)
        self._supervisor.send(Message({**head, "targets": targets}, lease.workflow.encode()))

    async def _give_back(self, lease: Lease) -> None:
        ending = Ending("queued", "returned", cause="the worker died before it was given the job")
        event = await self._database.run(
            partial(
                rows.requeue, job=lease.job, attempt=lease.attempt, ending=ending, last=lease.event.last, now=now_ms()
            )
        )
        if event is not None:
            self._feeds.tell(event)
        self._begin(None)

    # Recording what the worker says

    async def _record(self) -> None:
        while True:
            group = [await self._inbox.get()]
            while not _ends_run(group[-1]) and not self._inbox.empty():
                group.append(self._inbox.get_nowait())
            steps = self._steps(group)
            for step, result in zip(steps, await self._durably(steps)):
                step.then(result)
            for _ in group:
                self._inbox.task_done()

    async def _durably(self, steps: Sequence[_Step]) -> list[Any]:
        """The results of the steps in one transaction, tried until the database takes it (a full disk, say)."""
        while True:
            try:
                return await self._database.run(lambda db: [step.work(db) for step in steps])
            except sqlite3.Error:
                log.exception("events could not be recorded; trying again in %s s", RETRY_S)
                if self._stopping:
                    return []
                await asyncio.sleep(RETRY_S)

    def _steps(self, group: Sequence[Message | Loss]) -> list[_Step]:
        steps: list[_Step] = []
        for item in group:
            if isinstance(item, Loss):
                steps += self._loss_steps(item)
                continue
            run = self._run
            try:
                if run is not None and (item.head["job"], item.head["attempt"]) == (run.lease.job, run.lease.attempt):
                    steps.append(self._message_step(item, run))
            except (KeyError, TypeError, ValueError) as error:
                self._supervisor.kill(f"the worker sent a message that makes no sense ({item.op}): {error!r}")
        return steps

    def _message_step(self, message: Message, run: _Run) -> _Step:
        head, job = message.head, run.lease.job
        run.last = int(head["last"])
        match message.op:
            case "events":
                batch = Batch(job, int(head["first"]), run.last, message.body.decode())
                return _Step(partial(rows.append, batch=batch), lambda _: self._feeds.tell(batch))
            case "preview":
                preview = Batch(job, run.last, run.last, message.body.decode(), preview=str(head["node"]))
                return _Step(_nothing, lambda _: self._feeds.tell(preview))
            case "done":
                outputs = {node: [OutputFile(**file) for file in files] for node, files in head["outputs"].items()}
                ending = Ending(head["state"], head["state"], message.body.decode(), outputs, head["error"])
                free = self._ready and not self._stopping
                return self._end_step(run, ending, self._supervisor.worker if free else None)
            case _:
                raise ValueError("unknown op")

    def _loss_steps(self, loss: Loss) -> list[_Step]:
        run = self._run
        if run is None:
            return []
        if self._stopping:
            return [self._lost_step(run, Ending("queued", "returned", cause="the server was stopped"))]
        feed = self._feeds.get(run.lease.job)
        assert feed is not None
        summary = feed.summary()
        if run.cancelled:
            nodes = compact(summary.interrupted("cancelled"))
            return [self._end_step(run, Ending("cancelled", "cancelled", nodes, cause=loss.cause), None)]
        node = self._supervisor.last_node(run.lease.job)
        if node is None:
            return [self._lost_step(run, lost(loss.cause, "before any node started", loss.stderr))]
        nodes = compact(summary.interrupted(loss.cause) | _failed(node, loss))
        when = f"while running node {node}"
        return [self._lost_step(run, lost(loss.cause, when, loss.stderr, node=node, nodes=nodes))]

    def _end_step(self, run: _Run, ending: Ending, worker: str | None) -> _Step:
        """End the run, and lease the next job to `worker` in the same transaction."""
        lease, last = run.lease, run.last

        def work(db: sqlite3.Connection) -> tuple[Batch | None, Lease | None]:
            now = now_ms()
            event = rows.finish(db, lease.job, lease.attempt, ending, last, now)
            return event, None if worker is None else rows.claim(db, worker, now)

        def then(result: tuple[Batch | None, Lease | None]) -> None:
            event, following = result
            self._ended(run, [] if event is None else [event], following)

        return _Step(work, then)

    def _lost_step(self, run: _Run, ending: Ending) -> _Step:
        """Put the job back, or fail it when it was lost too often."""
        work = partial(
            retry_or_fail,
            job=run.lease.job,
            attempt=run.lease.attempt,
            ending=ending,
            last=run.last,
            attempts=self._attempts,
        )
        return _Step(work, lambda events: self._ended(run, events, None))

    def _ended(self, run: _Run, events: Sequence[Batch], following: Lease | None) -> None:
        if run.killer is not None:
            run.killer.cancel()
        self._run = None
        for event in events:
            self._feeds.tell(event)
        self._begin(following)

    def _turned(self) -> None:
        turn, self._turn = self._turn, asyncio.Event()
        turn.set()
        self._feeds.tell_watchers("worker", self.worker_event())

    def worker_event(self) -> str:
        return compact([{"type": "worker", "state": self.worker_state}])

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def report_crash(task: asyncio.Task[None]) -> None:
    """Say that a task that must not end has, and why."""
    if not task.cancelled() and task.exception() is not None:
        log.critical("the task %r ended: no further job will run", task.get_name(), exc_info=task.exception())


def _insert(db: sqlite3.Connection, job: NewJob, worker: str | None) -> tuple[str, Batch | None, Lease | None]:
    id, event = rows.insert(db, job)
    return id, event, None if worker is None else rows.claim(db, worker, now_ms())


def _failed(node: str, loss: Loss) -> dict[str, NodeState]:
    return {node: {"state": "failed", "reason": loss.cause, "ms": None}}


def _nothing(_: sqlite3.Connection) -> None:
    """What the database does for an event that is told but not stored."""


def _ends_run(item: Message | Loss) -> bool:
    return isinstance(item, Loss) or item.op == "done"
