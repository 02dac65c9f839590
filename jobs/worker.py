"""The worker process: takes commands on its standard input, runs one job at a time on a thread, reports through frames.

It knows the engine only; what nodes there are is handed in. Standard output belongs to the frames, so it is moved
away first: a node that prints writes to standard error, a node that reads gets the end of file.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from graph.problems import InvalidGraph
from graph.workflow import load_parsed
from jobs.engine import Engine
from jobs.garbage import settle
from jobs.outbox import Outbox
from jobs.protocol import Message, read
from jobs.recorder import Recorder
from jobs.wear import Wear

PR_SET_PDEATHSIG = 1
PIPE_BYTES = 1 << 20
"""A batch of events fits the pipe whole, so that the server hears it, and records it, at once."""


@dataclass(frozen=True)
class _Job:
    message: Message
    cancelled: threading.Event = field(default_factory=threading.Event)


def main(
    compose: Callable[[], Engine],
    warm: Callable[[], None],
    record: Path,
    devices: Callable[[], int] = lambda: 1,
    margin: int = 0,
) -> None:
    """Be a worker until told to stop or the server is gone; does not return.

    `compose` makes the engine (slow: it imports what nodes need), `devices` counts the devices of the machine once that
    is done; `warm` runs on a thread once jobs are taken. For `margin` see jobs.wear.
    """
    _die_first()
    commands, frames = _take_streams()
    outbox = Outbox(frames, Recorder(record))
    engine = compose()
    settle()
    wear = Wear(margin, engine.accounted)
    head = {"op": "ready", "device": engine.context.device, "devices": devices(), "bytes": engine.device_bytes}
    outbox.tell(Message(head, json.dumps(engine.catalogue(), separators=(",", ":")).encode()))
    threading.Thread(target=warm, name="warm", daemon=True).start()
    Worker(engine, outbox, wear).serve(commands)
    engine.cache.close()
    sys.stderr.flush()
    os._exit(0)


class Worker:
    def __init__(self, engine: Engine, outbox: Outbox, wear: Wear) -> None:
        self._engine, self._outbox, self._wear = engine, outbox, wear
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._questions: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._current: _Job | None = None
        self._process = os.getpid()
        threading.Thread(target=self._run_jobs, name="jobs", daemon=True).start()
        threading.Thread(target=self._answer_questions, name="questions", daemon=True).start()

    def serve(self, commands: BinaryIO) -> None:
        """Obey until "stop" or the end of the stream."""
        while (message := read(commands)) is not None:
            match message.op:
                case "run":
                    self._current = _Job(message)
                    self._jobs.put(self._current)
                case "cancel":
                    if self._current is not None and self._current.message.head["job"] == message.head["job"]:
                        self._current.cancelled.set()
                case "explain" | "cache":
                    self._questions.put(message)
                case "stop":
                    return
                case op:
                    raise ValueError(f"expected run, cancel, explain, cache or stop, got {op!r}")

    def _run_jobs(self) -> None:
        while True:
            job = self._jobs.get()
            head = job.message.head
            self._outbox.begin(head["job"], head["attempt"], head["first"])
            state, error = self._run(job)
            if os.getpid() != self._process:
                os._exit(0)
            worn = self._wear.after_job()
            if worn is not None:
                self._outbox.tell(Message({"op": "worn", "cause": worn}))
            self._outbox.end(state, error)

    def _run(self, job: _Job) -> tuple[str, Mapping[str, Any] | None]:
        try:
            workflow = load_parsed(json.loads(job.message.body))
            outcome = self._engine.run(workflow, job.message.head["targets"], self._outbox.emit, job.cancelled.is_set)
        except InvalidGraph as error:
            return "failed", _error("invalid_graph", error, error.problems[0].node, error.problems[0].port)
        except BaseException as error:  # noqa: BLE001 - the thread must go on to the next job
            traceback.print_exc()
            return "failed", _error("internal", error, None, None)
        return outcome.state, outcome.error.to_json() if outcome.error else None

    def _answer_questions(self) -> None:
        while True:
            message = self._questions.get()
            body = json.dumps(self._answer(message), separators=(",", ":")).encode()
            self._outbox.tell(Message({"op": "answer", "id": message.head["id"]}, body))

    def _answer(self, message: Message) -> Mapping[str, Any]:
        try:
            if message.op == "cache":
                return {"tiers": self._engine.report_cache(message.head["cleared"])}
            return self._engine.explain(load_parsed(json.loads(message.body)), message.head["targets"])
        except InvalidGraph as error:
            return {"problems": [problem.to_json() for problem in error.problems]}
        except Exception as error:  # noqa: BLE001 - the thread must go on to the next question
            traceback.print_exc()
            return {"error": f"{type(error).__name__}: {error}"}


def _error(code: str, error: BaseException, node: str | None, port: str | None) -> dict[str, Any]:
    return {"code": code, "type": type(error).__name__, "message": str(error), "node": node, "port": port}


def _take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Private copies of standard input and output; what is left in their place is nothing and standard error.

    A copy of this process that a node makes has neither: it would repeat what this one says.
    """
    commands, frames = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    _widen(frames)
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=lambda: (os.dup2(nothing, commands), os.dup2(nothing, frames)))
    return os.fdopen(commands, "rb"), os.fdopen(frames, "wb")


def _widen(pipe: int) -> None:
    """On Linux, give the pipe PIPE_BYTES; where the system has no more to give, it works as it is."""
    if sys.platform == "linux":
        import fcntl  # noqa: PLC0415 - there is none on Windows

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _die_first() -> None:
    """On Linux, have the kernel end this process with the server, even if a node holds the interpreter forever, and
    before any other process when the machine is out of memory."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
