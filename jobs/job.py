"""What the rest of the program sees of a job: frozen values and the errors that name what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from graph.context import OutputFile

State = Literal["queued", "running", "done", "failed", "cancelled"]
WorkerState = Literal["starting", "ready"]
STATES: tuple[State, ...] = ("queued", "running", "done", "failed", "cancelled")
TERMINAL: frozenset[State] = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True)
class Job:
    """One request to run, as recorded. Times are milliseconds since the epoch.

    `nodes_json` is the JSON text `{id: {"state": "cached"|"running"|"ran"|"failed"|"skipped", "reason", "ms"}}`; it is
    kept as text so that a graph of thousands of nodes is answered without being parsed and written again.
    """

    id: str
    state: State
    rank: float
    client: str
    priority: int
    attempt: int
    created: int
    started: int | None
    finished: int | None
    targets: Sequence[str] | None
    error: Mapping[str, object] | None
    outputs: Mapping[str, Sequence[OutputFile]]
    nodes_json: str
    estimate: Mapping[str, float] | None = None
    """of a job that runs, what it said last of the time it takes: `{"ms", "left_ms", "peak_bytes", "unknown", "t"}`"""


@dataclass(frozen=True)
class Page:
    """Jobs, newest first, without their nodes; `cursor` asks for the next page and is None on the last."""

    jobs: Sequence[Job]
    cursor: str | None


@dataclass(frozen=True)
class Standing:
    """Where a queued job stands: `position` queued jobs run before it."""

    id: str
    priority: int
    position: int


@dataclass(frozen=True)
class Queue:
    """What runs and what waits: ids, the next one first. `queued` may be cut; `total` counts all that are queued."""

    paused: bool
    running: Sequence[str]
    queued: Sequence[str]
    total: int


class UnknownJob(LookupError):
    def __init__(self, id: str) -> None:
        super().__init__(f"there is no job {id!r}")
        self.id = id


class NotQueued(RuntimeError):
    """Only a job that waits can be moved."""

    def __init__(self, id: str, state: State) -> None:
        super().__init__(f"job {id} is {state}: only a queued job can be moved")
        self.id, self.state = id, state


class KeyReused(ValueError):
    """An Idempotency-Key came again with a different request."""

    def __init__(self, key: str, job: str) -> None:
        super().__init__(
            f"Idempotency-Key {key!r} was already used for job {job} with another workflow; "
            "use a fresh key for a different request"
        )
        self.key, self.job = key, job


class WorkerUnavailable(RuntimeError):
    """The answer needs a worker and there is none; the text says why."""
