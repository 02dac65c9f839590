"""A jobs service with a real database and a real worker process, without HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jobs.catalogue import Catalogue
from jobs.database import Database
from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.schema import MIGRATIONS
from jobs.service import Jobs
from jobs.staff import Workers
from jobs.supervisor import Supervisor

ENTRY = Path(__file__).parent / "worker_entry.py"
LIMIT_S = 60.0


class Bench:
    """A running service and what tests do with it."""

    def __init__(self, jobs: Jobs, data: Path, echoed: bytearray) -> None:
        self.jobs, self.data, self.echoed = jobs, data, echoed

    async def run(self, nodes: dict[str, Any], targets: list[str] | None = None) -> str:
        """Submit and wait for the end; the id."""
        id = await self.jobs.submit(document(nodes), targets)
        await self.events(id)
        return id

    async def events(self, id: str, after: int = 0) -> list[dict[str, Any]]:
        """All events of a job to its end."""
        return [event async for text in await self.jobs.subscribe(id, after) for event in json.loads(text)]

    async def until(self, id: str, type: str, after: int = 0) -> dict[str, Any]:
        """The first event of a type above the number `after`."""
        async for text in await self.jobs.subscribe(id, after):
            for event in json.loads(text):
                if event["type"] == type:
                    return event
        raise AssertionError(f"job {id} ended without an event {type}")

    async def nodes(self, id: str) -> dict[str, Any]:
        return json.loads((await self.jobs.get(id)).nodes_json)


def document(nodes: dict[str, Any]) -> dict[str, Any]:
    """`{"1": ("Number", {"value": 2})}` as a workflow; an input `"@1"` is a link to the one output of node 1."""
    outputs = {"Save": "files", "Show": "str"}

    def value(given: object) -> object:
        if isinstance(given, str) and given.startswith("@"):
            return {"node": given[1:], "output": outputs.get(nodes[given[1:]][0], "int")}
        return given

    return {
        "version": 1,
        "nodes": {
            id: {"type": type, "inputs": {name: value(given) for name, given in inputs.items()}}
            for id, (type, inputs) in nodes.items()
        },
    }


@asynccontextmanager
async def running(data: Path, entry: Path = ENTRY, attempts: int = 2, workers: int = 1) -> AsyncGenerator[Bench]:
    data.mkdir(exist_ok=True)
    echoed = bytearray()
    hashes = Hashes(data / "hashes.db")
    files = FileStore([], data, hashes)

    def supply(number: int) -> Supervisor:
        return Supervisor([sys.executable, str(entry), str(data)], data / f"worker-{number}.record", echoed.extend)

    jobs = Jobs(
        Database(data / "jobs.db", MIGRATIONS),
        Catalogue(data / "catalogue.json", [Path(__file__).parent], files),
        Workers(supply, workers, attempts),
    )
    await jobs.start()
    try:
        yield Bench(jobs, data, echoed)
    finally:
        await jobs.stop()
        hashes.close()


Scenario = Callable[[Bench], Awaitable[None]]


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., None]:
    """Runs a scenario over a fresh service, within a time limit."""

    def run(scenario: Scenario, attempts: int = 2, workers: int = 1) -> None:
        async def main() -> None:
            opened = running(tmp_path / "data", attempts=attempts, workers=workers)
            async with asyncio.timeout(LIMIT_S), opened as bench:
                await scenario(bench)

        asyncio.run(main())

    return run
