"""Every statement: each function is one step of a transaction, each transition a compare-and-set."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graph.context import OutputFile
from jobs import order
from jobs.job import TERMINAL, Job, KeyReused, Page, State, UnknownJob

KEY_LIFE_MS = 24 * 3600 * 1000
EVENTS_OF = 1000
"""The events of so many jobs are kept; of older ones that have ended, their results and the states of their nodes."""
AT_ONCE = 64
"""How many batches of events are read at once."""
_FIELDS = "id, state, rank, client, priority, attempt, created, started, finished, targets, error"


@dataclass(frozen=True)
class NewJob:
    id: str
    client: str
    key: str | None
    workflow: str
    targets: str | None
    created: int
    priority: int = 0


@dataclass(frozen=True)
class Batch:
    """Consecutive events of a job as the text of a JSON array, numbered `first` to `last`.

    `state` is set when it is the one event that tells a transition of the job, `preview` (the node) when it is one
    preview, which is told but not stored.
    """

    job: str
    first: int
    last: int
    body: str
    state: State | None = None
    preview: str | None = None


@dataclass(frozen=True)
class Waiting:
    """A queued job that was leased `attempt` times before."""

    id: str
    attempt: int
    workflow: str
    targets: str | None


@dataclass(frozen=True)
class Lease:
    """The right of one worker to run one job once; a result is only taken from the attempt it names."""

    job: str
    attempt: int
    workflow: str
    targets: str | None
    event: Batch


@dataclass(frozen=True)
class Ending:
    """How an attempt ended: what becomes of the job, what it left, and why."""

    state: State
    outcome: str
    nodes: str = "{}"
    outputs: Mapping[str, Sequence[OutputFile]] = field(default_factory=dict[str, Sequence[OutputFile]])
    error: Mapping[str, object] | None = None
    cause: str | None = None


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def compact(value: object) -> str:
    """JSON text without spaces; ValueError for NaN and infinities, which JSON does not have."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def transition(
    job: str, n: int, state: State, now: int, error: Mapping[str, object] | None = None, reason: str | None = None
) -> Batch:
    """The event that tells the job is now in `state`; `reason` says why it is queued again."""
    event: dict[str, object] = {"n": n, "job": job, "t": now, "type": "state", "state": state}
    event |= {name: value for name, value in (("error", error), ("reason", reason)) if value is not None}
    return Batch(job, n, n, compact([event]), state)


def insert(db: sqlite3.Connection, job: NewJob) -> tuple[str, Batch | None]:
    """Record a queued job: its id and event. When its idempotency key was used in the last 24 hours, the id of the
    earlier job and None; KeyReused if that one was another request."""
    if job.key is not None:
        row = db.execute(
            "SELECT id, created, workflow, targets FROM jobs WHERE client = ? AND key = ?", (job.client, job.key)
        ).fetchone()
        if row is not None and job.created - row[1] < KEY_LIFE_MS:
            if (row[2], row[3]) != (job.workflow, job.targets):
                raise KeyReused(job.key, row[0])
            return row[0], None
        db.execute("UPDATE jobs SET key = NULL WHERE client = ? AND key = ?", (job.client, job.key))
    rank = order.turn(db, job.client, job.priority)
    db.execute(
        "INSERT INTO jobs (id, state, rank, client, priority, attempt, created, key, targets, workflow)"
        " VALUES (?, 'queued', ?, ?, ?, 0, ?, ?, ?, ?)",
        (job.id, rank, job.client, job.priority, job.created, job.key, job.targets, job.workflow),
    )
    event = transition(job.id, 1, "queued", job.created)
    append(db, event)
    return job.id, event


def first_queued(db: sqlite3.Connection) -> Waiting | None:
    """The job to run next, unless the queue is paused."""
    row = db.execute(
        f"SELECT id, attempt, workflow, targets {order.QUEUED}"  # noqa: S608
        f" AND NOT (SELECT paused FROM queue) {order.IN_ORDER} LIMIT 1"
    ).fetchone()
    return None if row is None else Waiting(*row)


def claim(db: sqlite3.Connection, worker: str, now: int) -> Lease | None:
    """Give the first queued job to `worker`, unless the queue is paused."""
    job = first_queued(db)
    return None if job is None else lease(db, job, worker, now)


def lease(db: sqlite3.Connection, job: Waiting, worker: str, now: int) -> Lease:
    """Give a queued job, looked up in the same transaction, to `worker`."""
    id, attempt = job.id, job.attempt + 1
    db.execute(
        "UPDATE jobs SET state = 'running', attempt = ?, started = COALESCE(started, ?) WHERE id = ?",
        (attempt, now, id),
    )
    db.execute("INSERT INTO attempts (job, number, worker, started) VALUES (?, ?, ?, ?)", (id, attempt, worker, now))
    event = transition(id, last_event(db, id) + 1, "running", now)
    append(db, event)
    return Lease(id, attempt, job.workflow, job.targets, event)


def finish(db: sqlite3.Connection, job: str, attempt: int, ending: Ending, last: int, now: int) -> Batch | None:
    """End a running job with its results and the event after number `last`.

    None, and nothing written, when the attempt no longer holds the lease.
    """
    error = None if ending.error is None else compact(ending.error)
    ended = db.execute(
        "UPDATE jobs SET state = ?, finished = ?, error = ?, nodes = ?"
        " WHERE id = ? AND state = 'running' AND attempt = ?",
        (ending.state, now, error, ending.nodes, job, attempt),
    )
    if ended.rowcount != 1:
        return None
    _end_attempt(db, job, attempt, now, ending)
    db.executemany(
        "INSERT INTO outputs (job, node, position, folder, name, media_type, width, height)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (job, node, position, file.folder, file.name, file.media_type, file.width, file.height)
            for node, files in ending.outputs.items()
            for position, file in enumerate(files)
        ],
    )
    event = transition(job, last + 1, ending.state, now, ending.error, None if ending.error else ending.cause)
    append(db, event)
    _forget(db, job)
    return event


def requeue(db: sqlite3.Connection, job: str, attempt: int, ending: Ending, last: int, now: int) -> Batch | None:
    """Put a running job back where it was in the queue, or end it if its cancellation was asked for.

    None when the attempt no longer holds the lease.
    """
    if is_cancelling(db, job):
        return finish(db, job, attempt, replace(ending, state="cancelled", outcome="cancelled", error=None), last, now)
    moved = db.execute(
        "UPDATE jobs SET state = 'queued' WHERE id = ? AND state = 'running' AND attempt = ?", (job, attempt)
    )
    if moved.rowcount != 1:
        return None
    _end_attempt(db, job, attempt, now, ending)
    event = transition(job, last + 1, "queued", now, reason=ending.cause)
    append(db, event)
    return event


def cancel_queued(db: sqlite3.Connection, job: str, now: int) -> Batch | None:
    """queued -> cancelled; None when it is not queued (any more)."""
    cancelled = db.execute(
        "UPDATE jobs SET state = 'cancelled', finished = ? WHERE id = ? AND state = 'queued'", (now, job)
    )
    if cancelled.rowcount != 1:
        return None
    event = transition(job, last_event(db, job) + 1, "cancelled", now)
    append(db, event)
    return event


def cancel_all(db: sqlite3.Connection, jobs: Sequence[str], now: int) -> tuple[list[Batch], dict[str, State]]:
    """Cancel those that are queued: their events, and the state of every one. Raises UnknownJob.

    Those that run are marked: whatever becomes of their workers and of this server, they do not run again.
    """
    events = [event for job in jobs if (event := cancel_queued(db, job, now)) is not None]
    states: dict[str, State] = {}
    for job in jobs:
        db.execute("UPDATE jobs SET cancelling = 1 WHERE id = ? AND state = 'running'", (job,))
        state = state_of(db, job)
        if state is None:
            raise UnknownJob(job)
        states[job] = state
    return events, states


def is_cancelling(db: sqlite3.Connection, job: str) -> bool:
    return db.execute("SELECT cancelling FROM jobs WHERE id = ?", (job,)).fetchone() == (1,)


def running(db: sqlite3.Connection) -> list[tuple[str, int]]:
    return db.execute("SELECT id, attempt FROM jobs WHERE state = 'running' ORDER BY seq").fetchall()


def queued(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Every queued job with the number of its last event."""
    return db.execute(
        "SELECT id, COALESCE((SELECT MAX(last) FROM events WHERE job = jobs.id), 0) FROM jobs WHERE state = 'queued'"
    ).fetchall()


def times_lost(db: sqlite3.Connection, job: str) -> int:
    """How many attempts of the job ended because their worker or the server went away."""
    return db.execute("SELECT COUNT(*) FROM attempts WHERE job = ? AND outcome = 'lost'", (job,)).fetchone()[0]


def append(db: sqlite3.Connection, batch: Batch) -> None:
    db.execute(
        "INSERT INTO events (job, first, last, body) VALUES (?, ?, ?, ?)",
        (batch.job, batch.first, batch.last, batch.body),
    )


def last_event(db: sqlite3.Connection, job: str) -> int:
    return db.execute("SELECT COALESCE(MAX(last), 0) FROM events WHERE job = ?", (job,)).fetchone()[0]


def batches(db: sqlite3.Connection, job: str, after: int) -> list[Batch]:
    """The first stored batches, at most AT_ONCE, that hold an event numbered above `after`, in order.

    Where those events are forgotten the first one is a snapshot: the nodes of the job as they ended, with the number of
    the last event forgotten.
    """
    query = "SELECT job, first, last, body FROM events WHERE job = ? AND last > ? ORDER BY first LIMIT ?"
    found = [Batch(*row) for row in db.execute(query, (job, after, AT_ONCE))]
    (oldest,) = db.execute("SELECT MIN(first) FROM events WHERE job = ?", (job,)).fetchone()
    if oldest is None or oldest == 1 or after >= oldest - 1:
        return found
    finished, nodes = db.execute("SELECT finished, nodes FROM jobs WHERE id = ?", (job,)).fetchone()
    head = compact({"n": oldest - 1, "job": job, "t": finished, "type": "snapshot"})
    return [Batch(job, oldest - 1, oldest - 1, f'[{head[:-1]},"nodes":{nodes or "{}"}}}]'), *found]


def _forget(db: sqlite3.Connection, job: str) -> None:
    """Of the job that came EVENTS_OF jobs before this one, let all events go but the last, if it has ended."""
    ended = ",".join(f"'{state}'" for state in sorted(TERMINAL))
    db.execute(
        "DELETE FROM events WHERE job ="  # noqa: S608
        f" (SELECT id FROM jobs WHERE seq = (SELECT seq FROM jobs WHERE id = ?) - ? AND state IN ({ended}))"
        " AND last < (SELECT MAX(last) FROM events AS own WHERE own.job = events.job)",
        (job, EVENTS_OF),
    )


def state_of(db: sqlite3.Connection, job: str) -> State | None:
    row = db.execute("SELECT state FROM jobs WHERE id = ?", (job,)).fetchone()
    return None if row is None else row[0]


def get(db: sqlite3.Connection, job: str) -> Job | None:
    row = db.execute(f"SELECT {_FIELDS}, nodes FROM jobs WHERE id = ?", (job,)).fetchone()  # noqa: S608
    return None if row is None else _job(row[:-1], row[-1] or "{}", _outputs(db, [job]).get(job, {}))


def request_of(db: sqlite3.Connection, job: str) -> tuple[str, str | None, int]:
    """Workflow, targets and priority of a job, as it was submitted. Raises UnknownJob."""
    row = db.execute("SELECT workflow, targets, priority FROM jobs WHERE id = ?", (job,)).fetchone()
    if row is None:
        raise UnknownJob(job)
    return row


def page(db: sqlite3.Connection, state: State | None, limit: int, before: int | None) -> Page:
    """The newest `limit` jobs (of one state), older than the sequence number `before`."""
    wanted = " AND ".join(clause for clause, given in (("state = ?", state), ("seq < ?", before)) if given is not None)
    rows = db.execute(
        f"SELECT {_FIELDS}, seq FROM jobs {'WHERE ' + wanted if wanted else ''} ORDER BY seq DESC LIMIT ?",  # noqa: S608
        [value for value in (state, before, limit + 1) if value is not None],
    ).fetchall()
    outputs = _outputs(db, [row[0] for row in rows[:limit]])
    jobs = [_job(row[:-1], "{}", outputs.get(row[0], {})) for row in rows[:limit]]
    return Page(jobs, str(rows[limit - 1][-1]) if len(rows) > limit else None)


def _end_attempt(db: sqlite3.Connection, job: str, attempt: int, now: int, ending: Ending) -> None:
    db.execute(
        "UPDATE attempts SET ended = ?, outcome = ?, cause = ? WHERE job = ? AND number = ? AND ended IS NULL",
        (now, ending.outcome, ending.cause, job, attempt),
    )


def _outputs(db: sqlite3.Connection, jobs: Iterable[str]) -> dict[str, dict[str, list[OutputFile]]]:
    ids = list(jobs)
    found: dict[str, dict[str, list[OutputFile]]] = {}
    marks = ",".join("?" * len(ids))
    fields = "job, node, name, media_type, width, height, folder"
    rows = db.execute(f"SELECT {fields} FROM outputs WHERE job IN ({marks}) ORDER BY job, node, position", ids)  # noqa: S608
    for job, node, *fields in rows:
        found.setdefault(job, {}).setdefault(node, []).append(OutputFile(*fields))
    return found


def _job(row: Sequence[Any], nodes: str, outputs: Mapping[str, Sequence[OutputFile]]) -> Job:
    id, state, rank, client, priority, attempt, created, started, finished, targets, error = row
    return Job(
        id=id,
        state=state,
        rank=rank,
        client=client,
        priority=priority,
        attempt=attempt,
        created=created,
        started=started,
        finished=finished,
        targets=None if targets is None else json.loads(targets),
        error=None if error is None else json.loads(error),
        outputs=outputs,
        nodes_json=nodes,
    )
