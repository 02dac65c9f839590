"""How long a newcomer waits: `python -m bench.first_picture` presses Run on the default workflow of a fresh start.

The server starts with an empty data folder; the press comes the moment the worker is ready. A second press changes only
the seed, a third nothing. Each press takes from its POST to the terminal state on the WebSocket.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.http import ROOT, TERMINAL, Figure, Server, serve, until

DEFAULT = ROOT / "web" / "templates" / "default.json"


async def press(server: Server, workflow: dict[str, object]) -> tuple[float, Counter[str]]:
    """Seconds of one job, and how many events of each type it told."""
    begin = time.perf_counter()
    job = await server.submit(json.dumps({"workflow": workflow}).encode())
    told: Counter[str] = Counter()
    async with server.session.ws_connect(f"{server.base}/api/v1/events?job={job}&after=0") as socket:
        async for message in socket:
            for event in json.loads(message.data):
                told[event["type"]] += 1
                if event["type"] == "state" and event["state"] in TERMINAL:
                    if event["state"] != "done":
                        raise SystemExit(f"the default workflow did not run: {event}")
                    return time.perf_counter() - begin, told
    raise SystemExit(f"the stream of job {job} ended without a terminal state")


async def measure() -> None:
    workflow = json.loads(DEFAULT.read_text("utf-8"))
    (sampler,) = (entry for entry in workflow["nodes"].values() if entry["type"] == "KSampler")
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        async with serve(Path(folder)) as server:
            await until(server, ("ready",), 120)
            first, told = await press(server, workflow)
            sampler["inputs"]["seed"] += 1
            second, again = await press(server, workflow)
            third, nothing = await press(server, workflow)
    print(f"{os.cpu_count()} cores, {sampler['inputs']['steps']} steps")
    for name, seconds, events in (
        ("first press", first, told), ("another seed", second, again), ("nothing changed", third, nothing)
    ):  # fmt: skip
        counts = f"{events['finished']} nodes ran, {events['cached']} cached, {events['preview']} previews"
        print(f"{Figure(name, seconds, 's', 10).line()} {counts}")


if __name__ == "__main__":
    asyncio.run(measure())
