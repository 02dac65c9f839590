"""Which worker gets a job: what stands for a node, what a worker is known to hold, and who is chosen."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from jobs import placement
from jobs.placement import best, learn, needs


@dataclass
class Worker:
    held: dict[int, float] = field(default_factory=dict)
    jobs: int = 0


def text(nodes: dict[str, Any]) -> str:
    return json.dumps({"version": 1, "nodes": nodes})


def load(file: str) -> dict[str, Any]:
    return {"type": "Load", "inputs": {"file": file}}


def sample(model: str, seed: int) -> dict[str, Any]:
    return {"type": "Sample", "inputs": {"seed": seed, "model": {"node": model, "output": "model"}}}


def states(**seconds: float) -> str:
    return json.dumps({id: {"state": "ran", "reason": "", "ms": value * 1000} for id, value in seconds.items()})


def test_a_node_stands_for_what_it_and_all_before_it_are() -> None:
    one = needs(text({"a": load("x"), "b": sample("a", 1)}))
    renamed = needs(text({"q": sample("p", 1), "p": load("x")}))
    assert (one["a"], one["b"]) == (renamed["p"], renamed["q"])
    assert needs(text({"a": load("x"), "b": sample("a", 2)}))["a"] == one["a"]
    assert needs(text({"a": load("x"), "b": sample("a", 2)}))["b"] != one["b"]
    assert needs(text({"a": load("y"), "b": sample("a", 1)}))["b"] != one["b"]


def test_links_within_lists_count() -> None:
    def gathered(file: str) -> int:
        link = {"node": "a", "output": "model"}
        return needs(text({"b": {"type": "Gather", "inputs": {"all": [link, link]}}, "a": load(file)}))["b"]

    assert gathered("x") == gathered("x")
    assert gathered("x") != gathered("y")


def test_documents_nobody_could_run_are_looked_at_too() -> None:
    odd = {"a": sample("b", 1), "b": sample("a", 1), "c": 7, "d": {"inputs": []}, "e": sample("gone", 1)}
    assert {"a", "b", "c", "d", "e"} <= set(needs(text(odd)))


def test_a_chain_of_any_length_is_followed() -> None:
    chain = {str(n): sample(str(n - 1), n) for n in range(20_000, 0, -1)} | {"0": load("x")}
    assert len(set(needs(text(chain)).values())) == 20_001


def test_who_holds_more_seconds_is_chosen_and_else_who_had_fewest_jobs() -> None:
    first, second = Worker(jobs=5), Worker(jobs=9)
    job = text({"a": load("x"), "b": sample("a", 1)})
    assert best([first, second], needs(job)) is first
    learn(second, needs(job), states(a=2.0, b=3.0))
    learn(first, needs(text({"a": load("y")})), states(a=50.0))
    assert best([first, second], needs(job)) is second
    assert best([first, second], needs(text({"a": load("x"), "b": sample("a", 2)}))) is second
    assert best([first, second], needs(text({"a": load("z")}))) is first


def test_what_was_cached_keeps_its_seconds_and_what_failed_is_not_held() -> None:
    worker, job = Worker(), needs(text({"a": load("x"), "b": sample("a", 1)}))
    learn(worker, job, states(a=2.0))
    cached = {"a": {"state": "cached", "ms": 0}, "b": {"state": "failed", "ms": None}}
    learn(worker, job, json.dumps(cached))
    assert worker.held == {job["a"]: 2.0}


def test_nodes_within_an_instance_count_for_the_instance() -> None:
    worker, job = Worker(), needs(text({"a": {"type": "component:c", "inputs": {}}}))
    learn(worker, job, json.dumps({"a/1": {"state": "ran", "ms": 4000.0}}))
    assert worker.held == {job["a"]: 4.0}


def test_what_is_remembered_is_bounded_and_the_latest_stays(monkeypatch) -> None:
    monkeypatch.setattr(placement, "REMEMBERED", 10)
    worker = Worker()
    for number in range(25):
        learn(worker, needs(text({"a": load(str(number))})), states(a=1.0))
    assert len(worker.held) == 10
    assert needs(text({"a": load("24")}))["a"] in worker.held
