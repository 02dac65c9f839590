"""What becomes of a job whose worker, or server, went away: it is queued again, and given up when that repeats."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from jobs import rows
from jobs.rows import Batch, Ending, compact, now_ms

ATTEMPTS = 2
"""A job is failed the second time it is lost; the first time may have been no fault of its own."""
RESTART_GAP = 1_000_000
"""Previews are numbered but not stored: after a restart, numbers go on this far above the last stored one."""


def recover(db: sqlite3.Connection, attempts: int) -> list[Batch]:
    """Deal with the jobs that were running when an earlier server died; their events."""
    ending = lost("the server went away", "while the job was running", ())
    return [
        event
        for job, attempt in rows.running(db)
        for event in retry_or_fail(db, job, attempt, ending, rows.last_event(db, job) + RESTART_GAP, attempts)
    ]


def retry_or_fail(
    db: sqlite3.Connection, job: str, attempt: int, ending: Ending, last: int, attempts: int
) -> list[Batch]:
    """Put a running job back in the queue, or end it: as cancelled when that was asked for, with `ending` when it was
    lost `attempts` times; the events.

    No event when the attempt no longer holds the lease. A failure that blames a node tells that of the node first.
    """
    now = now_ms()
    if ending.outcome != "lost" or rows.is_cancelling(db, job) or rows.times_lost(db, job) + 1 < attempts:
        event = rows.requeue(db, job, attempt, ending, last, now)
        return [] if event is None else [event]
    blamed = _blamed(job, last + 1, ending, now)
    event = rows.finish(db, job, attempt, ending, last + len(blamed), now)
    if event is None:
        return []
    for batch in blamed:
        rows.append(db, batch)
    return [*blamed, event]


def lost(cause: str, when: str, stderr: Sequence[str], *, node: str | None = None, nodes: str = "{}") -> Ending:
    """The failure of a job that was lost for `cause`, with the node to blame where one is known."""
    error: dict[str, object] = {
        "code": "worker_lost",
        "type": "WorkerLost",
        "message": f"{cause} {when}",
        "cause": cause,
        "node": node,
        "port": None,
        "stderr": list(stderr),
    }
    return Ending("failed", "lost", nodes, error=error, cause=cause)


def _blamed(job: str, n: int, ending: Ending, now: int) -> list[Batch]:
    """The event that the node named in the error has failed, or nothing."""
    if ending.error is None or ending.error["node"] is None:
        return []
    event = {"n": n, "job": job, "t": now, "type": "failed", "node": ending.error["node"], "error": ending.error}
    return [Batch(job, n, n, compact([event]))]
