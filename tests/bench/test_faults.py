"""The short form of the loop over failing system calls, and the proof that it sees what is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="system calls are struck by a preloaded library"
)


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_whichever_call_fails_no_wrong_state_is_left() -> None:
    """Every 19th call of each path; `python -m bench.faults` strikes every one."""
    lines = run("bench.faults", "--every", "19").splitlines()
    assert len(lines) > 12
    unread = 0
    for line in lines[1:-1]:
        *name, _, full, broken, kill, reads, wrong, _ = line.split()
        assert wrong == "0", line
        assert min(map(int, (full, broken, kill))) > 0 or " ".join(name) == "what the server is asked for", line
        unread += int(reads)
    assert unread > 10


def test_what_was_promised_is_there_whenever_the_power_goes() -> None:
    """`python -m bench.faults.power --cuts 10000` is the long form."""
    told = run("bench.faults.power", "--cuts", "200").splitlines()
    assert told[0].endswith("200 cuts with seed 0: 0 broken"), told


def test_the_loop_sees_what_is_wrong() -> None:
    assert run("tests.bench.careless").splitlines() == [
        "write_in_place 2 broken full kill",
        "write_and_leave 3 broken full",
        "answer_vaguely 1 broken full",
    ]


@pytest.mark.parametrize("bug", ["database", "folder"])
def test_the_power_cut_sees_what_is_wrong(bug: str) -> None:
    """Commits that are not synced, and names whose folder is not."""
    command = [sys.executable, "-m", "tests.bench.unsynced", bug]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert {"database": "is lost", "folder": "the file output/"}[bug] in done.stdout
