"""Submit jobs, upload pictures and save workflows over HTTP while server and worker are killed at random moments and
bits of the cache on disk are flipped; then check what clients saw.

`python -m bench.chaos [--seconds N] [--kills N] [--jobs N] [--seed S] [--clients N] [--workers N] [--pause S]` goes on
until the seconds, kills and jobs are reached; it exits with 1 when anything was lost, doubled, stuck or damaged. The
plan of kills and jobs follows from the seed; when they meet depends on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import struct
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bench.chaos.damage import flip_a_bit
from bench.chaos.history import TERMINAL, History, Verdict, check
from bench.chaos.nodes import content, made

ROOT = Path(__file__).resolve().parents[2]
SETTLE_S = 120.0
REPORT_S = 60.0
BLOBS = 60
"""How many different blobs there are: more than the cache has room for."""


@dataclass(frozen=True)
class Goal:
    """A run ends when each of these is reached."""

    seconds: float
    kills: int = 0
    jobs: int = 0


@dataclass
class Chaos:
    """One run: a data folder, a server that is killed and started again, and clients that never give up."""

    data: Path
    seed: int
    workers: int = 1
    pause_s: float = 0.8
    history: History = field(default_factory=History)
    kills: dict[str, int] = field(default_factory=lambda: {"server": 0, "worker": 0, "both": 0})
    flips: int = 0

    async def run(self, goal: Goal, clients: int) -> Verdict:
        self.goal, self.began = goal, time.monotonic()
        await self.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as self.session:
            reports = asyncio.create_task(self.report())
            await asyncio.gather(self.kill_at_random(), *(self.client(number) for number in range(clients)))
            reports.cancel()
            verdict = await self.settle()
        await self.stop()
        return verdict

    def is_over(self) -> bool:
        return (
            time.monotonic() - self.began >= self.goal.seconds
            and sum(self.kills.values()) >= self.goal.kills
            and len(self.history.accepted) >= self.goal.jobs
        )

    async def report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            minutes = (time.monotonic() - self.began) / 60
            print(f"{minutes:.0f} min: {sum(self.kills.values())} kills, {self.flips} bits flipped, ", end="")
            print(f"{len(self.history.accepted)} jobs accepted, {len(self.history.seen)} seen ended", flush=True)

    # The server

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.root = f"http://127.0.0.1:{self.port}"
        self.base = f"{self.root}/api/v1"

    async def start(self) -> None:
        with (self.data / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bench.chaos.serve",
                str(self.data),
                str(self.port),
                str(self.workers),
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    async def stop(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def kill_at_random(self) -> None:
        """Now and then before the server has answered, so that its start is met too; else after it has."""
        chance = random.Random(self.seed)
        while not self.is_over():
            if chance.random() < 0.8:
                await self.ask("GET", "/health")
            await asyncio.sleep(min(chance.expovariate(1 / self.pause_s), 5 * self.pause_s))
            for _ in range(chance.randrange(4)):
                self.flips += await asyncio.to_thread(flip_a_bit, self.data / "cache", chance)
            victim = chance.choice(("server", "worker", "both"))
            workers = self.worker_pids()
            if victim != "server" and workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(workers), signal.SIGKILL)
            elif victim == "worker":
                continue
            if victim != "worker":
                await self.stop()
                await self.start()
            self.kills[victim] += 1

    def worker_pids(self) -> list[int]:
        found: list[int] = []
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{self.process.pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        return found

    # The clients

    async def client(self, number: int) -> None:
        chance, count = random.Random(f"{self.seed} {number}"), 0
        while not self.is_over():
            count += 1
            token = f"{self.seed}-{number}-{count}"
            request = workflow(token, chance.choice((0.0, 0.0, 0.0, 0.03)), chance.randrange(BLOBS))
            id = await self.submit(token, number, request)
            if chance.random() < 0.3:
                await self.submit(token, number, request)
            if chance.random() < 0.4:
                await self.watch(id)
            if chance.random() < 0.05:
                await self.upload(token)
            if chance.random() < 0.05:
                await self.save(f"client-{number}", request)

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

    async def upload(self, token: str) -> None:
        data = picture(token)
        status, answer = await self.ask(
            "POST", "/files?name=chaos.png", data=data, headers={"Content-Type": "image/png", "Weft-Upload": "1"}
        )
        if status == 201:
            self.history.kept[self.root + answer["url"]] = data
        else:
            self.history.surprises.append(f"upload of {token} was answered {status}: {answer}")

    async def save(self, name: str, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        headers = {"Content-Type": "application/json", "If-Match": "*"}
        status, answer = await self.ask("PUT", f"/workflows/{name}", data=data, headers=headers)
        if status in (200, 201):
            self.history.kept[f"{self.base}/workflows/{name}"] = data
        else:
            self.history.surprises.append(f"PUT of {name} was answered {status}: {answer}")

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
        jobs, tokens, files, expected = {}, {}, {}, {}
        cursor = ""
        while cursor is not None:
            _, page = await self.ask("GET", f"/jobs?limit=500{cursor and '&cursor='}{cursor}")
            jobs |= {job["id"]: job for job in page["jobs"]}
            cursor = page["next"]
        for id, job in jobs.items():
            _, document = await self.ask("GET", f"/jobs/{id}/workflow")
            tokens[id] = token = document["nodes"]["1"]["inputs"]["value"]
            expected[token] = content(token, made(document["nodes"]["2"]["inputs"]["number"]))
            for file in (file for listed in job["outputs"].values() for file in listed):
                files[file["url"]] = await self.read(self.root + file["url"])
        for url in self.history.kept:
            files[url] = await self.read(url)
        return check(self.history, jobs, tokens, files, expected)

    async def read(self, url: str) -> bytes:
        async with self.session.get(url) as response:
            return await response.read()


def workflow(token: str, seconds: float, number: int) -> dict[str, Any]:
    nodes = {
        "1": {"type": "chaos.Token", "inputs": {"value": token, "seconds": seconds}},
        "2": {"type": "chaos.Blob", "inputs": {"number": number}},
        "3": {"type": "chaos.Write", "inputs": {"value": link("1", "str"), "blob": link("2", "bytes")}},
    }
    return {"version": 1, "nodes": nodes}


def link(node: str, output: str) -> dict[str, str]:
    return {"node": node, "output": output}


def picture(token: str) -> bytes:
    """One black pixel as a PNG file that carries a text."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    text, pixels = chunk(b"tEXt", b"token\0" + token.encode()), chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + text + pixels + chunk(b"IEND", b"")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.8, help="mean seconds between kills")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weft-chaos-") as folder:
        chaos = Chaos(Path(folder), options.seed, options.workers, options.pause)
        goal = Goal(options.seconds, options.kills, options.jobs)
        verdict = asyncio.run(chaos.run(goal, options.clients))
    kills = ", ".join(f"{name} {count}" for name, count in chaos.kills.items())
    print(f"seed {options.seed}: {sum(chaos.kills.values())} kills ({kills}), {chaos.flips} bits flipped")
    print(f"{verdict.accepted} jobs accepted, {verdict.kept} pictures and workflows stored")
    print(f"{verdict.done} done, {verdict.given_up} given up after two lost workers")
    for name in ("lost", "doubled", "stuck", "damaged", "surprises"):
        found = getattr(verdict, name)
        print(f"{name}: {len(found)}", *found[:5], sep="\n  " if found else "")
    return 0 if verdict.sound else 1


if __name__ == "__main__":
    sys.exit(main())
