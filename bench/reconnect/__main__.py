"""Readers of events whose lines break: `python -m bench.reconnect [--times 10000] [--seed N]`.

Jobs that talk much run on two workers; ten readers follow each. A reader's line breaks after a random number of bytes
(within a frame, within the handshake) or at a random moment, some read nothing for a while, and every 5 s the server
is killed and started again; each time a reader comes back with the number of the last event it has. Promised and
checked for every reader: numbers only grow; every event that is recorded was received, the last one included, exactly
once; what was received and is not recorded is a preview. Goes on until lines broke so often. Exits with 1 when anything
is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bench.reconnect.wire import Away, Cut, Refused, Wire
from bench.studio import Studio

READERS = 10
JOBS_AT_ONCE = 4
RESTART_S = 5.0
FINAL = ("done", "failed", "cancelled")


@dataclass
class Tally:
    jobs: int = 0
    reconnections: int = 0
    restarts: int = 0
    events: int = 0
    previews: int = 0
    wrong: list[str] = field(default_factory=list)


class Reader:
    """One who follows a job to its end, however often the line breaks."""

    def __init__(self, port: int, job: str, chance: random.Random, tally: Tally) -> None:
        self._port, self._job, self._chance, self._tally = port, job, chance, tally
        self.received: list[dict[str, Any]] = []

    async def follow(self) -> None:
        while not self._over():
            before = len(self.received)
            try:
                async with asyncio.timeout(self._chance.choice((0.02, 0.1, 0.4, 60))):
                    await self._listen()
            except (Cut, TimeoutError):
                self._tally.reconnections += 1
            except Away:
                await asyncio.sleep(0.1)
            except Refused as refusal:
                self._tally.wrong.append(f"job {self._job}: {refusal}")
                return
            if len(self.received) == before:
                await asyncio.sleep(self._chance.uniform(0, 0.05))

    async def _listen(self) -> None:
        last = self.received[-1]["n"] if self.received else 0
        budget = int(self._chance.choice((100, 1000, 20_000, 200_000, 1e9)) * self._chance.random())
        wire = Wire(self._port, budget)
        async for events in wire.events(f"/api/v1/events?job={self._job}&after={last}"):
            for event in events:
                if event["n"] <= last:
                    self._tally.wrong.append(f"job {self._job}: event {event['n']} after {last}")
                last = event["n"]
                self.received.append(event)
            if self._chance.random() < 0.02:
                await asyncio.sleep(self._chance.uniform(0, 0.5))
        if not self._over():
            self._tally.wrong.append(f"job {self._job}: the stream ended after {last}, before the job")

    def _over(self) -> bool:
        return bool(self.received) and self.received[-1].get("state") in FINAL

    def check(self, recorded: list[dict[str, Any]]) -> None:
        """Compare with what is recorded once the job is over."""
        stored, received = {event["n"] for event in recorded}, {event["n"] for event in self.received}
        ends = [event for event in self.received if event.get("state") in FINAL]
        if len(ends) != 1 or ends[0] != recorded[-1]:
            self._tally.wrong.append(f"job {self._job}: ended {len(ends)} times, or not as recorded")
        if stored - received:
            self._tally.wrong.append(f"job {self._job}: missed {sorted(stored - received)[:10]}")
        strange = [event for event in self.received if event["n"] not in stored and event["type"] != "preview"]
        if strange:
            self._tally.wrong.append(f"job {self._job}: told but not recorded: {strange[:3]}")
        self._tally.events += len(self.received)
        self._tally.previews += sum(event["type"] == "preview" for event in self.received)


class Client:
    def __init__(self, session: aiohttp.ClientSession, studio: Studio, tally: Tally, seed: int) -> None:
        self._session, self._studio, self._tally, self._seed = session, studio, tally, seed
        self._base = f"http://127.0.0.1:{studio.port}/api/v1"

    async def job(self, number: int) -> None:
        """A job and its readers, from the POST to the check."""
        id = (await self._ask("POST", "/jobs", json=_request(number), headers={"Idempotency-Key": f"k{number}"}))["id"]
        readers = [
            Reader(self._studio.port, id, random.Random(f"{self._seed} {number} {place}"), self._tally)
            for place in range(READERS)
        ]
        async with asyncio.timeout(180):
            await asyncio.gather(*(reader.follow() for reader in readers))
        recorded = (await self._ask("GET", f"/jobs/{id}/events"))["events"]
        for reader in readers:
            reader.check(recorded)
        late = Reader(self._studio.port, id, random.Random(f"{self._seed} {number} late"), self._tally)
        late.received = recorded[: random.Random(number).randrange(len(recorded))]
        await late.follow()
        late.check(recorded)
        self._tally.jobs += 1

    async def _ask(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        """The answer, asked for again while the server is away."""
        while True:
            try:
                async with self._session.request(method, self._base + path, **how) as answer:
                    if answer.status < 500:
                        return await answer.json()
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


def _request(number: int) -> dict[str, Any]:
    nodes: dict[str, Any] = {"0": {"type": "reconnect.Talk", "inputs": {"value": number}}}
    for place in range(1, 20):
        link = {"node": str(place - 1), "output": "int"}
        nodes[str(place)] = {"type": "reconnect.Next", "inputs": {"value": link}}
    nodes["20"] = {"type": "reconnect.Show", "inputs": {"value": {"node": "19", "output": "int"}}}
    return {"workflow": {"version": 1, "nodes": nodes}}


async def run(studio: Studio, times: int, seed: int, restart_s: float, restarts: int = 1_000_000) -> Tally:
    """Jobs and readers on a server that runs, until lines broke so often. It is restarted at most `restarts` times."""
    tally = Tally()
    async with aiohttp.ClientSession() as session:
        client = Client(session, studio, tally, seed)
        numbers = iter(range(1, 1_000_000))

        async def jobs() -> None:
            while tally.reconnections < times and len(tally.wrong) < 20:
                await client.job(next(numbers))

        restarter = asyncio.create_task(_restart(studio, tally, restart_s, restarts))
        await asyncio.gather(*(jobs() for _ in range(JOBS_AT_ONCE)))
        restarter.cancel()
        await asyncio.wait([restarter])
    return tally


async def _restart(studio: Studio, tally: Tally, every_s: float, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(every_s)
        studio.end(signal.SIGKILL)
        await asyncio.shield(asyncio.to_thread(studio.start))
        tally.restarts += 1


def light(data: Path) -> Studio:
    return Studio.light(data, "bench.reconnect.nodes", workers=2, attempts=100)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="weft-reconnect-") as folder:
        studio = light(Path(folder))
        studio.start()
        tally = asyncio.run(run(studio, options.times, options.seed, RESTART_S))
        studio.end()
    print(f"seed {options.seed}, {time.perf_counter() - began:.0f} s, load {os.getloadavg()[0]:.1f}")
    print(f"{tally.reconnections} reconnections of {tally.jobs * (READERS + 1)} readers of {tally.jobs} jobs")
    print(f"{tally.restarts} restarts of the server; {tally.events} events received, {tally.previews} of them previews")
    print("\n".join(tally.wrong) or "no event missed, none told twice, every end told once")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
