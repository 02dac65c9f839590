"""The server as `server.py` wires it, with workers that have the nodes of this folder: `serve DATA PORT WORKERS`."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

from aiohttp import web

from api.app import build_app
from api.config import Config
from compat.workflows import convert_json
from jobs.catalogue import Catalogue
from jobs.database import Database
from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.home import HomeLock
from jobs.schema import MIGRATIONS
from jobs.service import Jobs
from jobs.staff import Workers
from jobs.supervisor import Supervisor


async def serve(data: Path, port: int, count: int) -> None:
    lock = HomeLock(data)
    files = FileStore([], data, Hashes(data / "hashes.db"))
    command = [sys.executable, "-m", "bench.chaos.worker", str(data)]

    def supply(number: int) -> Supervisor:
        return Supervisor(command, data / f"worker-{number}.record", sys.stderr.buffer.write)

    catalogue = Catalogue(data / "catalogue.json", [Path(__file__).parent], files)
    jobs = Jobs(Database(data / "jobs.db", MIGRATIONS), catalogue, Workers(supply, count))
    runner = web.AppRunner(
        build_app(Config("127.0.0.1", "chaos"), jobs, files, lambda _: [], convert_json), access_log=None
    )
    await jobs.start()
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", port))
    await web.SockSite(runner, listener).start()
    lock.tell(f"http://127.0.0.1:{port}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
