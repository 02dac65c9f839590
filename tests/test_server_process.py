"""The program as a process: it starts, answers before its worker is ready, loses nothing, and ends when told."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACK = """
import time
from graph import Context, NO_CONTEXT, node

@node("proc.Number", category="proc")
def number(value: int = 0) -> int:
    return value

@node("proc.Wait", category="proc")
def wait(value: int, seconds: float = 0.0, ctx: Context = NO_CONTEXT) -> int:
    for step in range(int(seconds * 100)):
        time.sleep(0.01)
        ctx.progress(step + 1, int(seconds * 100))
    return value

@node("proc.Show", category="proc", sink=True)
def show(value: int) -> str:
    return str(value)
"""


class Server:
    def __init__(self, process: subprocess.Popen[str], url: str, before: list[str]) -> None:
        self.process, self.url, self.before = process, url, before

    def ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def wait(self, id: str, *states: str) -> dict[str, Any]:
        while True:
            job = self.ask(f"/api/v1/jobs/{id}")
            if job["state"] in states:
                return job
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextlib.contextmanager
def serving(home: Path, *arguments: str) -> Generator[Server]:
    command = [sys.executable, str(ROOT / "server.py"), "--data", str(home / "data"), "--no-open", "--device", "cpu"]
    process = subprocess.Popen(
        [*command, "--custom-nodes", str(home / "packs"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    before: list[str] = []
    try:
        for line in process.stdout:
            before.append(line)
            if line.startswith("Weft is at "):
                break
        assert process.poll() is None, "".join(before)
        yield Server(process, before[-1].split()[-1].rstrip("/"), before)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "packs" / "proc").mkdir(parents=True)
    (tmp_path / "packs" / "proc" / "__init__.py").write_text(PACK)
    return tmp_path


def workflow(seconds: float = 0.0, value: int = 1) -> dict[str, Any]:
    nodes = {
        "a": {"type": "proc.Number", "inputs": {"value": value}},
        "b": {"type": "proc.Wait", "inputs": {"value": {"node": "a", "output": "int"}, "seconds": seconds}},
        "c": {"type": "proc.Show", "inputs": {"value": {"node": "b", "output": "int"}}},
    }
    return {"workflow": {"version": 1, "nodes": nodes}}


def test_it_answers_before_the_worker_is_ready_and_runs_a_job(home: Path) -> None:
    with serving(home, "--port", "0") as server:
        assert server.ask("/api/v1/health")["worker"] == "starting"
        id = server.ask("/api/v1/jobs", workflow())["id"]
        job = server.wait(id, "done", "failed")
        assert job["state"] == "done", job
        assert server.ask("/api/v1/health")["worker"] == "ready"
        assert server.stop() == 143


def test_accepted_jobs_survive_kill_9_and_the_worker_goes_with_the_server(home: Path) -> None:
    with serving(home, "--port", "0") as server:
        done = server.ask("/api/v1/jobs", workflow())["id"]
        server.wait(done, "done")
        running = server.ask("/api/v1/jobs", workflow(600.0))["id"]
        waiting = [server.ask("/api/v1/jobs", workflow(0.0, value))["id"] for value in range(5)]
        server.wait(running, "running")
        (worker,) = children(server.process.pid)
        server.stop(signal.SIGKILL)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{worker}").exists():
            assert time.monotonic() < deadline, "the worker outlived its server"
            time.sleep(0.02)
    with serving(home, "--port", "0") as server:
        assert server.ask(f"/api/v1/jobs/{done}")["state"] == "done"
        server.wait(running, "running")
        server.ask(f"/api/v1/jobs/{running}/cancel", {})
        assert server.wait(running, "cancelled", "failed")["state"] == "cancelled"
        for id in waiting:
            assert server.wait(id, "done", "failed")["state"] == "done"


def test_the_default_port_gives_way_and_an_asked_for_port_does_not(home: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", 8188))
            taken.listen()
        with serving(home) as server:
            assert server.before[0].startswith("Port 8188 is taken; using ")
            port = server.url.rpartition(":")[2]
            again = subprocess.run(
                [sys.executable, str(ROOT / "server.py"), "--port", port, "--data", str(home / "other"), "--no-open"],
                capture_output=True,
                check=False,
            )
            told = f"port {port}: Address already in use; choose another with --port"
            assert (again.returncode, told in again.stderr.decode()) == (69, True)
            same = subprocess.run(
                [sys.executable, str(ROOT / "server.py"), "--port", "0", "--data", str(home / "data"), "--no-open"],
                capture_output=True,
                check=False,
            )
            assert (same.returncode, server.url in same.stderr.decode()) == (69, True)
            assert server.stop(signal.SIGINT) == 130


def test_explain_asks_the_server_that_has_the_cache(home: Path) -> None:
    with serving(home, "--port", "0") as server:
        server.wait(server.ask("/api/v1/jobs", workflow())["id"], "done")
        command = [sys.executable, str(ROOT / "server.py"), "explain", "-", "--json", "--data", str(home / "data")]
        done = subprocess.run(
            command, input=json.dumps(workflow()["workflow"]).encode(), capture_output=True, check=True
        )
        assert {node["state"] for node in json.loads(done.stdout)["nodes"].values()} == {"cached"}
        command = [sys.executable, str(ROOT / "server.py"), "cache", "--json", "--data", str(home / "data")]
        before, after = (
            json.loads(subprocess.run([*command, *more], capture_output=True, check=True).stdout)["tiers"]
            for more in ((), ("--clear", "host"))
        )
        assert before["host"]["results"] > 0 == after["host"]["results"]


def test_another_address_needs_the_token(home: Path) -> None:
    (home / "token").write_text("t" * 32)
    with serving(home, "--host", "0.0.0.0", "--port", "0", "--token-file", str(home / "token")) as server:
        port = server.url.rpartition(":")[2].partition("/")[0]
        url = f"http://127.0.0.1:{port}/api/v1/jobs"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url, timeout=10)
        refused.value.close()
        assert refused.value.code == 401
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {'t' * 32}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
