"""Every path to the disk, with its n-th system call failing for n = 1, 2, 3 ... until none is left to fail.

`python -m bench.faults [--every K] [--only NAME] [--way WAY]`: opening, writing, syncing, resizing, linking, renaming
and removing files each fail as a full disk and a broken one do, the process is killed there, and reading fails. Then
the state must be one of the allowed ones: complete or absent, nothing half shown, nothing left behind after the next
start, no wrong value told, the next operation works, and what was refused says why. Linux and a C compiler are needed.
Exits with 1 when there is a wrong state.
"""

from __future__ import annotations

import argparse
import sys
import time

from bench.faults.loop import WAYS, is_preloaded, loop, preloaded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="strike each K-th call only")
    parser.add_argument("--only", help="those whose name holds this")
    parser.add_argument("--way", choices=WAYS, action="append", help="full, broken, kill or unread; all if not given")
    options = parser.parse_args()
    if not is_preloaded():
        return preloaded("bench.faults", sys.argv[1:])
    from bench.faults import read, stored, worked  # noqa: PLC0415 - once calls can be struck

    wrong: list[str] = []
    print(f"{'path':28}{'calls':>7}" + "".join(f"{way:>8}" for way in WAYS) + f"{'wrong':>8}{'s':>7}")
    for path in (*stored.PATHS, *worked.PATHS, *read.PATHS):
        if options.only is None or options.only in path.name:
            began = time.perf_counter()
            tally = loop(path, options.every, options.way or WAYS)
            wrong += tally.wrong
            injected = "".join(f"{count:8}" for count in tally.injected.values())
            seconds = time.perf_counter() - began
            print(f"{path.name:28}{tally.calls:7}{injected}{len(tally.wrong):8}{seconds:7.1f}", flush=True)
    print(*wrong[:10], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
