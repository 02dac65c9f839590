"""How soon a cancelled job is over: `python -m bench.cancel [--repeat N]`, on `server.py serve` with the demo model.

A sampler is to stop within one of its steps. A node that does not answer is to lose its worker after 2 s, and another
is to be ready within 10 s of the cancellation. Prints the worst of N repeats; exits with 1 when one is over.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.hostile.__main__ import real
from bench.studio import ROOT, Studio

TEMPLATE = ROOT / "web" / "templates" / "default.json"
STEPS = 100
READY_S = 10.0
BESIDE_MS = 50.0
"""What a job takes beside the work of its nodes: the way to the worker and back, and to the disk."""


class Client:
    def __init__(self, session: aiohttp.ClientSession, studio: Studio) -> None:
        self._session, self._base = session, f"http://127.0.0.1:{studio.port}/api/v1"

    async def sampler(self, seed: int) -> tuple[float, float]:
        """Milliseconds of a step, and from the cancellation to the end."""
        document = json.loads(TEMPLATE.read_text())
        for node in document["nodes"].values():
            if node["type"] == "KSampler":
                node["inputs"] |= {"seed": seed, "steps": STEPS}
        id = await self._submit(document)
        times: list[float] = []
        async with self._session.ws_connect(f"{self._base}/events?job={id}") as socket:
            async for message in socket:
                steps = [event for event in json.loads(message.data) if event["type"] == "progress"]
                times += [time.perf_counter()] * len(steps)
                if len(times) >= 10:
                    break
            took = await self._cancelled(id)
        return (times[-1] - times[0]) / (len(times) - 1) * 1000, took

    async def stuck(self, value: int) -> tuple[float, float]:
        """Seconds from the cancellation to the end of the job, and until a worker is ready again."""
        id = await self._submit(
            {
                "version": 1,
                "nodes": {
                    "1": {"type": "hostile.Act", "inputs": {"value": value, "how": "spin"}},
                    "2": {"type": "hostile.Write", "inputs": {"value": {"node": "1", "output": "int"}}},
                },
            }
        )
        await self._until(f"/jobs/{id}", "state", "running")
        await asyncio.sleep(0.5)
        began = time.perf_counter()
        took = await self._cancelled(id)
        await self._until("/health", "worker", "ready")
        return took / 1000, time.perf_counter() - began

    async def _cancelled(self, id: str) -> float:
        began = time.perf_counter()
        await self._session.post(f"{self._base}/jobs/{id}/cancel")
        job = await self._get(f"/jobs/{id}", {"Prefer": "wait=60"})
        if job["state"] != "cancelled":
            raise SystemExit(f"the cancelled job is {job['state']}: {job['error']}")
        return (time.perf_counter() - began) * 1000

    async def _until(self, path: str, name: str, value: str) -> None:
        while True:
            if (await self._get(path))[name] == value:
                return
            await asyncio.sleep(0.02)

    async def _submit(self, document: object) -> str:
        async with self._session.post(f"{self._base}/jobs", json={"workflow": document}) as answer:
            return (await answer.json())["id"]

    async def _get(self, path: str, headers: dict[str, str] | None = None) -> dict:
        async with self._session.get(self._base + path, headers=headers) as answer:
            return await answer.json()


async def measure(studio: Studio, repeat: int) -> bool:
    """Print the figures; whether all are as promised."""
    async with aiohttp.ClientSession() as session:
        client = Client(session, studio)
        await client.sampler(0)
        samples = [await client.sampler(seed) for seed in range(1, repeat + 1)]
        stuck = [await client.stuck(value) for value in range(repeat)]
    step, took = statistics.median(step for step, _ in samples), max(took for _, took in samples)
    ended, ready = max(ended for ended, _ in stuck), max(ready for _, ready in stuck)
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"sampler: a step takes {step:.0f} ms, a cancelled job is over within {took:.0f} ms")
    print(f"stuck node: the job is over within {ended:.2f} s, a worker is ready within {ready:.2f} s")
    return took <= step + BESIDE_MS and ready <= READY_S


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weft-cancel-") as folder:
        studio = real(Path(folder) / "data", 1)
        studio.start()
        kept = asyncio.run(measure(studio, options.repeat))
        studio.end()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
