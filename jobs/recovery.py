"""What becomes of a job whose worker, or server, went away: it is queued again, and given up when that repeats."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from jobs import rows
from jobs.rows import Batch, Ending, now_ms

MAX_LOST = 2
"""A job is failed the second time it is lost; the first time may have been no fault of its own."""
RESTART_GAP = 1_000_000
"""Previews are numbered but not stored: after a restart, numbers go on this far above the last stored one."""


def recover(db: sqlite3.Connection) -> list[Batch]:
    """Deal with the jobs that were running when an earlier server died; the event of each."""
    ending = lost("the server went away", "while the job was running", ())
    events = [
        requeue_or_fail(db, job, attempt, ending, rows.last_event(db, job) + RESTART_GAP)
        for job, attempt in rows.running(db)
    ]
    return [event for event in events if event is not None]


def requeue_or_fail(db: sqlite3.Connection, job: str, attempt: int, ending: Ending, last: int) -> Batch | None:
    """Put a running job back in the queue, or end it with `ending` if that is its MAX_LOST-th loss."""
    now = now_ms()
    if ending.outcome == "lost" and rows.times_lost(db, job) + 1 >= MAX_LOST:
        return rows.finish(db, job, attempt, ending, last, now)
    return rows.requeue(db, job, attempt, ending, last, now)


def lost(cause: str, when: str, stderr: Sequence[str], *, node: str | None = None, nodes: str = "{}") -> Ending:
    """The failure of a job that was lost for `cause`, with the node to blame where one is known."""
    error: dict[str, object] = {
        "code": "worker_lost",
        "type": "WorkerLost",
        "message": f"{cause} {when}",
        "node": node,
        "port": None,
        "stderr": list(stderr),
    }
    return Ending("failed", "lost", nodes, error=error, cause=cause)
