"""Time and memory of merging two checkpoint files, beside reading and writing as many bytes.

`python -m bench.merging [--channels 320] [--formula weighted_sum] [--threads 1]` writes two networks of random numbers
in the shape of Stable Diffusion 1 (320 channels: full size) in half precision and merges them, in a process of its own
for every figure. The floor reads both files and writes as many bytes as one has, a megabyte at a time; like the merge
it starts with the files in the system's memory and does not wait for the disk. The best of all rounds counts. Hashing
both files for the recipe is a part of the merge and shown by itself too. Memory: what the process held beside pages of
files, over what it held at the start.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import torch

from bench.memory import mb, resident, write
from diffusion.blocks import Ratios
from diffusion.hashes import sha256_of
from diffusion.merging.files import merge_files
from diffusion.merging.formulas import FORMULAS
from diffusion.merging.recipe import Recipe
from diffusion.saving import chunks
from tests.diffusion.networks import published

PIECE = 1 << 20


def floor(a: Path, b: Path, target: Path) -> None:
    """Read both files, write as much as one has."""
    buffer = bytearray(PIECE)
    with a.open("rb") as one, b.open("rb") as other, target.open("wb") as out:
        while count := one.readinto(buffer):
            out.write(memoryview(buffer)[:count])
            other.readinto(buffer)


def hashing(a: Path, b: Path, _target: Path) -> None:
    threads = [threading.Thread(target=sha256_of, args=(path,)) for path in (a, b)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def merging(formula: str, a: Path, b: Path, target: Path) -> None:
    recipe = Recipe(Ratios(0.3), formula, beta=0.5)
    files = [a, b, b][: 3 if FORMULAS[formula].needs_c else 2]
    merged = merge_files(files, recipe)
    with target.open("wb") as out:
        out.writelines(chunks(merged.tensors, merged.metadata, lambda _done, _total: None))


def child(what: str, a: Path, b: Path, target: Path) -> None:
    most, stop, start = 0, threading.Event(), resident()["RssAnon:"]

    def look() -> None:
        nonlocal most
        while not stop.wait(0.005):
            most = max(most, resident()["RssAnon:"] - start)

    watcher = threading.Thread(target=look)
    watcher.start()
    began = time.perf_counter()
    if what in ("floor", "hashing"):
        {"floor": floor, "hashing": hashing}[what](a, b, target)
    else:
        merging(what, a, b, target)
    seconds = time.perf_counter() - began
    stop.set()
    watcher.join()
    print(json.dumps({"seconds": seconds, "memory": most}))


def measured(what: str, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """The best of all rounds."""
    found: list[dict[str, float]] = []
    for _ in range(options.rounds):
        command = [sys.executable, "-m", "bench.merging", "--child", what, "--folder", str(folder)]
        done = subprocess.run(
            [*command, "--threads", str(options.threads)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        found.append(json.loads(done.stdout))
        (folder / "merged.safetensors").unlink(missing_ok=True)
    return min(found, key=lambda each: each["seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=320)
    parser.add_argument("--formula", default="weighted_sum")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        child(options.child, *(options.folder / f"{name}.safetensors" for name in ("a", "b", "merged")))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        params = replace(published.SD1_5, channels=options.channels)
        for file in ("a", "b"):
            write(folder / f"{file}.safetensors", params, torch.float16, torch.device("cpu"))
        size = (folder / "a.safetensors").stat().st_size
        best = {what: measured(what, options, folder) for what in ("floor", "hashing", options.formula)}
        took = {what: found["seconds"] for what, found in best.items()}
        ratio = (took[options.formula] - took["hashing"]) / took["floor"]
        print(f"two files of {mb(size)}: floor {took['floor']:.2f} s, hashing {took['hashing']:.2f} s")
        print(f"{options.formula}: {took[options.formula]:.2f} s, without hashing {ratio:.2f} times the floor")
        print(f"memory: {mb(best[options.formula]['memory'])}")


if __name__ == "__main__":
    main()
