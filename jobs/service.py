"""The jobs of this server, as the rest of the program asks for them: submit, look, move, cancel, explain, listen."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from graph.node import NodeSpec
from graph.problems import InvalidGraph, Problem
from graph.workflow import load_parsed
from jobs import order, rows
from jobs.catalogue import Catalogue
from jobs.database import Database
from jobs.dispatcher import Dispatcher
from jobs.feed import Feed, Feeds, clip
from jobs.job import Job, Page, Queue, Standing, State, UnknownJob, WorkerState, WorkerUnavailable
from jobs.results import AT_ONCE, Candidate, Made, Wanted, candidates, forget, made_of
from jobs.rows import Batch, NewJob, compact, now_ms
from jobs.staff import Workers

ANSWER_LIMIT_S = 60.0


class Jobs:
    """Made on the event loop and used on it only. An id or event is given out once it would survive a crash."""

    def __init__(self, database: Database, catalogue: Catalogue, workers: Workers) -> None:
        self.catalogue = catalogue
        self._database = database
        self._feeds = Feeds()
        self._dispatcher = Dispatcher(database, catalogue, workers, self._feeds)

    async def start(self) -> None:
        """Open the database, recover what an earlier server left running, start the workers."""
        await self._database.start()
        await self._dispatcher.start()

    async def stop(self) -> None:
        """Stop the workers (their jobs go back to the queue) and close the database."""
        await self._dispatcher.stop()
        await self._database.stop()

    @property
    def worker_state(self) -> WorkerState:
        return self._dispatcher.staff.state

    def workers(self) -> Sequence[Mapping[str, Any]]:
        """Each as `Slot.to_json` has it."""
        return self._dispatcher.staff.to_json()

    async def submit(
        self,
        workflow: object,
        targets: Sequence[str] | None = None,
        *,
        text: str | None = None,
        client: str = "",
        key: str | None = None,
        priority: int = 0,
    ) -> str:
        """Validate, record and queue; the id.

        `workflow` is a value that graph.workflow parsed; `text` is what it was parsed from, where that is at hand.
        `client` is who asks: clients of one priority take turns. `key` is an idempotency key of that client: the same
        request with it within 24 hours gives the same id and no second job.
        Raises InvalidGraph with every problem, KeyReused, WorkerUnavailable (nothing to validate with yet).
        """
        await self._check(workflow, targets)
        return await self._dispatcher.submit(
            NewJob(
                id=secrets.token_hex(8),
                client=client,
                key=key,
                workflow=compact(workflow) if text is None else text,
                targets=None if targets is None else compact(targets),
                created=now_ms(),
                priority=priority,
            )
        )

    async def get(self, id: str) -> Job:
        """Raises UnknownJob."""
        job = await self._database.run(partial(rows.get, job=id))
        if job is None:
            raise UnknownJob(id)
        feed = self._feeds.get(id)
        if feed is None or job.state != "running":
            return job
        summary = feed.summary()
        return replace(job, nodes_json=compact(summary.nodes), estimate=summary.estimate)

    async def workflow(self, id: str) -> str:
        """The workflow as submitted, as JSON text. Raises UnknownJob."""
        return (await self._database.run(partial(rows.request_of, job=id)))[0]

    async def rerun(self, id: str, *, client: str = "", key: str | None = None) -> str:
        """Submit the request of a job again; the new id. Raises UnknownJob and what `submit` does."""
        text, targets, priority = await self._database.run(partial(rows.request_of, job=id))
        wanted = None if targets is None else json.loads(targets)
        return await self.submit(json.loads(text), wanted, text=text, client=client, key=key, priority=priority)

    async def page(self, state: State | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """Jobs, newest first; ValueError for a cursor that is not from an earlier page."""
        before = None if cursor is None else int(cursor)
        return await self._database.run(partial(rows.page, state=state, limit=limit, before=before))

    async def results(self, wanted: Wanted, limit: int) -> tuple[Sequence[tuple[Candidate, Made]], int | None]:
        """The newest jobs with kept pictures, about `limit` of them, with what these are made of; and the number to
        look before for the rest, None where there is none."""
        found: list[tuple[Candidate, Made]] = []
        while True:
            batch = await self._database.run(partial(candidates, wanted=wanted))
            made = await asyncio.to_thread(_made, batch, self.catalogue.registry)
            for candidate, of in zip(batch, made, strict=True):
                if of.has(wanted.words):
                    found.append((candidate, of))
                if len(found) >= limit:
                    return found, candidate.number
            if len(batch) < AT_ONCE:
                return found, None
            wanted = replace(wanted, before=batch[-1].number)

    async def forget_result(self, name: str) -> bool:
        """No job has the file `name` as a result any more; whether one had."""
        return await self._database.run(partial(forget, name=name))

    async def cancel(self, id: str) -> State:
        """The state after the request: a running job is "running" until its node has let go. Raises UnknownJob."""
        return (await self.cancel_all([id]))[id]

    async def cancel_all(self, ids: Sequence[str]) -> Mapping[str, State]:
        """Cancel these jobs and no other; the state of each. Raises UnknownJob, and then none is cancelled."""
        events, states = await self._database.run(partial(rows.cancel_all, jobs=ids, now=now_ms()))
        for event in events:
            self._feeds.tell(event)
        for id, state in states.items():
            if state == "running":
                self._dispatcher.cancel(id)
        return states

    async def move_to(self, id: str, position: int) -> Standing:
        """Let `position` queued jobs run before this one. Raises UnknownJob and NotQueued."""
        return await self._database.run(partial(order.move_to, job=id, position=position))

    async def move_before(self, id: str, other: str) -> Standing:
        """Let a job run right before another. Raises UnknownJob and NotQueued, for either."""
        return await self._database.run(partial(order.move_before, job=id, other=other))

    async def prioritise(self, id: str, priority: int) -> Standing:
        """Give a queued job another priority; higher ones run first. Raises UnknownJob and NotQueued."""
        return await self._database.run(partial(order.prioritise, job=id, priority=priority))

    async def queue(self, limit: int = 500) -> Queue:
        """What runs and what waits."""
        return await self._database.run(partial(order.look, limit=limit))

    async def pause(self) -> Queue:
        """Start no job until `resume`, also after a restart; what runs goes on."""
        return await self._set(order.pause)

    async def resume(self) -> Queue:
        queue = await self._set(order.resume)
        self._dispatcher.offer()
        return queue

    async def _set(self, change: Callable[[sqlite3.Connection], None]) -> Queue:
        await self._database.run(change)
        queue = await self.queue()
        self._feeds.tell_watchers("queue", compact([{"type": "queue", "paused": queue.paused}]))
        return queue

    async def explain(self, workflow: object, targets: Sequence[str] | None = None) -> Mapping[str, Any]:
        """What a job would do, node by node and in all, see Engine.explain.

        Raises InvalidGraph, and WorkerUnavailable when no worker answers.
        """
        await self._check(workflow, targets)
        question = self._dispatcher.staff.ask({"op": "explain", "targets": targets}, compact(workflow).encode())
        (answer,) = await _answered(question)
        if "problems" in answer:
            raise InvalidGraph([Problem(**problem) for problem in answer["problems"]])
        return answer

    async def cache(self, cleared: Sequence[str] = ()) -> Mapping[str, Any]:
        """What the caches of all workers hold once the tiers named are empty: `{tier: {"budget", "used", "results"}}`,
        in bytes. They share the disk.

        Raises WorkerUnavailable when no worker answers.
        """
        found: dict[str, dict[str, int]] = {}
        for answer in await _answered(self._dispatcher.staff.ask_all({"op": "cache", "cleared": cleared})):
            for tier, account in answer["tiers"].items():
                sums = found.setdefault(tier, dict.fromkeys(account, 0))
                found[tier] = account if tier == "disk" else {name: sums[name] + account[name] for name in account}
        return found

    async def subscribe(self, id: str, after: int = 0) -> AsyncGenerator[str]:
        """The events of a job above number `after`, as texts of JSON arrays, until its end. Raises UnknownJob.

        Numbers grow and may have gaps: a preview that is superseded before it is read is not sent. Where events were
        forgotten, as the job is old, one "snapshot" stands for them: {"n", "job", "t", "type", "nodes"}, see Job.
        """
        return self._follow(id, await self._feed(id), after)

    async def recorded(self, id: str, after: int = 0) -> AsyncGenerator[str]:
        """What `subscribe` would give now, without waiting for more. Raises UnknownJob at the first text."""
        feed, position = await self._feed(id), after
        while batches := await self._batches(id, feed, position):
            for batch in batches:
                yield clip(batch, position)
                position = batch.last

    async def watch(self) -> AsyncGenerator[str]:
        """Transitions of all jobs and of the worker from now on, as texts of JSON arrays.

        The first one tells the worker's state. A slow reader gets the latest of each job.
        """
        with self._feeds.watching() as watch:
            yield self._dispatcher.staff.event()
            async for text in watch.texts():
                yield text

    async def _feed(self, id: str) -> Feed | None:
        """The feed of a job, None when the job has ended. Raises UnknownJob."""
        feed = self._feeds.get(id)
        if feed is None and await self._database.run(partial(rows.state_of, job=id)) is None:
            raise UnknownJob(id)
        return feed

    async def _follow(self, id: str, feed: Feed | None, after: int) -> AsyncGenerator[str]:
        position = after
        while True:
            batches = await self._batches(id, feed, position)
            for batch in batches:
                yield clip(batch, position)
                position = batch.last
            if feed is None and not batches:
                return
            if feed is not None and feed.last <= position:
                if feed.ended:
                    return
                await feed.changed()

    async def _batches(self, id: str, feed: Feed | None, after: int) -> Sequence[Batch]:
        """The batches there are now that hold an event above `after`; older ones are in the database."""
        if feed is not None and after >= feed.base:
            return feed.after(after)
        stored = await self._database.run(partial(rows.batches, job=id, after=after))
        if feed is None or len(stored) >= rows.AT_ONCE:
            return stored
        return [*stored, *feed.after(max(after, stored[-1].last if stored else 0))]

    async def definitions(self) -> Catalogue:
        """The definitions, from the first worker when no earlier start has left them. Raises WorkerUnavailable."""
        if not self.catalogue.known:
            await self._dispatcher.staff.ready()
        return self.catalogue

    async def _check(self, workflow: object, targets: Sequence[str] | None) -> None:
        (await self.definitions()).builder.build(load_parsed(workflow), targets)


def _made(batch: Sequence[Candidate], registry: Mapping[str, NodeSpec]) -> list[Made]:
    return [made_of(json.loads(candidate.workflow), registry) for candidate in batch]


async def _answered(question: Awaitable[Sequence[bytes]]) -> list[Mapping[str, Any]]:
    """What workers say. Raises WorkerUnavailable when one does not, or not in time."""
    try:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            answers = [json.loads(answer) for answer in await question]
    except TimeoutError:
        raise WorkerUnavailable(f"the worker gave no answer within {ANSWER_LIMIT_S:.0f} s") from None
    for answer in answers:
        if "error" in answer:
            raise WorkerUnavailable(f"the worker could not answer: {answer['error']}")
    return answers
