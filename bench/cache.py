"""What the cache costs and keeps: a re-run after a restart through HTTP, and damage to the disk tier.

`python -m bench.cache` starts `server.py serve`, runs 100 nodes in a row, stops the server, starts it again on the same
data folder and runs them again: from the POST until the terminal state is seen, in which nothing may run. Best of N.
`python -m bench.cache --flips 1000` flips that many bits in random entries of a disk tier, one after the other, and
counts how many are noticed and how many values come out wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sqlite3
import tempfile
import time
from pathlib import Path

from bench.http import Server, by_get, by_websocket, chain, serve, until
from graph.keys import Record
from graph.ledger import Account
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from graph.tiers.tier import Result

TARGET_MS = 60.0
NODES = 100


async def timed(server: Server, first: int, websocket: bool) -> tuple[float, str]:
    """Milliseconds of one job from its POST to its end, and its id."""
    begin = time.perf_counter()
    job = await server.submit(chain(NODES, first, 1))
    await (by_websocket if websocket else by_get)(server, job)
    return (time.perf_counter() - begin) * 1000, job


async def states(server: Server, job: str) -> set[str]:
    async with server.session.get(f"{server.base}/api/v1/jobs/{job}") as response:
        return {node["state"] for node in (await response.json())["nodes"].values()}


async def restarts(repeat: int) -> list[float]:
    """The first job after each restart, in milliseconds; SystemExit when anything ran in it."""
    figures: list[float] = []
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        for turn in range(repeat + 1):
            async with serve(Path(folder)) as server:
                await until(server, ("ready",), 120)
                await asyncio.sleep(2)
                milliseconds, job = await timed(server, 7, websocket=turn % 2 == 0)
                found = await states(server, job)
                if turn:
                    figures.append(milliseconds)
                    if found != {"cached"}:
                        raise SystemExit(f"after restart {turn} nodes were {found}, not all cached")
    return figures


def flips(count: int, seed: int = 0) -> tuple[int, int]:
    """How many of `count` flipped bits were noticed, and how many values came out wrong."""
    rng = random.Random(seed)
    logging.disable(logging.WARNING)
    values = {b"%d" % i: {"a": rng.randbytes(rng.choice((20, 300, 6000, 30_000))), "b": i} for i in range(60)}
    noticed = wrong = 0
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        disk = Disk(Path(folder), Account(1 << 30), PlainStorage(), "bench")
        for key, outputs in values.items():
            disk.remember(None, Record(key, {}, 1.0), Result(outputs, 100, 1.0))
        for _ in range(count):
            disk.flush()
            key = rng.choice(list(values))
            flip(Path(folder), key, rng)
            damaged, found = disk.damaged, disk.get(key)
            noticed += disk.damaged > damaged and found is None
            wrong += found is not None and found.outputs != values[key]
            disk.remember(None, Record(key, {}, 1.0), Result(values[key], 100, 1.0))
        disk.flush()
        wrong += sum((kept := disk.get(key)) is None or kept.outputs != outputs for key, outputs in values.items())
        disk.close()
    return noticed, wrong


def flip(folder: Path, key: bytes, rng: random.Random) -> None:
    """One bit of what is stored of a result: of its row, or of a content it is made of."""
    with sqlite3.connect(folder / "index.db", timeout=10) as db:
        ((hash, inline),) = db.execute(
            "SELECT contents.hash, data FROM reads JOIN contents USING (hash) WHERE key = ?", (key,)
        ).fetchall()
        name = hash.hex()
        where = rng.choice(("row", "content"))
        if where == "content" and inline is None:
            path = folder / "contents" / name[:2] / f"{name[2:]}.safetensors"
            path.write_bytes(flipped(path.read_bytes(), rng))
        elif where == "content":
            db.execute("UPDATE contents SET data = ? WHERE hash = ?", (flipped(inline, rng), hash))
        else:
            (body,) = db.execute("SELECT body FROM results WHERE key = ?", (key,)).fetchone()
            db.execute("UPDATE results SET body = ? WHERE key = ?", (flipped(body, rng), key))
    db.close()


def flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="restarts, the best counts (default 5)")
    parser.add_argument("--flips", type=int, help="flip this many bits instead")
    options = parser.parse_args()
    if options.flips:
        noticed, wrong = flips(options.flips)
        print(f"bits flipped in random entries   {options.flips}")
        print(f"noticed and dropped              {noticed}")
        print(f"values that came out wrong       {wrong}")
        raise SystemExit(0 if noticed == options.flips and not wrong else 1)
    figures = asyncio.run(restarts(options.repeat))
    best = min(figures)
    print(f"{NODES} nodes, first job after a restart of server and worker, nothing runs")
    print(
        f"best of {len(figures)}: {best:.1f} ms   target <= {TARGET_MS:.0f}   {'ok' if best <= TARGET_MS else 'OVER'}"
    )
    print("all: " + ", ".join(f"{figure:.1f}" for figure in figures))


if __name__ == "__main__":
    main()
