"""Sources that run in every job, and computations that two jobs ask for at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from graph import node
from graph.events import Cached, Event, Failed, Skipped, Started
from graph.executor import Outcome, run
from graph.node import NodeSpec, spec_of
from tests.graph.lab import Lab, document, entry, spec


def clock(readings: list[int]) -> NodeSpec:
    def read(offset: int = 0) -> int:
        return readings.pop(0) + offset

    return spec_of(node("Clock", category="lab", volatile="the clock")(read))


WATCHED = document(
    clock=entry("Clock"),
    parity=entry("Parity", value=("clock", "int")),
    double=entry("Add", a=("parity", "int"), b=("parity", "int")),
    out=entry("Show", value=("double", "int")),
)


def test_an_always_run_source_that_gives_the_same_value_runs_alone() -> None:
    lab = Lab(clock([3, 3, 5, 6]))
    assert lab.ran(WATCHED) == ["clock", "parity", "double", "out"]
    assert lab.ran(WATCHED) == ["clock"]
    assert lab.ran(WATCHED) == ["clock", "parity"]
    assert lab.ran(WATCHED) == ["clock", "parity", "double", "out"]


def test_the_reason_names_what_the_source_reads() -> None:
    lab = Lab(clock([3, 3]))
    lab.run(WATCHED)
    lab.run(WATCHED)
    assert lab.reasons(Started) == {"clock": "always runs: it reads the clock"}
    assert lab.reasons(Cached)["out"] == "same input values as an earlier run"


def test_another_workflow_below_the_same_source_runs_what_it_adds() -> None:
    lab = Lab(clock([4, 4]))
    lab.run(WATCHED)
    other = document(**WATCHED["nodes"], more=entry("Show", value=("clock", "int")))
    assert lab.ran(other) == ["clock", "more"]


def test_two_equal_sources_in_one_graph_run_once() -> None:
    lab = Lab(clock([1]))
    twice = document(a=entry("Clock"), b=entry("Clock"), sum=entry("Add", a=("a", "int"), b=("b", "int")))
    assert lab.ran(twice, ["sum"]) == ["a", "sum"]


def test_a_volatile_definition_survives_json() -> None:
    spec = clock([])
    assert NodeSpec.from_json(spec.to_json()).volatile == "the clock"


class Gate:
    """A node that stays inside until let go, and counts."""

    def __init__(self) -> None:
        self.entered, self.leave = threading.Semaphore(0), threading.Semaphore(0)
        self.calls = 0
        self.fails = 0

    def spec(self) -> NodeSpec:
        def hold(value: int = 0) -> int:
            self.calls += 1
            self.entered.release()
            assert self.leave.acquire(timeout=10)
            if self.calls <= self.fails:
                raise ValueError("no luck")
            return value + 1

        return spec("Hold", hold)


class Job(threading.Thread):
    """A run of its own on the cache of a lab."""

    def __init__(self, lab: Lab, nodes: Mapping[str, Any], seen: Callable[[Event], None] = lambda event: None) -> None:
        super().__init__(daemon=True)
        self.lab, self.graph, self.seen = lab, lab.graph(nodes), seen
        self.events: list[Event] = []
        self.cancelled = threading.Event()
        self.outcome: Outcome | None = None
        self.start()

    def run(self) -> None:
        self.outcome = run(
            self.graph, None, self.lab.cache, self.take, files=self.lab.files, cancelled=self.cancelled.is_set
        )

    def take(self, event: Event) -> None:
        self.events.append(event)
        self.seen(event)

    def end(self) -> Outcome:
        self.join(10)
        assert self.outcome is not None, "the job hangs"
        return self.outcome

    def kinds(self, node: str) -> list[str]:
        return [type(event).__name__ for event in self.events if event.node == node]


HELD = document(hold=entry("Hold", value=4), out=entry("Show", value=("hold", "int")))
OTHER = document(x=entry("Hold", value=4), y=entry("Add", a=("x", "int"), b=1), z=entry("Show", value=("y", "int")))


def wait_for_away(lab: Lab) -> None:
    """Until one job waits for another."""
    flights = lab.cache.flights
    for _ in range(1000):
        if any(flights._waiting.values()):
            return
        threading.Event().wait(0.005)
    pytest.fail("nobody waits")


def test_two_jobs_that_ask_at_once_compute_once() -> None:
    gate = Gate()
    lab = Lab(gate.spec())
    first = Job(lab, HELD)
    assert gate.entered.acquire(timeout=10)
    second = Job(lab, OTHER)
    wait_for_away(lab)
    gate.leave.release()
    assert first.end().outputs == {"out": {"int": 5}}
    assert second.end().outputs == {"z": {"int": 6}}
    assert gate.calls == 1
    assert second.kinds("x") == ["Queued", "Cached"]
    assert [e.reason for e in second.events if isinstance(e, Cached)] == ["computed by another job at the same time"]


def test_what_does_not_fit_the_cache_is_shared_too() -> None:
    gate = Gate()
    lab = Lab(gate.spec(), budget=0)
    first = Job(lab, HELD)
    assert gate.entered.acquire(timeout=10)
    second = Job(lab, OTHER)
    wait_for_away(lab)
    gate.leave.release()
    assert (first.end().state, second.end().state, gate.calls) == ("done", "done", 1)


def test_the_one_who_waits_can_be_cancelled_alone() -> None:
    gate = Gate()
    lab = Lab(gate.spec())
    first = Job(lab, HELD)
    assert gate.entered.acquire(timeout=10)
    second = Job(lab, OTHER)
    wait_for_away(lab)
    second.cancelled.set()
    assert second.end().state == "cancelled"
    assert second.kinds("x")[-1] == "Skipped"
    gate.leave.release()
    assert first.end().state == "done"


def test_a_failure_is_not_shared_and_hangs_nobody() -> None:
    gate = Gate()
    gate.fails = 1
    lab = Lab(gate.spec())
    first = Job(lab, HELD)
    assert gate.entered.acquire(timeout=10)
    second = Job(lab, OTHER)
    wait_for_away(lab)
    gate.leave.release(2)
    assert first.end().state == "failed"
    assert second.end().outputs == {"z": {"int": 6}}
    assert gate.calls == 2
    assert [event.node for event in first.events if isinstance(event, Failed | Skipped)] == ["hold", "out"]


def test_when_the_first_is_cancelled_the_second_takes_over() -> None:

    gate = Gate()
    lab = Lab(gate.spec())
    first = Job(lab, HELD)
    assert gate.entered.acquire(timeout=10)
    second = Job(lab, OTHER)
    wait_for_away(lab)
    first.cancelled.set()
    gate.leave.release(2)
    assert first.end().state == "cancelled"
    assert second.end().outputs == {"z": {"int": 6}}
    assert gate.calls == 1, "what the cancelled job had finished is used"


def test_many_jobs_at_once_run_every_node_once() -> None:
    ran: list[str] = []

    def count(value: int = 0, by: int = 1) -> int:
        ran.append(f"{value}+{by}")
        return value + by

    lab = Lab(spec("Count", count))
    nodes = {"0": entry("Count")} | {str(i): entry("Count", value=(str(i - 1), "int")) for i in range(1, 60)}
    chain = document(**nodes, end=entry("Show", value=("59", "int")))
    jobs = [Job(lab, chain) for _ in range(8)]
    assert {job.end().outputs["end"]["int"] for job in jobs} == {60}
    assert len(ran) == 60
    assert not lab.cache.flights._waiting
