"""The tables: each transition happens once, from the state it expects, with its event, or not at all."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from graph.context import OutputFile
from jobs import rows
from jobs.database import DatabaseTooNew, DatabaseUnusable, connect
from jobs.recovery import RESTART_GAP, recover
from jobs.rows import Batch, Ending, NewJob
from jobs.schema import MIGRATIONS


@pytest.fixture
def db(tmp_path: Path):
    connection = connect(tmp_path / "jobs.db", MIGRATIONS)
    yield connection
    connection.close()


def job(id: str, key: str | None = None, created: int = 0) -> NewJob:
    return NewJob(id, "someone", key, '{"version":1}', None, created)


def state(db: sqlite3.Connection, id: str) -> str:
    found = rows.state_of(db, id)
    assert found is not None
    return found


def test_jobs_are_claimed_in_order_of_rank_then_age(db: sqlite3.Connection) -> None:
    for id in "abc":
        rows.insert(db, job(id))
    db.execute("UPDATE jobs SET rank = -1 WHERE id = 'c'")
    claimed = [lease.job for _ in range(3) if (lease := rows.claim(db, "w", 1))]
    assert claimed == ["c", "a", "b"]
    assert rows.claim(db, "w", 1) is None


def test_a_result_is_taken_once_and_only_from_the_attempt_that_holds_the_lease(db: sqlite3.Connection) -> None:
    rows.insert(db, job("a"))
    first = rows.claim(db, "w1", 1)
    assert first is not None
    assert rows.requeue(db, "a", first.attempt, Ending("queued", "lost", cause="gone"), 2, 2) is not None
    second = rows.claim(db, "w2", 3)
    assert second is not None
    assert second.attempt == 2
    files = {"s": [OutputFile("x-00001.png", "image/png", 4, 5)]}
    late = rows.finish(db, "a", first.attempt, Ending("done", "done", outputs=files), 9, 4)
    assert late is None
    assert state(db, "a") == "running"
    assert rows.finish(db, "a", second.attempt, Ending("done", "done", '{"s":{}}', files), 9, 5) is not None
    assert rows.finish(db, "a", second.attempt, Ending("failed", "failed"), 10, 6) is None
    found = rows.get(db, "a")
    assert found is not None
    assert (found.state, found.outputs, found.finished, found.nodes_json) == ("done", files, 5, '{"s":{}}')
    attempts = db.execute("SELECT number, worker, outcome, cause FROM attempts ORDER BY number").fetchall()
    assert attempts == [(1, "w1", "lost", "gone"), (2, "w2", "done", None)]


def test_only_a_queued_job_is_cancelled_at_once(db: sqlite3.Connection) -> None:
    rows.insert(db, job("a"))
    rows.insert(db, job("b"))
    rows.claim(db, "w", 1)
    assert rows.cancel_queued(db, "a", 2) is None
    assert rows.cancel_queued(db, "b", 2) is not None
    assert rows.cancel_queued(db, "b", 2) is None
    assert (state(db, "a"), state(db, "b")) == ("running", "cancelled")
    assert rows.claim(db, "w", 3) is None


def test_every_transition_has_its_event(db: sqlite3.Connection) -> None:
    rows.insert(db, job("a"))
    lease = rows.claim(db, "w", 1)
    assert lease is not None
    rows.append(db, Batch("a", 3, 4, '[{"n":3},{"n":4}]'))
    rows.finish(db, "a", 1, Ending("failed", "failed", error={"message": "why"}), 4, 2)
    events = [event for batch in rows.batches(db, "a", 0) for event in json.loads(batch.body)]
    assert [event["n"] for event in events] == [1, 2, 3, 4, 5]
    assert [event.get("state") for event in events] == ["queued", "running", None, None, "failed"]
    assert events[-1]["error"] == {"message": "why"}
    assert [(batch.first, batch.last) for batch in rows.batches(db, "a", 3)] == [(3, 4), (5, 5)]


def test_the_events_of_old_jobs_that_have_ended_are_told_by_a_snapshot(db, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "EVENTS_OF", 2)
    for id in "abcd":
        rows.insert(db, job(id))
        lease = rows.claim(db, "w", 1)
        assert lease is not None
        rows.append(db, Batch(id, 3, 4, '[{"n":3},{"n":4}]'))
        if id != "b":
            rows.finish(db, id, 1, Ending("done", "done", nodes='{"1":{"state":"ran"}}'), 4, 7)

    def told(id: str, after: int) -> list[dict]:
        return [event for batch in rows.batches(db, id, after) for event in json.loads(batch.body)]

    snapshot, end = told("a", 0)
    assert snapshot == {"n": 4, "job": "a", "t": 7, "type": "snapshot", "nodes": {"1": {"state": "ran"}}}
    assert (end["n"], end["state"]) == (5, "done")
    assert told("a", 3) == [snapshot, end]
    assert told("a", 4) == [end]
    assert told("a", 5) == []
    for id in "bcd":
        assert [event["n"] for event in told(id, 0)][:4] == [1, 2, 3, 4]


def test_events_are_read_some_at_a_time(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "AT_ONCE", 2)
    rows.insert(db, job("a"))
    for n in range(2, 6):
        rows.append(db, Batch("a", n, n, f'[{{"n":{n}}}]'))
    assert [batch.first for batch in rows.batches(db, "a", 0)] == [1, 2]
    assert [batch.first for batch in rows.batches(db, "a", 3)] == [4, 5]


def test_an_idempotency_key_lives_a_day(db: sqlite3.Connection) -> None:
    assert rows.insert(db, job("a", "k", created=0))[0] == "a"
    assert rows.insert(db, job("b", "k", created=rows.KEY_LIFE_MS - 1)) == ("a", None)
    id, event = rows.insert(db, job("c", "k", created=rows.KEY_LIFE_MS))
    assert (id, event is not None) == ("c", True)
    assert rows.insert(db, job("d", "k", created=rows.KEY_LIFE_MS + 1)) == ("c", None)


def test_a_job_running_when_the_server_died_is_run_again_and_then_given_up(db: sqlite3.Connection) -> None:
    rows.insert(db, job("a"))
    for attempt in range(1, 4):
        lease = rows.claim(db, "w", attempt)
        assert lease is not None
        assert lease.attempt == attempt
        (event,) = recover(db, 3)
        assert event.first > attempt * RESTART_GAP
    assert state(db, "a") == "failed"
    found = rows.get(db, "a")
    assert found is not None
    assert found.error is not None
    assert "server went away" in str(found.error["message"])
    assert recover(db, 3) == []


def test_a_cancelled_job_that_runs_is_not_run_again_whatever_happens(db: sqlite3.Connection) -> None:
    for id in "ab":
        rows.insert(db, job(id))
        lease = rows.claim(db, "w", 1)
        assert lease is not None
        assert rows.cancel_all(db, [id], 2) == ([], {id: "running"})
    (event,) = recover(db, 1)[:1]
    assert (event.state, state(db, "a"), state(db, "b")) == ("cancelled", "cancelled", "cancelled")
    found = rows.get(db, "a")
    assert found is not None
    assert found.error is None


def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    connect(tmp_path / "jobs.db", ["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).close()
    with pytest.raises(DatabaseTooNew, match="schema version 2, this program knows up to 1"):
        connect(tmp_path / "jobs.db", ["CREATE TABLE a (x)"])


def test_what_is_no_database_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_bytes(b"no database " * 400)
    with pytest.raises(DatabaseUnusable, match="not a database; move it away to begin without what it holds"):
        connect(tmp_path / "jobs.db", [])


def test_migrations_are_applied_once_and_whole(tmp_path: Path) -> None:
    connect(tmp_path / "jobs.db", ["CREATE TABLE a (x)"]).close()
    with pytest.raises(DatabaseUnusable, match="cannot be opened"):
        connect(tmp_path / "jobs.db", ["CREATE TABLE a (x)", "CREATE TABLE b (x); CREATE TABLE b (x)"])
    later = connect(tmp_path / "jobs.db", ["CREATE TABLE a (x)", "CREATE TABLE b (x)"])
    names = {row[0] for row in later.execute("SELECT name FROM sqlite_master")}
    later.close()
    assert names == {"a", "b"}
