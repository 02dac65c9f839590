"""The program itself with two workers: what is asked for at once is made once, outlives kill -9, and is not changed."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.graph.lab import document, entry
from tests.test_server_process import Server, serving

PACK = """
import os, time
from pathlib import Path
import torch
from graph import Context, NO_CONTEXT, node
from nodes.types import Image

@node("two.Paint", category="two")
def paint(log: str, ctx: Context = NO_CONTEXT) -> Image:
    with Path(log).open("a") as file:
        file.write(f"{os.getpid()}\\n")
    for step in range(150):
        time.sleep(0.01)
        ctx.progress(step + 1, 150)
    return torch.rand(1, 3, 8, 8)

@node("two.Spoil", category="two")
def spoil(image: Image) -> Image:
    return image.mul_(2)

@node("two.Sum", category="two", sink=True)
def sum_(image: Image, times: int = 1) -> float:
    return float(image.sum()) * times
"""
OPTIONS = ("--port", "0", "--workers", "2", "--debug-values")


def ended(server: Server, nodes: dict[str, Any]) -> dict[str, Any]:
    return server.wait(server.ask("/api/v1/jobs", {"workflow": nodes})["id"], "done", "failed")


def until_all_ready(server: Server) -> None:
    while {worker["state"] for worker in server.ask("/api/v1/health")["workers"]} != {"ready"}:
        time.sleep(0.05)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "packs" / "two").mkdir(parents=True)
    (tmp_path / "packs" / "two" / "__init__.py").write_text(PACK)
    return tmp_path


def test_two_workers_share_what_they_make(home: Path) -> None:
    log = home / "log"

    def shown(times: int) -> dict[str, Any]:
        total = entry("two.Sum", image=("paint", "image"), times=times)
        return document(paint=entry("two.Paint", log=str(log)), total=total)

    with serving(home, *OPTIONS) as server:
        until_all_ready(server)
        ids = [server.ask("/api/v1/jobs", {"workflow": shown(times)})["id"] for times in (1, 2)]
        jobs = [server.wait(id, "done", "failed") for id in ids]
        assert [job["state"] for job in jobs] == ["done", "done"]
        assert sorted(job["nodes"]["paint"]["state"] for job in jobs) == ["cached", "ran"]
        assert len(log.read_text().splitlines()) == 1
        nodes = shown(1)["nodes"] | {"spoil": entry("two.Spoil", image=("paint", "image"))}
        error = ended(server, document(**nodes, more=entry("two.Sum", image=("spoil", "image"))))["error"]
        assert (error["node"], error["type"]) == ("spoil", "InputChanged")
        assert "two.Spoil changed its input image" in error["message"]
        while server.ask("/api/v1/cache")["tiers"]["disk"]["results"] < 3:
            time.sleep(0.05)
        server.stop(signal.SIGKILL)
    with serving(home, *OPTIONS) as server:
        for times in (1, 2):
            states = {node["state"] for node in ended(server, shown(times))["nodes"].values()}
            assert states == {"cached"}
        assert len(log.read_text().splitlines()) == 1
