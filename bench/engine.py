"""What the engine itself costs: a chain of trivial nodes checked, keyed, run, found in the cache. Milliseconds, best of
several; then nodes that do not depend on each other, through HTTP. `python -m bench.engine [NODES]`."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.http import Figure, by_get, serve, timed, until
from graph import node
from graph.cache import Cache, Memory
from graph.events import Event
from graph.executor import run
from graph.explain import explain
from graph.files import NoFiles
from graph.graph import Builder, Graph, build
from graph.node import collect
from graph.plan import plan
from graph.registry import Registry
from graph.values import PlainTraits
from graph.workflow import load, parse

FILES = NoFiles()


@node("Start", category="bench")
def start(value: int = 1) -> int:
    return value


@node("Add", category="bench")
def add(int: int, by: int = 1) -> int:
    return int + by


@node("End", category="bench", sink=True)
def end(int: int) -> None:
    """Takes the last number."""


def chain(count: int, changed: int = 1) -> dict[str, Any]:
    """A document of `count` nodes in a row, the one before the last adding `changed`."""
    nodes: dict[str, Any] = {"0": {"type": "Start", "inputs": {}}}
    for i in range(1, count - 1):
        by = changed if i == count - 2 else 1
        nodes[str(i)] = {"type": "Add", "inputs": {"int": {"node": str(i - 1), "output": "int"}, "by": by}}
    nodes[str(count - 1)] = {"type": "End", "inputs": {"int": {"node": str(count - 2), "output": "int"}}}
    return {"version": 1, "nodes": nodes}


def cache() -> Cache:
    return Cache([Memory(1 << 30)], PlainTraits())


def best(measured: Callable[[Any], object], prepare: Callable[[], Any] = lambda: None, times: int = 15) -> float:
    figures: list[float] = []
    for _ in range(times):
        prepared = prepare()
        began = time.perf_counter()
        measured(prepared)
        figures.append(time.perf_counter() - began)
    return min(figures) * 1000


def measure(count: int, registry: Registry) -> dict[str, float]:
    document = chain(count)
    text = json.dumps(document).encode()
    graph = build(load(document), registry, FILES)
    filled = cache()
    go(graph, filled)
    builder = Builder(registry, FILES)
    builder.build(load(document))
    fresh = iter(range(2, 1000))
    return {
        "parse bytes": best(lambda _: parse(text)),
        "load, build, keys: cold": best(lambda _: plan(build(load(document), registry, FILES), None, cache(), FILES)),
        "load, build, keys: one node changed": best(
            lambda edited: plan(builder.build(load(edited)), None, cache(), FILES), lambda: chain(count, next(fresh))
        ),
        "load, build, keys: the same again": best(
            lambda _: plan(builder.build(load(document)), None, cache(), FILES), lambda: builder.build(load(document))
        ),
        "run: cold": best(lambda empty: go(graph, empty), cache),
        "run: all cached": best(lambda _: go(graph, filled)),
        "run: one leaf changed": best(
            lambda edited: go(edited, filled), lambda: build(load(chain(count, next(fresh))), registry, FILES)
        ),
        "explain": best(lambda _: explain(graph, None, filled, FILES)),
    }


def go(graph: Graph, results: Cache) -> None:
    events: list[Event] = []
    outcome = run(graph, None, results, events.append, files=FILES)
    assert outcome.state == "done"
    assert len(events) >= len(graph.nodes)


def side_by_side(count: int, value: int) -> bytes:
    """A request of `count` nodes that each take 0.5 s, their sum and a sink."""
    nodes: dict[str, Any] = {
        f"wait{i}": {"type": "trivial.Wait", "inputs": {"value": value + i, "seconds": 0.5}} for i in range(count)
    }
    last = {"node": "wait0", "output": "int"}
    for i in range(1, count):
        inputs = {"left": last, "right": {"node": f"wait{i}", "output": "int"}}
        nodes[f"sum{i}"] = {"type": "trivial.Add", "inputs": inputs}
        last = {"node": f"sum{i}", "output": "int"}
    nodes["end"] = {"type": "trivial.Show", "inputs": {"value": last}}
    return json.dumps({"workflow": {"version": 1, "nodes": nodes}}).encode()


async def at_once(count: int, repeat: int = 3) -> Figure:
    """From the POST of nodes that do not depend on each other until the job is seen done, the best of some."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        async with serve(Path(folder)) as server:
            await until(server, ("ready",), 120)
            fresh = itertools.count(time.time_ns() // 1000, 1000)
            took = [await timed(server, by_get, side_by_side(count, next(fresh))) for _ in range(repeat)]
    return Figure(f"{count} independent nodes of 0.5 s, by GET", min(took) / 1000, "s", 0.6)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    registry = Registry(collect(sys.modules[__name__]))
    small, large = measure(count, registry), measure(10 * count, registry)
    print(f"{'milliseconds for a chain of':38}{count:>10}{10 * count:>10}     ratio")
    for name, figure in small.items():
        print(f"{name:38}{figure:10.2f}{large[name]:10.2f}{large[name] / figure:10.1f}")
    print(asyncio.run(at_once(4)).line())


if __name__ == "__main__":
    main()
