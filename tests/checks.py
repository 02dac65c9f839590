"""Runs checks of the Makefile side by side and tells last what failed: `python -m tests.checks JOBS CHECK...`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

PASSED_LINES = 4
FAILED_LINES = 60


@dataclass(frozen=True)
class Outcome:
    """How a check ended: its output, lines of stdout and stderr in the order they came, and its time in seconds."""

    check: str
    ok: bool
    lines: Sequence[str]
    seconds: float

    def told(self, most: int) -> str:
        """The last lines under a heading."""
        head = f"== {self.check}: {'passed' if self.ok else 'FAILED'} in {self.seconds:.0f} s"
        return "\n".join((head, *self.lines[-most:]))


def run(check: str) -> Outcome:
    """`make CHECK`, with what it prints."""
    start = time.monotonic()
    command = ["make", "--no-print-directory", check]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(command, check=False, text=True, errors="replace", **streams)
    return Outcome(check, done.returncode == 0, done.stdout.splitlines(), time.monotonic() - start)


def main(jobs: int, checks: Sequence[str]) -> int:
    """Run all, however many fail; 0 if none did, else 1."""
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(jobs) as pool:
        for ended in as_completed([pool.submit(run, check) for check in checks]):
            outcome = ended.result()
            outcomes.append(outcome)
            print(outcome.told(PASSED_LINES if outcome.ok else len(outcome.lines)), flush=True)
    failed = [outcome for outcome in outcomes if not outcome.ok]
    for outcome in failed:
        print(f"\n{outcome.told(FAILED_LINES)}")
    names = "".join(f"; {outcome.check} failed" for outcome in failed)
    print(f"\n{len(outcomes) - len(failed)} of {len(outcomes)} checks passed{names}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
