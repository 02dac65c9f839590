"""What it costs to enqueue, to look and to move, with many jobs waiting.

`python -m bench.queue [--waiting N] [--posts N]` starts the server of bench/chaos with a data folder of its own, pauses
the queue, fills it over HTTP, and then times single requests from one client on a warm connection.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from bench.chaos.__main__ import Chaos, workflow
from bench.http import Figure, load

TARGET_MS = 10.0


async def measure(data: Path, waiting: int, posts: int) -> list[Figure]:
    chaos = Chaos(data, seed=0)
    await chaos.start()
    try:
        async with aiohttp.ClientSession() as chaos.session:
            await chaos.ask("POST", "/queue/pause")
            for first in range(0, waiting, 50):
                await asyncio.gather(*(submit(chaos, f"fill-{first + each}") for each in range(50)))
            ids = (await chaos.ask("GET", "/queue"))[1]["queued"]

            def move(number: int) -> Awaitable[object]:
                return chaos.ask("PATCH", f"/jobs/{ids[number % len(ids)]}", json={"position": 0})

            return [
                await timed(f"POST /jobs, {waiting:,} waiting", posts, lambda number: submit(chaos, f"one-{number}")),
                await timed("PATCH /jobs/ID to the front", posts, move),
                await timed("GET /queue", posts, lambda _: chaos.ask("GET", "/queue")),
            ]
    finally:
        await chaos.stop()


async def submit(chaos: Chaos, token: str) -> None:
    status, answer = await chaos.ask("POST", "/jobs", json={"workflow": workflow(token, 0.0, 0)})
    if status != 202:
        raise SystemExit(f"a job was not accepted: {answer}")


async def timed(name: str, times: int, work: Callable[[int], Awaitable[object]]) -> Figure:
    """The 99th percentile over `times` calls, one after the other."""
    took: list[float] = []
    for number in range(times):
        begin = time.perf_counter()
        await work(number)
        took.append((time.perf_counter() - begin) * 1000)
    took.sort()
    print(f"{name}: median {took[times // 2]:.2f} ms")
    return Figure(f"{name}, p99", took[int(times * 0.99)], "ms", TARGET_MS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--posts", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        figures = asyncio.run(measure(Path(folder), options.waiting, options.posts))
    print("\n".join(figure.line() for figure in figures))
    print(load())


if __name__ == "__main__":
    main()
