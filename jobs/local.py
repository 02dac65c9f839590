"""Running a workflow in this process: the same engine as the worker's, stopped by signals or a time limit."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import FrameType

from graph.events import Event, Progress
from graph.executor import Outcome
from graph.problems import InvalidGraph
from graph.workflow import Workflow
from jobs.catalogue import Catalogue
from jobs.console import Console
from jobs.documents import titles
from jobs.engine import Engine
from jobs.exits import Exit, Failure, problems_exit
from jobs.files import FileStore
from jobs.report import problems_text
from jobs.summary import NodeState, Summary

GRACE_S = 5.0
"""How long after a time limit or a second signal a node has to come back before the process ends without it."""


OUT_OF_MEMORY = ("MemoryError", "OutOfMemoryError")
"""What Python and torch raise when memory is short."""


class _Stop:
    """Whether, and with which exit code, the run is to stop."""

    def __init__(self) -> None:
        self.code: Exit | None = None
        self._timers: list[threading.Timer] = []

    def asked(self) -> bool:
        return self.code is not None

    def because(self, code: Exit) -> None:
        """Stop at the next step of a node; asked a second time, end the process at once."""
        if self.code is not None:
            os._exit(code)
        self.code = code

    def after(self, seconds: float) -> None:
        self._later(seconds, lambda: self.because(Exit.TIMEOUT))
        self._later(seconds + GRACE_S, lambda: os._exit(Exit.TIMEOUT))

    def settle(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)


def run_aloud(
    engine: Engine, workflow: Workflow, timeout: float | None
) -> tuple[Outcome, Exit, Mapping[str, NodeState]]:
    """`run_here`, told on standard error, where what nodes print goes too; and how each node fared. The cache is closed
    then. Raises InvalidGraph."""
    summary = Summary()
    console = Console.on(sys.stderr, os.environ, titles(workflow))

    def emit(event: Event) -> None:
        summary.fold(event.to_json())
        console.show(event)

    with redirect_stdout(sys.stderr):
        outcome, code = run_here(engine, workflow, emit, timeout)
    engine.cache.close()
    console.close()
    return outcome, code, summary.nodes


def run_here(
    engine: Engine, workflow: Workflow, emit: Callable[[Event], None], timeout: float | None
) -> tuple[Outcome, Exit]:
    """Run every sink on the main thread; how it ended, and the exit code. Raises InvalidGraph.

    Ctrl-C or SIGTERM cancels, a second one ends the process; so does a node that ignores the end of the time limit.
    """
    stop = _Stop()
    with _signals(stop):
        if timeout is not None:
            stop.after(timeout)
        outcome = engine.run(workflow, None, emit, stop.asked)
        stop.settle()
    if outcome.state == "cancelled" and stop.code is not None:
        return outcome, stop.code
    return outcome, outcome_exit(outcome)


def refuse_invalid(catalogue: Catalogue, workflow: Workflow, name: str) -> None:
    """Failure with everything that is wrong with a workflow, if anything is."""
    try:
        catalogue.builder.build(workflow)
    except InvalidGraph as error:
        code = problems_exit(error.problems, workflow, catalogue.registry)
        raise Failure(code, f"{name} cannot run:\n{problems_text(error.problems)}") from error


def outcome_exit(outcome: Outcome) -> Exit:
    if outcome.error is not None and outcome.error.type in OUT_OF_MEMORY:
        return Exit.OUT_OF_MEMORY
    return {"done": Exit.DONE, "failed": Exit.JOB_FAILED, "cancelled": Exit.CANCELLED}[outcome.state]


@contextmanager
def _signals(stop: _Stop) -> Generator[None]:
    def handle(number: int, _frame: FrameType | None) -> None:
        stop.because(Exit.INTERRUPTED if number == signal.SIGINT else Exit.TERMINATED)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def weights_file(files: FileStore, name: str) -> Path:
    """A file by its path, or by its name in the models folders, with or without its folder before it. Failure where
    there is none."""
    if Path(name).is_file():
        return Path(name)
    for folder, names in files.models().items():
        for known in names:
            if name in (known, f"{folder}/{known}"):
                return files.path(folder, known)
    raise Failure(Exit.MISSING, f"{name}: there is no such file, and no model of that name")


@contextmanager
def exiting(code: Exit) -> Generator[None]:
    """A ValueError within ends the command with `code`, a file that cannot be written with its own."""
    try:
        yield
    except ValueError as error:
        raise Failure(code, str(error)) from error
    except OSError as error:
        raise Failure(Exit.CANNOT_WRITE, f"{error.filename}: {error.strerror}") from error


@contextmanager
def counting(what: str) -> Generator[Callable[[int, int], None]]:
    """Yields what is told how much of how much is done, for a person at a terminal."""
    console = Console.on(sys.stderr, os.environ, {"": what})
    try:
        yield lambda done, total: console.show(Progress("", done, total))
    finally:
        console.close()
