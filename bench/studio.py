"""A server as `server.py` wires it, whose worker has the nodes of one module and no torch: starts in a moment.

`python -m bench.studio serve DATA PORT MODULE WORKERS ATTEMPTS`; `worker DATA MODULE --recorder FILE` is its worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from aiohttp import web

from api.app import build_app
from api.config import Config
from compat.workflows import convert_json
from graph.cache import Cache, Memory
from graph.context import Context
from graph.graph import Builder
from graph.node import collect
from graph.registry import Registry
from graph.values import PlainTraits
from jobs import worker
from jobs.catalogue import Catalogue
from jobs.database import Database
from jobs.engine import Engine
from jobs.files import FileStore
from jobs.garbage import settle
from jobs.hashes import Hashes
from jobs.home import HomeLock
from jobs.outputs import OutputWriter
from jobs.schema import MIGRATIONS
from jobs.service import Jobs
from jobs.staff import Workers
from jobs.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 60.0


def engine(data: Path, module: str) -> Engine:
    files = FileStore([], data, Hashes(data / "hashes.db"))
    registry = Registry(collect(importlib.import_module(module)))
    return Engine(
        registry=registry,
        packs=[],
        builder=Builder(registry, files),
        cache=Cache([Memory(1 << 24)], PlainTraits()),
        files=files,
        context=Context(save=OutputWriter(data / "output", data / "temp").save),
        limits={"cpu": 2},
    )


async def serve(data: Path, port: int, module: str, count: int, attempts: int) -> None:
    lock = HomeLock(data)
    files = FileStore([], data, Hashes(data / "hashes.db"))
    command = [sys.executable, "-m", "bench.studio", "worker", str(data), module]

    def supply(number: int) -> Supervisor:
        return Supervisor(command, data / f"worker-{number}.record", sys.stderr.buffer.write)

    catalogue = Catalogue(data / "catalogue.json", [], files)
    jobs = Jobs(Database(data / "jobs.db", MIGRATIONS), catalogue, Workers(supply, count, attempts))
    runner = web.AppRunner(
        build_app(Config("127.0.0.1", "bench"), jobs, files, lambda _: [], convert_json),
        access_log=None,
        shutdown_timeout=1.0,
    )
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await jobs.start()
    await runner.setup()
    await web.SockSite(runner, socket.create_server(("127.0.0.1", port))).start()
    lock.tell(f"http://127.0.0.1:{port}")
    settle()
    await told.wait()
    await jobs.stop()
    await runner.cleanup()


class Studio:
    """A server process on a free port, which can be ended and started again; what it writes goes to a log."""

    def __init__(self, data: Path, command: list[str]) -> None:
        self.data, self.log = data, data / "server.log"
        data.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._command = [part.replace("PORT", str(self.port)) for part in command]
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def light(cls, data: Path, module: str, workers: int = 1, attempts: int = 2) -> Studio:
        numbers = [str(workers), str(attempts)]
        return cls(data, [sys.executable, "-m", "bench.studio", "serve", str(data), "PORT", module, *numbers])

    def start(self, address_space: int = 0) -> None:
        """Start it, with as many bytes of addresses for it and its workers, 0 any, and wait until a worker is ready."""
        command = ["prlimit", f"--as={address_space}", *self._command] if address_space else self._command
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        deadline = time.monotonic() + LIMIT_S
        while self._worker() != "ready":
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"the server did not start; see {self.log}")
            time.sleep(0.02)

    def end(self, number: int = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(LIMIT_S)

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=LIMIT_S) as answer:
            return json.load(answer)

    def _worker(self) -> str | None:
        with contextlib.suppress(OSError):
            return self.get("/api/v1/health")["worker"]
        return None


def main(arguments: list[str]) -> None:
    data = Path(arguments[1])
    if arguments[0] == "worker":
        worker.main(lambda: engine(data, arguments[2]), lambda: None, Path(arguments[4]))
        return
    port, module, count, attempts = arguments[2:]
    asyncio.run(serve(data, int(port), module, int(count), int(attempts)))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
