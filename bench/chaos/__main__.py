"""Submit jobs over HTTP while the server and its worker are killed at random moments; then check what clients saw.

`python -m bench.chaos [--seconds N] [--seed S] [--clients N]`: exits with 1 when anything was lost, doubled, stuck or
damaged. The plan of kills and jobs follows from the seed; when they meet depends on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bench.chaos.history import TERMINAL, History, Verdict, check
from bench.chaos.nodes import content

ROOT = Path(__file__).resolve().parents[2]
SETTLE_S = 120.0


@dataclass
class Chaos:
    """One run: a data folder, a server that is killed and started again, and clients that never give up."""

    data: Path
    seed: int
    history: History = field(default_factory=History)
    kills: dict[str, int] = field(default_factory=lambda: {"server": 0, "worker": 0, "both": 0})

    async def run(self, seconds: float, clients: int) -> Verdict:
        self.end = time.monotonic() + seconds
        await self.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as self.session:
            await asyncio.gather(self.kill_at_random(), *(self.client(number) for number in range(clients)))
            verdict = await self.settle()
        await self.stop()
        return verdict

    # The server

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}/api/v1"

    async def start(self) -> None:
        with (self.data / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bench.chaos.serve",
                str(self.data),
                str(self.port),
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    async def stop(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def kill_at_random(self) -> None:
        chance = random.Random(self.seed)
        while (left := self.end - time.monotonic()) > 0:
            await asyncio.sleep(min(chance.expovariate(1 / 0.8), 4.0, left))
            victim = chance.choice(("server", "worker", "both"))
            worker = self.worker_pid()
            if victim != "server" and worker is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            elif victim == "worker":
                continue
            if victim != "worker":
                await self.stop()
                await self.start()
            self.kills[victim] += 1

    def worker_pid(self) -> int | None:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{self.process.pid}/task").iterdir():
                for pid in (task / "children").read_text().split():
                    return int(pid)
        return None

    # The clients

    async def client(self, number: int) -> None:
        chance, count = random.Random(f"{self.seed} {number}"), 0
        while time.monotonic() < self.end:
            count += 1
            token = f"{self.seed}-{number}-{count}"
            request = workflow(token, chance.choice((0.0, 0.0, 0.0, 0.03)))
            id = await self.submit(token, number, request)
            if chance.random() < 0.3:
                await self.submit(token, number, request)
            if chance.random() < 0.4:
                await self.watch(id)

    async def submit(self, token: str, number: int, request: dict[str, Any]) -> str:
        """Post until there is an answer; the token is the idempotency key."""
        body, headers = {"workflow": request}, {"Idempotency-Key": token, "Weft-Client": f"client-{number}"}
        while True:
            status, answer = await self.ask("POST", "/jobs", json=body, headers=headers)
            if status == 202:
                self.history.accepted.setdefault(token, set()).add(answer["id"])
                return answer["id"]
            if status != 503:
                self.history.surprises.append(f"POST of {token} was answered {status}: {answer}")

    async def watch(self, id: str) -> None:
        status, job = await self.ask("GET", f"/jobs/{id}", headers={"Prefer": "wait=3"})
        if status != 200:
            self.history.surprises.append(f"GET of {id} was answered {status}")
        elif job["state"] in TERMINAL:
            self.history.seen[id] = job

    async def ask(self, method: str, path: str, **request: Any) -> tuple[int, Any]:
        """The answer, however often the server has to be asked."""
        while True:
            try:
                async with self.session.request(method, self.base + path, **request) as response:
                    return response.status, await response.json()
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                await asyncio.sleep(0.05)

    # The end

    async def settle(self) -> Verdict:
        """Let the queue run out, then read everything back."""
        limit = time.monotonic() + SETTLE_S
        while time.monotonic() < limit:
            _, queue = await self.ask("GET", "/queue")
            if not queue["running"] and not queue["total"]:
                break
            await asyncio.sleep(0.2)
        jobs, tokens, files = {}, {}, {}
        cursor = ""
        while cursor is not None:
            _, page = await self.ask("GET", f"/jobs?limit=500{cursor and '&cursor='}{cursor}")
            jobs |= {job["id"]: job for job in page["jobs"]}
            cursor = page["next"]
        for id, job in jobs.items():
            _, document = await self.ask("GET", f"/jobs/{id}/workflow")
            tokens[id] = document["nodes"]["1"]["inputs"]["value"]
            for file in (file for listed in job["outputs"].values() for file in listed):
                async with self.session.get(f"http://127.0.0.1:{self.port}{file['url']}") as response:
                    files[file["url"]] = await response.read()
        expected = {token: content(token) for token in tokens.values()}
        return check(self.history, jobs, tokens, files, expected)


def workflow(token: str, seconds: float) -> dict[str, Any]:
    link = {"node": "1", "output": "str"}
    nodes = {
        "1": {"type": "chaos.Token", "inputs": {"value": token, "seconds": seconds}},
        "2": {"type": "chaos.Write", "inputs": {"value": link}},
    }
    return {"version": 1, "nodes": nodes}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clients", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weft-chaos-") as folder:
        chaos = Chaos(Path(folder), options.seed)
        verdict = asyncio.run(chaos.run(options.seconds, options.clients))
    kills = ", ".join(f"{name} {count}" for name, count in chaos.kills.items())
    print(f"seed {options.seed}: {sum(chaos.kills.values())} kills ({kills}); {verdict.accepted} jobs accepted")
    print(f"{verdict.done} done, {verdict.given_up} given up after two lost workers")
    for name in ("lost", "doubled", "stuck", "damaged", "surprises"):
        found = getattr(verdict, name)
        print(f"{name}: {len(found)}", *found[:5], sep="\n  " if found else "")
    return 0 if verdict.sound else 1


if __name__ == "__main__":
    sys.exit(main())
