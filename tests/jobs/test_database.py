"""The thread of the database outlives what the disk does to it."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.database import IDLE_S, Database

NO_LARGER = 1 << 16


@contextmanager
def small_files() -> Iterator[None]:
    """No file grows beyond NO_LARGER, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (NO_LARGER, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_log_that_cannot_be_copied_into_the_file_holds_up_nobody(tmp_path: Path) -> None:
    """The disk fills up between a change and the pause after which the log is copied."""

    async def story() -> tuple[int, int]:
        database = Database(tmp_path / "jobs.db", ["CREATE TABLE kept (what BLOB)"])
        await database.start()
        await database.run(lambda db: db.execute("INSERT INTO kept VALUES (zeroblob(?))", (8 * NO_LARGER,)))
        with small_files():
            await asyncio.sleep(2 * IDLE_S)
            (while_full,) = await database.run(lambda db: db.execute("SELECT COUNT(*) FROM kept").fetchone())
        await asyncio.sleep(2 * IDLE_S)
        await database.stop()
        return while_full, (tmp_path / "jobs.db").stat().st_size

    while_full, size = asyncio.run(asyncio.wait_for(story(), 20))
    assert while_full == 1
    assert size > 8 * NO_LARGER
