"""A write path without any care, and one that forgets to clean up: what the loop must find wrong in them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bench.faults.loop import Run, Seen, WritePath, loop, preloaded
from bench.faults.stored import check_swept

DATA = b"0123456789" * 1000


def write_in_place(run: Run) -> None:
    run.arm()
    run.attempt("write", (run.folder / "file").write_bytes, DATA)


def write_and_leave(run: Run) -> None:
    def write() -> None:
        part = run.folder / ".file.part"
        part.write_bytes(DATA)
        part.rename(run.folder / "file")

    run.arm()
    run.attempt("write", write)


def answer_vaguely(run: Run) -> None:
    def write() -> None:
        try:
            (run.folder / "file").mkdir()
        except OSError:
            raise OSError("something went wrong") from None

    run.arm()
    run.attempt("write", write)


def whole(folder: Path, seen: Seen) -> None:
    file = folder / "file"
    assert not file.is_file() or file.read_bytes() == DATA
    assert file.exists() or "write" not in seen.done
    check_swept(folder, seen)


def main() -> int:
    if "strike" not in os.environ.get("LD_PRELOAD", ""):
        return preloaded("tests.bench.careless", [])
    for act in (write_in_place, write_and_leave, answer_vaguely):
        tally = loop(WritePath(act.__name__, lambda _: None, act, whole), 1)
        print(act.__name__, tally.calls, *sorted({wrong.split(" at ")[0].split(", ")[1] for wrong in tally.wrong}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
