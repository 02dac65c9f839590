"""The short forms of the chaos runs, and the proof that their check sees what it looks for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bench.chaos import cache
from bench.chaos.__main__ import Chaos, Goal
from bench.chaos.history import History, check

LIMIT_S = 120


@pytest.mark.parametrize("raw", [False, True])
def test_processes_that_share_a_cache_and_are_killed_see_no_wrong_value(tmp_path: Path, raw: bool) -> None:
    users, sound = cache.run(tmp_path, seconds=2.5, processes=2, seed=4, raw=raw)
    said = users.said()
    assert users.kills > 0
    assert any(line.startswith("read ") for line in said)
    assert not [line for line in said if line.startswith("wrong")]
    assert users.fell == 0, said
    assert sound


@pytest.mark.parametrize("workers", [1, 2])
def test_kills_lose_double_and_damage_nothing(tmp_path: Path, workers: int) -> None:
    async def run() -> None:
        chaos = Chaos(tmp_path, seed=1, workers=workers)
        async with asyncio.timeout(LIMIT_S):
            verdict = await chaos.run(Goal(seconds=4), clients=4)
        assert verdict.sound, verdict
        assert verdict.accepted == verdict.done + verdict.given_up
        assert verdict.done > 0
        assert sum(chaos.kills.values()) > 0

    asyncio.run(run())


def job(id: str, state: str = "done", url: str | None = None) -> dict[str, Any]:
    outputs = {"2": [{"url": url or f"/{id}"}]} if state == "done" else {}
    return {"id": id, "state": state, "outputs": outputs, "error": {"code": "worker_lost"}}


def verdict(**changes: Any) -> list[str]:
    """What the check finds in a sound run of two jobs with these changes."""
    given: dict[str, Any] = {
        "history": History({"ka": {"a"}, "kb": {"b"}}, {"a": job("a")}),
        "jobs": {"a": job("a"), "b": job("b")},
        "tokens": {"a": "ka", "b": "kb"},
        "files": {"/a": b"ka", "/b": b"kb"},
    }
    found = check(**{**given, **changes}, expected={"ka": b"ka", "kb": b"kb"})
    return [kind for kind in ("lost", "doubled", "stuck", "damaged", "surprises") if getattr(found, kind)]


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        ({"jobs": {"a": job("a")}}, ["lost"]),
        ({"history": History({"ka": {"a", "b"}})}, ["doubled"]),
        ({"tokens": {"a": "ka", "b": "ka"}, "files": {"/a": b"ka", "/b": b"ka"}}, ["doubled"]),
        ({"jobs": {"a": job("a"), "b": job("b", "running")}}, ["stuck"]),
        ({"jobs": {"a": job("a"), "b": job("b", "failed")}}, []),
        ({"jobs": {"a": job("a", "failed"), "b": job("b")}}, ["surprises"]),
        ({"files": {"/a": b"ka", "/b": b"k"}}, ["damaged"]),
        ({"files": {"/a": b"ka"}}, ["damaged"]),
        ({"jobs": {"a": job("a"), "b": job("b", url="/a")}}, ["damaged"]),
    ],
)
def test_the_check_sees_what_is_wrong(changes: dict[str, Any], kinds: list[str]) -> None:
    assert verdict(**changes) == kinds
