"""What runs, and what does not, through the real service and worker processes: the minimum, as the history tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.graph.lab import document, entry
from tests.jobs.conftest import Bench, running

Document = Mapping[str, Any]


def sums(value: int = 4, *, rest_by: int = 0, **more: Any) -> Document:
    """A value, of which one node reads the parity, one half of it, and one what is left."""
    nodes = {
        "n": entry("Number", value=value),
        "parity": entry("Parity", value=("n", "int")),
        "of parity": entry("Add", left=("parity", "int"), right=10),
        "split": entry("Split", value=("n", "int")),
        "of half": entry("Add", left=("split", "half"), right=20),
        "of rest": entry("Add", left=("split", "rest"), right=30 + rest_by),
        **{f"end {id}": entry("Show", value=(id, "int")) for id in ("of parity", "of half", "of rest")},
    }
    return document(**nodes, **more)


def moved(nodes: Document) -> Document:
    """The same under other ids, in another order, at other places."""
    text = json.dumps(nodes)
    for id in nodes["nodes"]:
        text = text.replace(f'"{id}"', f'"another {id}"')
    turned = json.loads(text)
    return {**turned, "nodes": dict(reversed(turned["nodes"].items())), "view": {"another n": [10, 20]}}


def written(nodes: Document) -> Document:
    """With a default written out."""
    changed = json.loads(json.dumps(nodes))
    changed["nodes"]["end of half"] = entry("Show", value=("one more", "int"))
    changed["nodes"]["one more"] = entry("Add", left=("of half", "int"), right=1)
    return changed


def unwritten(nodes: Document) -> Document:
    changed = json.loads(json.dumps(written(nodes)))
    del changed["nodes"]["one more"]["inputs"]["right"]
    return changed


def loop(count: int) -> Document:
    body = {
        "inputs": [{"name": "value", "node": "a", "input": "left"}],
        "outputs": [{"name": "value", "node": "a", "output": "int"}],
        "nodes": {"a": entry("Add", left=0, right=2)},
    }
    nodes = document(
        loop=entry("For", value=1, count=count, body={"component": "grow"}),
        out=entry("Echo", value=("loop", "value")),
        end=entry("Same", value=("out", "any")),
    )
    return {**nodes, "components": {"grow": body}}


def measured(file: Path) -> Document:
    length = entry("Measure", file=str(file))
    return document(m=length, a=entry("Add", left=("m", "int")), end=entry("Show", value=("a", "int")))


async def ran(bench: Bench, nodes: Document) -> set[str]:
    """What a job of the document ran."""
    id = await bench.jobs.submit(nodes)
    await bench.events(id)
    job = await bench.jobs.get(id)
    assert job.state == "done", job.error
    return {node for node, each in json.loads(job.nodes_json).items() if each["state"] == "ran"}


def test_a_service_runs_the_minimum(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "file"
    file.write_text("four")
    everything = set(sums()["nodes"])
    below_half = {"of half", "end of half"}

    async def scenario() -> None:
        async with running(data) as bench:
            assert await ran(bench, sums()) == everything
            assert await ran(bench, sums(6)) == {"n", "parity", "split"} | below_half, (
                "equal parity and rest stop there"
            )
            assert await ran(bench, sums(4)) == set(), "and back"
            assert await ran(bench, sums(rest_by=100)) == {"of rest", "end of rest"}
            assert await ran(bench, sums(5)) == everything - below_half, "of one output alone"
            assert await ran(bench, measured(file)) == {"m", "a", "end"}, "another workflow in between"
            assert await ran(bench, measured(file)) == {"m"}, "it always runs; what it told is the same"
            assert await ran(bench, sums(4)) == await ran(bench, moved(sums(4))) == set()
            assert await ran(bench, written(sums())) == {"one more"}, "what it makes was shown before"
            assert await ran(bench, unwritten(sums())) == set(), "a default written out is one left out"
            twins = document(
                **{id: entry("Add", left=100, right=1) for id in ("a", "b")},
                end=entry("Show", value=("a", "int")),
                end2=entry("Show", value=("b", "int")),
            )
            assert await ran(bench, twins) == {"a", "end"}, "identical nodes run once"
            assert await ran(bench, loop(3)) == {"loop", "loop/1/a", "loop/2/a", "loop/3/a", "out", "end"}
        async with running(data) as bench:
            for nodes in (sums(4), sums(5), sums(6), moved(sums(5)), written(sums()), twins, loop(3)):
                assert await ran(bench, nodes) == set(), "after a restart of server and worker"
            assert await ran(bench, measured(file)) == {"m"}
            assert await ran(bench, loop(4)) == {"loop", "loop/4/a", "out", "end"}
            assert await ran(bench, sums(8)) == {"n", "parity", "split"} | below_half, "as without the restart"

    asyncio.run(scenario())


def test_a_service_tells_distinct_values_apart(bench) -> None:
    async def scenario(bench: Bench) -> None:
        for value in (1, True, 1.0, "1", 0.0, -0.0, 0, False, None, "", [1], [True]):
            nodes = document(v=entry("Same", value=value))
            assert await ran(bench, nodes) == {"v"}, repr(value)
            assert await ran(bench, nodes) == set()

    bench(scenario)
