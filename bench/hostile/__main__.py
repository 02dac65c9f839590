"""Nodes that do their worst, on a server that goes on: `python -m bench.hostile [--times 20] [--seed N] [--real]`.

Every kind of `bench/hostile/packs` runs `--times` times, in random order, each with an ordinary job queued behind it;
jobs that would never end are cancelled. Promised and checked each time: the hostile job, tried once, ends as its kind
does, with a cause that names what happened; the ordinary one is done at its first attempt, with the right file; nothing
the worker started outlives it and no zombie is left; at the end no half-written file is. All the while GET
/api/v1/health is asked every 20 ms: the 99th percentile is to be below 100 ms. Exits with 1 when anything is not so.

The server and its workers may have 10 GB of addresses (`prlimit --as`), so that the kind that asks for 10 GB is refused
by the kernel and the machine stays whole. `--real` takes `server.py serve`, with torch; else the worker has none.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bench.studio import ROOT, Studio
from jobs.files import PART
from jobs.strays import VARIABLE

PACKS = Path(__file__).parent / "packs"
ADDRESSES = 10 << 30
EVERY_S = 0.02
HANG_S = 0.5
PROMISED_MS = 100.0


@dataclass(frozen=True)
class Kind:
    """How a job with such a node is to end; `cause` is looked for in what is said of it."""

    how: str
    state: str
    cause: str = ""
    hangs: bool = False


GONE = "the worker closed its pipe|exit code|killed by"
STUCK = "did not stop within 2 s of the cancellation"
KINDS = (
    Kind("fail", "failed", "I do not like this number"),
    Kind("fail_unspeakably", "failed", "Unspeakable"),
    Kind("leave", "failed", "I have had enough|SystemExit"),
    Kind("leave_at_once", "failed", "exit code 7 while running node 1"),
    Kind("crash", "failed", "killed by SIGSEGV while running node 1"),
    Kind("abort", "failed", "killed by SIGABRT while running node 1"),
    Kind("kill_group", "failed", "killed by SIGKILL while running node 1"),
    Kind("spin", "cancelled", STUCK, hangs=True),
    Kind("loop", "cancelled", STUCK, hangs=True),
    Kind("deadlock", "cancelled", STUCK, hangs=True),
    Kind("stop", "cancelled", STUCK, hangs=True),
    Kind("swallow", "cancelled", STUCK, hangs=True),
    Kind("allocate", "failed", "MemoryError"),
    Kind("recurse", "failed", "RecursionError|recursion"),
    Kind("close_all", "failed", f"({GONE}).* while running node 1"),
    Kind("shout", "done"),
    Kind("orphan", "failed", "exit code 3 while running node 1"),
    Kind("twins", "done"),
    Kind("garble", "failed", "broken message.* while running node 1"),
    Kind("forge", "failed", "a message that makes no sense.* while running node 1"),
    Kind("mess", "done"),
    Kind("crowd", "done"),
    Kind("flood", "done"),
)


@dataclass
class Tally:
    wrong: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    ended: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    back: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def p99(self) -> float:
        """Milliseconds."""
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)] * 1000


class Client:
    def __init__(self, session: aiohttp.ClientSession, studio: Studio, tally: Tally) -> None:
        self._session, self._studio, self._tally = session, studio, tally
        self._base = f"http://127.0.0.1:{studio.port}"
        self._value = time.time_ns() // 1000

    async def trial(self, kind: Kind) -> None:
        """One hostile job with an ordinary one behind it."""
        value = self._value = self._value + 2
        hostile = await self._submit({"type": "hostile.Act", "inputs": {"value": value, "how": kind.how}})
        ordinary = await self._submit({"type": "hostile.Calm", "inputs": {"value": value}})
        began = time.perf_counter()
        if kind.hangs:
            await self._started(hostile)
            await asyncio.sleep(HANG_S)
            began = time.perf_counter()
            await self._session.post(f"{self._base}/api/v1/jobs/{hostile}/cancel")
        ended = await self._ended(hostile)
        over = time.perf_counter()
        calm = await self._ended(ordinary)
        self._tally.ended[kind.how].append(over - began)
        self._tally.back[kind.how].append(time.perf_counter() - over)
        await self._check(kind, ended, calm, str(value + 1))

    async def poll(self) -> None:
        """Ask for /health until cancelled."""
        while True:
            began = time.perf_counter()
            async with self._session.get(f"{self._base}/api/v1/health") as answer:
                await answer.read()
            self._tally.latencies.append(time.perf_counter() - began)
            await asyncio.sleep(max(0.0, EVERY_S - (time.perf_counter() - began)))

    async def _check(self, kind: Kind, hostile: dict, calm: dict, expected: str) -> None:
        events = await self._events(hostile["id"])
        said = str(hostile["error"] or "") + str(events[-1].get("reason", ""))
        if hostile["state"] != kind.state or hostile["attempt"] != 1 or not re.search(kind.cause, said):
            self._tally.wrong.append(f"{kind.how}: {hostile['state']}, attempt {hostile['attempt']}, {said[:300]!r}")
        numbers = [event["n"] for event in events]
        if numbers != sorted(set(numbers)):
            self._tally.wrong.append(f"{kind.how}: events numbered {numbers}")
        files = [file for listed in calm["outputs"].values() for file in listed]
        written = [await (await self._session.get(self._base + file["url"])).text() for file in files]
        if (calm["state"], calm["attempt"], written) != ("done", 1, [expected]):
            self._tally.wrong.append(f"after {kind.how}: {calm['state']} {calm['attempt']} {written} {calm['error']}")
        await self._check_processes(kind)

    async def _check_processes(self, kind: Kind) -> None:
        """Soon there is one process a worker, and no zombie. A twin that lives on in its worker's group is let be."""
        for _ in range(50):
            processes = family(self._studio)
            marks = [mark for mark, _ in processes.values() if mark]
            lone = len(marks) == len(set(marks)) or kind.how == "twins"
            if lone and not any(state == "Z" for _, state in processes.values()):
                return
            await asyncio.sleep(0.1)
        self._tally.wrong.append(f"after {kind.how}: processes {processes}")

    async def _submit(self, first: dict) -> str:
        source = {"node": "1", "output": "int"}
        nodes = {"1": first, "2": {"type": "hostile.Write", "inputs": {"value": source}}}
        body = {"workflow": {"version": 1, "nodes": nodes}}
        async with self._session.post(f"{self._base}/api/v1/jobs", json=body) as answer:
            return (await answer.json())["id"]

    async def _started(self, id: str) -> None:
        """Wait until the job runs; a node that stops everything may not get to say that it has started."""
        while True:
            async with self._session.get(f"{self._base}/api/v1/jobs/{id}") as answer:
                if (await answer.json())["state"] != "queued":
                    return
            await asyncio.sleep(EVERY_S)

    async def _ended(self, id: str) -> dict:
        while True:
            async with self._session.get(f"{self._base}/api/v1/jobs/{id}", headers={"Prefer": "wait=60"}) as answer:
                job = await answer.json()
            if job["state"] in ("done", "failed", "cancelled"):
                return job

    async def _events(self, id: str) -> list[dict]:
        async with self._session.get(f"{self._base}/api/v1/jobs/{id}/events") as answer:
            return (await answer.json())["events"]


def family(studio: Studio) -> dict[int, tuple[str, str]]:
    """Processes of a server: `{pid: (mark of the worker it comes from or "", state)}`."""
    assert studio.process is not None
    found: dict[int, tuple[str, str]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        marks = [item.decode() for item in environment if item.startswith(VARIABLE.encode() + b"=")]
        ours = [mark for mark in marks if str(studio.data) in mark]
        if ours or int(fields[1]) == studio.process.pid:
            found[int(folder.name)] = (ours[0].rpartition("/")[2] if ours else "", fields[0])
    return found


async def run(studio: Studio, kinds: Sequence[Kind], times: int, seed: int, at_once: int) -> Tally:
    """All trials on a server that runs, some `at_once`."""
    tally = Tally()
    trials = [kind for kind in kinds for _ in range(times)]
    random.Random(seed).shuffle(trials)
    turns = asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession() as session, aiohttp.ClientSession() as other:
        poller = asyncio.create_task(Client(other, studio, tally).poll())
        client = Client(session, studio, tally)

        async def trial(number: int, kind: Kind) -> None:
            async with turns, asyncio.timeout(180):
                await client.trial(kind)
            if sys.stderr.isatty():
                print(f"\r{number}/{len(trials)} {kind.how:<20}", end="", file=sys.stderr)

        await asyncio.gather(*(trial(number, kind) for number, kind in enumerate(trials)))
        poller.cancel()
        await asyncio.gather(poller, return_exceptions=True)
    halves = [str(path) for path in studio.data.rglob(f"*{PART}*")]
    if halves:
        tally.wrong.append(f"half-written files: {halves}")
    return tally


def table(tally: Tally, kinds: Sequence[Kind]) -> str:
    lines = [f"{'kind':<18} {'times':>5} {'ends as':<10} {'ended within':>13} {'next job done within':>21}"]
    for kind in kinds:
        ended, back = tally.ended[kind.how], tally.back[kind.how]
        lines.append(f"{kind.how:<18} {len(ended):>5} {kind.state:<10} {max(ended):>11.2f} s {max(back):>19.2f} s")
    worst = max(tally.latencies) * 1000
    lines.append(f"GET /health: {len(tally.latencies)} times, p99 {tally.p99():.1f} ms, at most {worst:.0f} ms")
    return "\n".join(lines)


def light(data: Path, workers: int) -> Studio:
    return Studio.light(data, "bench.hostile.packs.hostile", workers, attempts=1)


def real(data: Path, workers: int) -> Studio:
    """`server.py serve` with the pack."""
    numbers = ["--attempts", "1", "--workers", str(workers)]
    places = ["--no-open", "--port", "PORT", "--data", str(data), "--custom-nodes", str(PACKS)]
    return Studio(data, [sys.executable, str(ROOT / "server.py"), "serve", *places, *numbers])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="as many, and as many trials at once")
    parser.add_argument("--real", action="store_true", help="server.py with all its nodes")
    parser.add_argument("--only", choices=[kind.how for kind in KINDS], action="append", help="these kinds")
    options = parser.parse_args()
    kinds = [kind for kind in KINDS if options.only is None or kind.how in options.only]
    with tempfile.TemporaryDirectory(prefix="weft-hostile-") as folder:
        data = Path(folder) / "data"
        studio = (real if options.real else light)(data, options.workers)
        studio.start(ADDRESSES)
        tally = asyncio.run(run(studio, kinds, options.times, options.seed, options.workers))
        studio.end()
    if tally.p99() >= PROMISED_MS:
        tally.wrong.append(f"p99 of GET /health is {tally.p99():.1f} ms, promised are {PROMISED_MS:.0f} ms")
    print(f"seed {options.seed}, load {os.getloadavg()[0]:.1f}")
    print(table(tally, kinds))
    print("\n".join(tally.wrong) or "every promise kept")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
