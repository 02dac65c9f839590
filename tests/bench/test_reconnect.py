"""The short form of `python -m bench.reconnect`, and the proof that its check sees what it looks for."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from bench.reconnect.__main__ import Reader, Tally, light, run


def test_readers_whose_lines_break_miss_nothing(tmp_path: Path) -> None:
    studio = light(tmp_path)
    studio.start()
    tally = asyncio.run(run(studio, 300, 1, 1.0, restarts=2))
    studio.end()
    assert tally.wrong == []
    assert tally.restarts >= 1
    assert 0 < tally.previews < tally.events


def test_what_is_missed_told_twice_or_made_up_is_seen() -> None:
    recorded = [{"n": 1, "type": "queued"}, {"n": 3, "type": "finished"}, {"n": 4, "type": "state", "state": "done"}]
    preview = {"n": 2, "type": "preview"}

    def wrong(*received: dict) -> int:
        reader = Reader(0, "j", random.Random(0), tally := Tally())
        reader.received = list(received)
        reader.check(recorded)
        return len(tally.wrong)

    assert wrong(recorded[0], preview, *recorded[1:]) == 0
    assert wrong(*recorded[1:]) == 1
    assert wrong(*recorded[:2]) == 2
    assert wrong(*recorded, recorded[2]) == 1
    assert wrong(recorded[0], {"n": 2, "type": "started"}, *recorded[1:]) == 1
