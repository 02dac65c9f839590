"""What the server costs around the work: start, idle memory, and chains of trivial nodes through HTTP.

`python -m bench.http [--repeat N]` starts `server.py serve` on a free port with a data folder of its own, and measures
from the outside, as a client does: a job takes from its POST until its terminal state is seen, once on the WebSocket
with every event received, once by `GET` with `Prefer: wait`. Best of N rounds, each of which takes every figure once;
cold runs use values never seen before. How long a chain's request takes to parse and to write, in this process, says
how fast the machine was, and how steady.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import platform
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp

ROOT = Path(__file__).resolve().parent.parent
PACKS = Path(__file__).resolve().parent / "packs"
TERMINAL = ("done", "failed", "cancelled")

Follow = Callable[["Server", str], Awaitable[None]]


@dataclass(frozen=True)
class Figure:
    """One measured figure, what it must not exceed, and what ComfyUI 0.8.0 needs for the same."""

    name: str
    value: float
    unit: str
    target: float
    comfyui: str = ""

    def line(self) -> str:
        verdict = "ok" if self.value <= self.target else "OVER"
        measured = f"{self.name:<54} {self.value:>8.2f} {self.unit:<2}"
        return f"{measured} target <= {self.target:>5.1f}  {verdict:<5} {self.comfyui}"


class Server:
    """A running server and a client session on it."""

    def __init__(self, base: str, process: asyncio.subprocess.Process, session: aiohttp.ClientSession) -> None:
        self.base, self.process, self.session = base, process, session

    async def submit(self, body: bytes) -> str:
        headers = {"Content-Type": "application/json"}
        async with self.session.post(f"{self.base}/api/v1/jobs", data=body, headers=headers) as response:
            answer = await response.json()
            if response.status != 202:
                raise SystemExit(f"the server refused a chain: {answer}")
            return answer["id"]

    async def worker_state(self) -> str | None:
        """ "starting" or "ready"; None while nothing answers."""
        try:
            async with self.session.get(f"{self.base}/api/v1/health") as response:
                return (await response.json())["worker"] if response.status == 200 else None
        except aiohttp.ClientConnectionError:
            return None

    def resident_mb(self) -> float:
        """Resident memory of the server process in MB (Linux)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1000
        raise SystemExit("the kernel does not tell the resident memory")


@asynccontextmanager
async def serve(data: Path) -> AsyncIterator[Server]:
    """The server as a person starts it, on a free port, with the trivial pack."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / "server.py"), "serve", "--no-open", "--port", str(port)]
    command += ["--data", str(data), "--custom-nodes", str(PACKS)]
    with (data / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=log, stderr=log)
    try:
        async with aiohttp.ClientSession() as session:
            yield Server(f"http://127.0.0.1:{port}", process, session)
    finally:
        if process.returncode is None:
            process.terminate()
            await asyncio.wait_for(process.wait(), 30)
        else:
            print((data / "server.log").read_text())


async def until(server: Server, states: tuple[str, ...], limit_s: float) -> float:
    """Seconds until the health answer names one of the states."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < limit_s and server.process.returncode is None:
        if await server.worker_state() in states:
            return time.perf_counter() - begin
        await asyncio.sleep(0.005)
    raise SystemExit(f"no answer {states} within {limit_s} s; exit status {server.process.returncode}")


async def by_websocket(server: Server, job: str) -> None:
    """Receive every event of the job up to its terminal state."""
    async with server.session.ws_connect(f"{server.base}/api/v1/events?job={job}&after=0") as socket:
        async for message in socket:
            events = json.loads(message.data)
            last = events[-1] if isinstance(events, list) else events
            if last["type"] == "state" and last["state"] in TERMINAL:
                check(last)
                return
    raise SystemExit(f"the stream of job {job} ended without a terminal state")


async def by_get(server: Server, job: str) -> None:
    """Ask for the job and wait for its answer."""
    async with server.session.get(f"{server.base}/api/v1/jobs/{job}", headers={"Prefer": "wait=60"}) as response:
        check(await response.json())


def check(ended: dict[str, object]) -> None:
    if ended["state"] != "done":
        raise SystemExit(f"a chain did not run: {ended}")


def chain(length: int, first: int, last: int) -> bytes:
    """A request of `length` nodes in a row; `first` is the number it begins with, `last` what the last sum adds."""
    nodes: dict[str, object] = {"0": {"type": "trivial.Number", "inputs": {"value": first}}}
    for index in range(1, length - 1):
        right = last if index == length - 2 else 1
        left = {"node": str(index - 1), "output": "int"}
        nodes[str(index)] = {"type": "trivial.Add", "inputs": {"left": left, "right": right}}
    end = {"node": str(length - 2), "output": "int"}
    nodes[str(length - 1)] = {"type": "trivial.Show", "inputs": {"value": end}}
    return json.dumps({"workflow": {"version": 1, "nodes": nodes}}).encode()


async def timed(server: Server, follow: Follow, body: bytes) -> float:
    """Milliseconds from the POST to the terminal state."""
    begin = time.perf_counter()
    await follow(server, await server.submit(body))
    return (time.perf_counter() - begin) * 1000


@dataclass
class Series:
    """Milliseconds of one chain followed in one way, by round: cold, fully cached, one leaf changed."""

    length: int
    label: str
    follow: Follow
    rest_s: float
    """what the worker is given to write down the results, as between two presses of a person"""
    rounds: list[tuple[float, float, float]] = field(default_factory=list)

    async def measure(self, server: Server, first: int) -> None:
        cold = await timed(server, self.follow, chain(self.length, first, 1))
        cached = await timed(server, self.follow, chain(self.length, first, 1))
        leaf = await timed(server, self.follow, chain(self.length, first, 2))
        self.rounds.append((cold, cached, leaf))
        await asyncio.sleep(self.rest_s)

    def best(self) -> tuple[float, ...]:
        return tuple(map(min, zip(*self.rounds, strict=True)))


def parsing() -> float:
    """Milliseconds to parse and write the request of a chain of 1,000."""
    body = chain(1000, 1, 1)
    begin = time.perf_counter()
    json.dumps(json.loads(body))
    return (time.perf_counter() - begin) * 1000


async def measure(repeat: int) -> tuple[list[Figure], list[float]]:
    """All figures, and the times of parsing between them."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        begin = time.perf_counter()
        async with serve(Path(folder)) as server:
            await until(server, ("starting", "ready"), 60)
            answered = time.perf_counter() - begin
            await until(server, ("ready",), 120)
            ready = time.perf_counter() - begin
            await asyncio.sleep(1)
            figures = [
                Figure("first HTTP answer after start", answered, "s", 0.8, "ComfyUI 6.5 s"),
                Figure("worker ready after start", ready, "s", 6),
                Figure("idle server process, resident", server.resident_mb(), "MB", 80),
            ]
            fresh = itertools.count(time.time_ns() // 1000, 10**6)
            await Series(100, "", by_get, 0.5).measure(server, next(fresh))
            short = [Series(1000, "WebSocket", by_websocket, 0.5), Series(1000, "GET", by_get, 0.5)]
            long = [Series(10_000, one.label, one.follow, 2.5) for one in short]
            steady: list[float] = []
            for _ in range(repeat):
                for series in (*short, *long):
                    steady.append(parsing())
                    await series.measure(server, next(fresh))
            for one, ten in zip(short, long, strict=True):
                figures += chain_figures(one, ten)
            return figures, steady


def chain_figures(one: Series, ten: Series) -> list[Figure]:
    names = ("cold", "fully cached", "one leaf changed")
    limits = ((120, "ComfyUI 32 s for 950"), (25, "ComfyUI 30 s for 950"), (30, "ComfyUI 34 s for 950"))
    by = f"by {one.label}"
    return [
        Figure(f"1,000 nodes, {name}, {by}", ms, "ms", target, peer)
        for name, ms, (target, peer) in zip(names, one.best(), limits, strict=True)
    ] + [
        Figure(f"10,000 / 1,000 nodes, {name}, {by}", large / small, "x", 12, "ComfyUI refuses 1,000")
        for name, small, large in zip(names, one.best(), ten.best(), strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=9, help="rounds, the best of which counts (default 9)")
    repeat = parser.parse_args().repeat
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, {load()}")
    figures, steady = asyncio.run(measure(repeat))
    print("\n".join(figure.line() for figure in figures))
    print(f"parsing a request of 1,000 nodes took {min(steady):.2f} ms at best, {median(steady):.2f} in the middle")
    print(f"at the end {load()}; the figures are those of the machine only where little else ran")


def load() -> str:
    """How busy the machine was over the last minute."""
    return f"load {os.getloadavg()[0]:.1f}" if sys.platform != "win32" else "load unknown"


if __name__ == "__main__":
    main()
