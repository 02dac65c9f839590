"""The order of the queue: by priority, within one clients take turns, and a person may move any job or stop it all.

Jobs run by falling priority, then by growing rank, then in the order they came. A rank is a turn: every job of a client
joins one turn after the one before, so that a client with a thousand jobs waiting holds up nobody for more than one.
"""

from __future__ import annotations

import sqlite3

from jobs.job import NotQueued, Queue, Standing, UnknownJob

MIGRATION = """
    ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
    DROP INDEX jobs_queue;
    CREATE INDEX jobs_queue ON jobs (priority DESC, rank, seq) WHERE state = 'queued';
    CREATE INDEX jobs_turns ON jobs (priority, rank) WHERE state IN ('queued', 'running');
    CREATE INDEX jobs_client ON jobs (priority, client, rank) WHERE state IN ('queued', 'running');
    CREATE TABLE queue (one INTEGER PRIMARY KEY CHECK (one = 1), paused INTEGER NOT NULL CHECK (paused IN (0, 1)));
    INSERT INTO queue VALUES (1, 0)
"""

QUEUED = "FROM jobs INDEXED BY jobs_queue WHERE state = 'queued'"
IN_ORDER = "ORDER BY priority DESC, rank, seq"
"""The one to run next first."""


def turn(db: sqlite3.Connection, client: str, priority: int) -> float:
    """The rank of a job that joins: the turn that is on now, or the one after the client's last."""
    (now,) = db.execute(
        "SELECT MIN(rank) FROM jobs INDEXED BY jobs_turns WHERE state IN ('queued', 'running') AND priority = ?",
        (priority,),
    ).fetchone()
    (own,) = db.execute(
        "SELECT MAX(rank) FROM jobs INDEXED BY jobs_client"
        " WHERE state IN ('queued', 'running') AND priority = ? AND client = ?",
        (priority, client),
    ).fetchone()
    if now is None:
        return 0.0
    return now if own is None else max(own + 1.0, now)


def prioritise(db: sqlite3.Connection, job: str, priority: int) -> Standing:
    """Let a queued job join another priority, or its own again. Raises UnknownJob and NotQueued."""
    _place(db, job)
    (client,) = db.execute("SELECT client FROM jobs WHERE id = ?", (job,)).fetchone()
    return _put(db, job, priority, turn(db, client, priority))


def move_to(db: sqlite3.Connection, job: str, position: int) -> Standing:
    """Make a queued job the one with `position` queued jobs before it, or the last. Raises UnknownJob and NotQueued.

    It takes on the priority of the job it comes before (of the last one, at the end).
    """
    _place(db, job)
    query = f"SELECT id {QUEUED} AND id != ? {IN_ORDER} LIMIT 1 OFFSET ?"
    following = db.execute(query, (job, position)).fetchone()
    if following is not None:
        return move_before(db, job, following[0])
    last = db.execute(
        "SELECT priority, rank FROM jobs WHERE state = 'queued' AND id != ?"
        " ORDER BY priority, rank DESC, seq DESC LIMIT 1",
        (job,),
    ).fetchone()
    return _standing(db, job) if last is None else _put(db, job, last[0], last[1] + 1.0)


def move_before(db: sqlite3.Connection, job: str, other: str) -> Standing:
    """Put a queued job right before another one, with its priority. Raises UnknownJob and NotQueued."""
    _place(db, job)
    priority, rank, seq = _place(db, other)
    if job == other:
        return _standing(db, job)
    before = db.execute(
        "SELECT rank FROM jobs WHERE state = 'queued' AND priority = ? AND (rank, seq) < (?, ?) AND id != ?"
        " ORDER BY rank DESC, seq DESC LIMIT 1",
        (priority, rank, seq, job),
    ).fetchone()
    if before is None:
        return _put(db, job, priority, rank - 1.0)
    middle = (before[0] + rank) / 2
    if not before[0] < middle < rank:
        db.execute(
            "UPDATE jobs SET rank = rank + 1 WHERE state = 'queued' AND priority = ? AND (rank, seq) >= (?, ?)",
            (priority, rank, seq),
        )
        middle = before[0] + 0.5
    return _put(db, job, priority, middle)


def pause(db: sqlite3.Connection) -> None:
    """Give no job to a worker until `resume`, also after a restart; what runs goes on."""
    db.execute("UPDATE queue SET paused = 1")


def resume(db: sqlite3.Connection) -> None:
    db.execute("UPDATE queue SET paused = 0")


def look(db: sqlite3.Connection, limit: int) -> Queue:
    """The queue now, with the ids of at most `limit` queued jobs."""
    (paused,) = db.execute("SELECT paused FROM queue").fetchone()
    running = db.execute("SELECT id FROM jobs WHERE state = 'running' ORDER BY seq").fetchall()
    queued = db.execute(f"SELECT id {QUEUED} {IN_ORDER} LIMIT ?", (limit,)).fetchall()
    (total,) = db.execute("SELECT COUNT(*) FROM jobs WHERE state = 'queued'").fetchone()
    return Queue(bool(paused), [id for (id,) in running], [id for (id,) in queued], total)


def _put(db: sqlite3.Connection, job: str, priority: int, rank: float) -> Standing:
    db.execute("UPDATE jobs SET priority = ?, rank = ? WHERE id = ?", (priority, rank, job))
    return _standing(db, job)


def _standing(db: sqlite3.Connection, job: str) -> Standing:
    priority, rank, seq = _place(db, job)
    (position,) = db.execute(
        "SELECT COUNT(*) FROM jobs WHERE state = 'queued'"
        " AND (priority > ? OR (priority = ? AND (rank, seq) < (?, ?)))",
        (priority, priority, rank, seq),
    ).fetchone()
    return Standing(job, priority, position)


def _place(db: sqlite3.Connection, job: str) -> tuple[int, float, int]:
    """Priority, rank and sequence number of a queued job."""
    row = db.execute("SELECT state, priority, rank, seq FROM jobs WHERE id = ?", (job,)).fetchone()
    if row is None:
        raise UnknownJob(job)
    if row[0] != "queued":
        raise NotQueued(job, row[0])
    return row[1:]
