"""The short form of `python -m bench.hostile`: every kind of hostile node once, several at a time."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from bench.hostile.__main__ import ADDRESSES, KINDS, Kind, light, run


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes in /proc")
def test_a_hostile_node_costs_its_own_job_only(tmp_path: Path) -> None:
    studio = light(tmp_path, 4)
    studio.start(ADDRESSES)
    tally = asyncio.run(run(studio, KINDS, 1, 0, 4))
    studio.end()
    assert tally.wrong == []
    assert sum(map(len, tally.ended.values())) == len(KINDS)


@pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes in /proc")
def test_a_wrong_end_is_seen(tmp_path: Path) -> None:
    studio = light(tmp_path, 1)
    studio.start()
    kinds = (Kind("fail", "done"), Kind("leave_at_once", "failed", "exit code 8"))
    tally = asyncio.run(run(studio, kinds, 1, 0, 1))
    studio.end()
    assert [wrong.split(":")[0] for wrong in sorted(tally.wrong)] == ["fail", "leave_at_once"]
