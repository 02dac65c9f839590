"""The order of the queue: turns of clients, priorities, and moves that leave all other jobs in their order."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import order, rows
from jobs.database import connect
from jobs.job import NotQueued, UnknownJob
from jobs.rows import Ending, NewJob
from jobs.schema import MIGRATIONS
from tests.jobs.conftest import document, running
from tests.jobs.test_service import SUM


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(tmp_path / "jobs.db", MIGRATIONS)
    yield connection
    connection.close()


def join(db: sqlite3.Connection, *names: str, priority: int = 0) -> None:
    """Submit jobs; the letter of a name is its client."""
    for name in names:
        rows.insert(db, NewJob(name, name[0], None, "{}", None, 0, priority))


def queued(db: sqlite3.Connection) -> list[str]:
    return list(order.look(db, 1000).queued)


def run_next(db: sqlite3.Connection) -> str:
    lease = rows.claim(db, "w", 1)
    assert lease is not None
    rows.finish(db, lease.job, lease.attempt, Ending("done", "done"), lease.event.last, 2)
    return lease.job


def test_clients_take_turns(db: sqlite3.Connection) -> None:
    join(db, "a1", "a2", "a3", "b1", "c1", "b2")
    assert queued(db) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_client_that_comes_while_another_has_many_waits_one_turn(db: sqlite3.Connection) -> None:
    join(db, *(f"a{index}" for index in range(50)))
    assert [run_next(db) for _ in range(10)] == [f"a{index}" for index in range(10)]
    rows.claim(db, "w", 1)
    join(db, "b1", "b2")
    assert [run_next(db) for _ in range(4)] == ["b1", "a11", "b2", "a12"]


def test_a_higher_priority_goes_first_and_turns_are_taken_within_one(db: sqlite3.Connection) -> None:
    join(db, "a1", "a2")
    join(db, "a3", "a4", "b1", priority=7)
    assert queued(db) == ["a3", "b1", "a4", "a1", "a2"]
    assert order.prioritise(db, "a2", 8).position == 0
    assert order.prioritise(db, "a3", -1).position == 4


def test_moves_are_those_of_a_list(db: sqlite3.Connection) -> None:
    chance = random.Random(5)
    expected: list[str] = []
    for number in range(12):
        join(db, f"{'abc'[number % 3]}{number}", priority=number % 2)
    expected = queued(db)
    for _ in range(300):
        job = chance.choice(expected)
        if chance.random() < 0.5:
            other = chance.choice([each for each in expected if each != job])
            expected.remove(job)
            expected.insert(expected.index(other), job)
            assert order.move_before(db, job, other).position == expected.index(job)
        else:
            position = chance.randrange(14)
            expected.remove(job)
            expected.insert(position, job)
            assert order.move_to(db, job, position).position == expected.index(job)
        assert queued(db) == expected


def test_many_moves_to_one_place_find_room(db: sqlite3.Connection) -> None:
    join(db, *(f"a{index}" for index in range(100)))
    for index in range(99, 1, -1):
        order.move_before(db, f"a{index}", "a1")
    assert queued(db) == ["a0", *(f"a{index}" for index in range(99, 0, -1))]


def test_a_lost_job_comes_back_to_its_place(db: sqlite3.Connection) -> None:
    join(db, "a1", "a2", "b1")
    lease = rows.claim(db, "w", 1)
    assert lease is not None
    rows.requeue(db, "a1", lease.attempt, Ending("queued", "lost"), lease.event.last, 2)
    assert queued(db) == ["a1", "b1", "a2"]


def test_only_queued_jobs_are_moved(db: sqlite3.Connection) -> None:
    join(db, "a1", "a2")
    rows.claim(db, "w", 1)
    for move in (lambda: order.move_to(db, "a1", 0), lambda: order.move_before(db, "a2", "a1")):
        with pytest.raises(NotQueued, match="a1 is running"):
            move()
    with pytest.raises(UnknownJob):
        order.prioritise(db, "z", 1)


def test_nothing_is_claimed_while_paused(db: sqlite3.Connection) -> None:
    join(db, "a1")
    order.pause(db)
    assert rows.claim(db, "w", 1) is None
    order.resume(db)
    assert rows.claim(db, "w", 1) is not None


def test_the_order_is_found_by_indexes(db: sqlite3.Connection) -> None:
    plan = db.execute(f"EXPLAIN QUERY PLAN SELECT id {order.QUEUED} {order.IN_ORDER} LIMIT 1").fetchall()
    assert "jobs_queue" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


def test_a_queue_of_the_first_schema_keeps_its_order(tmp_path: Path) -> None:
    old = connect(tmp_path / "jobs.db", MIGRATIONS[:1])
    fields = "INSERT INTO jobs (id, state, rank, client, attempt, created, workflow)"
    for id in ("a", "b"):
        old.execute(f"{fields} VALUES (?, 'queued', 0, '', 0, 0, '{{}}')", (id,))
    old.close()
    later = connect(tmp_path / "jobs.db", MIGRATIONS)
    join(later, "c")
    assert queued(later) == ["a", "b", "c"]
    later.close()


def test_a_pause_survives_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(tmp_path) as bench:
            await bench.jobs.pause()
            waiting = [await bench.jobs.submit(document(SUM)) for _ in range(2)]
        async with running(tmp_path) as bench:
            await bench.jobs.explain(document(SUM))
            queue = await bench.jobs.queue()
            assert (queue.paused, queue.running, queue.queued, queue.total) == (True, [], waiting, 2)
            await bench.jobs.resume()
            for id in waiting:
                assert (await bench.events(id))[-1]["state"] == "done"

    asyncio.run(scenario())
