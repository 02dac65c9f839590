"""Processes that share one cache on a disk too small for them, killed while they read and write it, its bits flipped.

`python -m bench.chaos.cache [--seconds N] [--processes N] [--seed S] [--raw]`: exits with 1 when a process was given a
value that was never stored, or could not go on.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from bench.chaos.damage import flip_a_bit, flip_any_bit
from bench.chaos.nodes import made
from graph.keys import Record
from graph.ledger import Account
from graph.storage import PlainStorage
from graph.tiers import disk
from graph.tiers.disk import Disk
from graph.tiers.tier import Result

ROOT = Path(__file__).resolve().parents[2]
BUDGET = 400_000
NUMBERS = 60
"""Different results: four times what there is room for."""


def value(number: int) -> dict[str, object]:
    """What is stored under a number; every third result shares a content with others."""
    return {"own": made(number), "shared": made(number % 3 + 70), "small": number}


def key(number: int) -> bytes:
    return b"%016d" % number


def use(folder: Path, chance: random.Random) -> None:
    """Ask for results and store what is not there, for ever; say how many were read, and every wrong one."""
    logging.disable(logging.WARNING)
    with patch.multiple(disk, PAUSE_S=0.002, PATIENCE_S=0.01, LONG_PATIENCE_S=0.01):
        shared = Disk(folder, Account(BUDGET), PlainStorage(), "chaos")
        print("ready", flush=True)
        reads = 0
        while True:
            number = chance.randrange(NUMBERS)
            known = shared.hit(key(number))
            found = shared.get(key(number))
            if found is None:
                made = Result(value(number), 50_000, chance.random())
                shared.remember(b"s" + key(number), Record(key(number), {"own": b"p" * 16}, made.seconds), made)
                time.sleep(chance.random() * 0.003)
            elif found.outputs != value(number):
                print(f"wrong: {number}", flush=True)
            elif known:
                reads += 1
            if chance.random() < 0.02:
                shared.fresh()
                shared.drop(key(chance.randrange(NUMBERS)))
                print(f"read {reads} {shared.damaged} {shared.failures}", flush=True)
                reads = shared.damaged = shared.failures = 0


@dataclass
class Users:
    """The processes, what they said, and what was done to them."""

    folder: Path
    chance: random.Random
    running: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])
    logs: list[Path] = field(default_factory=list[Path])
    kills: int = 0
    flips: int = 0
    fell: int = 0

    def start(self) -> None:
        self.logs.append(self.folder / f"{len(self.logs)}.log")
        command = [sys.executable, "-m", "bench.chaos.cache", "--use", str(self.folder / "cache")]
        with self.logs[-1].open("w") as log:
            seed = str(self.chance.randrange(1 << 30))
            self.running.append(
                subprocess.Popen([*command, "--seed", seed], cwd=ROOT, stdout=log, stderr=log, text=True)
            )

    def disturb(self, raw: bool) -> None:
        """Kill one, or flip a bit; start another for each that has gone."""
        if self.chance.random() < 0.5:
            victim = self.chance.choice(self.running)
            self.kills += victim.poll() is None
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        flip = flip_any_bit if raw else flip_a_bit
        self.flips += flip(self.folder / "cache", self.chance)
        for process in [each for each in self.running if each.poll() is not None]:
            self.running.remove(process)
            self.fell += process.returncode != -signal.SIGKILL
            self.start()

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()

    def said(self) -> list[str]:
        return [line for log in self.logs for line in log.read_text().splitlines()]


def run(folder: Path, seconds: float, processes: int, seed: int, raw: bool) -> tuple[Users, bool]:
    """Also whether another process finds a sound cache in the end, that takes new results."""
    users = Users(folder, random.Random(seed))
    for _ in range(processes):
        users.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(users.chance.expovariate(1 / 0.25))
        users.disturb(raw)
    users.stop()
    last = Disk(folder / "cache", Account(BUDGET), PlainStorage(), "chaos")
    kept = [number for number in range(NUMBERS) if (found := last.get(key(number))) and found.outputs != value(number)]
    last.remember(None, Record(b"new", {}, 1.0), Result(value(1), 50_000, 9.0))
    last.flush()
    sound = not kept and last.get(b"new") is not None and last.report()["used"] <= BUDGET
    last.close()
    return users, sound


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--raw", action="store_true", help="flip bits anywhere, in the pages of the index too")
    parser.add_argument("--use", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.use is not None:
        use(options.use, random.Random(options.seed))
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="weft-chaos-") as folder:
        users, sound = run(Path(folder), options.seconds, options.processes, options.seed, options.raw)
        said = users.said()
    told = [list(map(int, line.split()[1:])) for line in said if line.startswith("read ")]
    reads, damaged, failures = (sum(column) for column in zip(*told)) if told else (0, 0, 0)
    wrong = [line for line in said if line.startswith("wrong")]
    print(f"seed {options.seed}: {options.processes} processes, {users.kills} kills, {users.flips} bits flipped")
    print(f"{reads} results read from disk, {damaged} found damaged and dropped, {failures} reads or writes failed")
    print(f"wrong values: {len(wrong)}")
    print(f"processes that could not go on: {users.fell}", *_other(said)[:5], sep="\n  " if users.fell else "")
    print(f"sound in the end: {'yes' if sound else 'NO'}")
    return 0 if not wrong and not users.fell and sound else 1


def _other(said: list[str]) -> list[str]:
    return [line for line in said if not line.startswith(("read", "wrong", " ", "Traceback"))]


if __name__ == "__main__":
    sys.exit(main())
