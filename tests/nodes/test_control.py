"""Control flow: branches that are not chosen never run, and types follow what is linked."""

from __future__ import annotations

from typing import Any

import pytest

from graph import Context, OutputFile, node
from graph.events import Cached, Finished, Started
from graph.live import Live
from graph.node import NodeSpec, collect, spec_of
from graph.problems import InvalidGraph
from jobs.report import plan_text
from nodes import control
from tests.graph.lab import Lab, document, entry


def lab() -> Lab:
    return Lab(*collect(control))


SOURCES = {name: entry("Number", value=value) for name, value in (("a", 1), ("b", 2), ("c", 3))}


def switch(index: int) -> dict[str, Any]:
    nodes = document(**SOURCES, pick=entry("Switch", index=index), out=entry("Show", value=("pick", "value")))
    nodes["nodes"]["pick"]["inputs"]["values"] = [{"node": id, "output": "int"} for id in ("a", "b", "c")]
    return nodes


def test_if_runs_one_branch() -> None:
    bench = lab()
    nodes = document(
        **SOURCES,
        pick=entry("If", condition=False, on_true=("a", "int"), on_false=("b", "int")),
        out=entry("Show", value=("pick", "value")),
    )
    assert bench.ran(nodes) == ["pick", "b", "out"]


def test_switch_runs_the_one_of_many() -> None:
    bench = lab()
    assert bench.ran(switch(1)) == ["pick", "b", "out"]
    assert bench.ran(switch(2)) == ["pick", "c", "out"]
    assert bench.ran(switch(1)) == []
    assert bench.run(switch(3)).state == "failed"


def test_coalesce_stops_at_the_first_that_is_there() -> None:
    bench = lab()
    nodes = document(**SOURCES, none=entry("Echo"), pick=entry("Coalesce"), out=entry("Show", value=("pick", "value")))
    nodes["nodes"]["none"]["inputs"] = {"value": None}
    links = [{"node": "none", "output": "any"}, {"node": "b", "output": "int"}, {"node": "c", "output": "int"}]
    nodes["nodes"]["pick"]["inputs"]["values"] = links
    bench.run(nodes)
    assert [e.node for e in bench.events if isinstance(e, Started)] == ["pick", "none", "b", "out"]


def test_the_type_of_the_output_follows_the_inputs() -> None:
    bench = lab()
    nodes = document(
        n=entry("Number", value=1),
        pick=entry("If", condition=True, on_true=("n", "int"), on_false=("n", "int")),
        out=entry("Length", text=("pick", "value")),
    )
    with pytest.raises(InvalidGraph, match=r"input text expects str, got int from pick If"):
        bench.graph(nodes, ["out"])


def test_the_inputs_are_of_one_type() -> None:
    bench = lab()
    nodes = document(
        n=entry("Number", value=1),
        l=entry("Echo", value="x"),
        e=entry("If", condition=True, on_true="text", on_false="other"),
        pick=entry("If", condition=True, on_true=("n", "int"), on_false=("e", "value")),
        out=entry("Show", value=("pick", "value")),
    )
    with pytest.raises(InvalidGraph, match=r"input on_true expects str|input on_false expects int, got str from e If"):
        bench.graph(nodes)


def test_definitions_survive_json() -> None:
    for spec in collect(control):
        again = NodeSpec.from_json(spec.to_json())
        assert again.inputs == spec.inputs
        assert again.outputs == spec.outputs


def port(name: str, node: str, input: str) -> dict[str, str]:
    return {"name": name, "node": node, "input": input}


GROW = {
    "inputs": [port("value", "a", "a"), port("by", "a", "b"), port("item", "b", "b")],
    "outputs": [
        {"name": "value", "node": "b", "output": "int"},
        {"name": "again", "node": "more", "output": "bool"},
    ],
    "nodes": {
        "a": entry("Add", a=0, b=1),
        "b": entry("Add", a=("a", "int"), b=0),
        "more": entry("Below", value=("b", "int"), limit=10),
    },
}
SHOWN = {**GROW, "nodes": {**GROW["nodes"], "seen": entry("Save", value=("b", "int"))}}


@node("Below", category="lab")
def below(value: int, limit: int) -> bool:
    return value < limit


def loop(type: str, component: Any = GROW, **inputs: Any) -> dict[str, Any]:
    nodes = document(
        n=entry("Number", value=1),
        loop=entry(type, body={"component": "grow"}, **inputs),
        out=entry("Echo", value=("loop", "value")),
        end=entry("Show", value=("out", "any")),
    )
    return {**nodes, "components": {"grow": component}}


def loops() -> Lab:
    return Lab(*collect(control), spec_of(below))


def test_a_loop_grown_by_a_round_runs_one_round() -> None:
    bench = loops()
    three = bench.ran(loop("For", value=("n", "int"), count=3))
    assert three == ["loop", "n", "loop/1/a", "loop/1/b", "loop/2/a", "loop/2/b", "loop/3/a", "loop/3/b", "out", "end"]
    assert bench.run(loop("For", value=("n", "int"), count=3)).outputs["end"] == {"int": 4}
    assert bench.ran(loop("For", value=("n", "int"), count=4)) == ["loop", "loop/4/a", "loop/4/b", "out", "end"]
    assert bench.ran(loop("For", value=("n", "int"), count=3)) == []
    assert bench.ran(loop("For", value=("n", "int"), count=2)) == ["loop", "out", "end"]


def test_what_else_the_component_takes_is_an_input_of_the_loop() -> None:
    bench = loops()
    assert bench.run(loop("For", value=("n", "int"), count=3, by=10)).outputs["end"] == {"int": 31}
    assert bench.run(loop("For", value=("n", "int"), count=3, by=("n", "int"))).outputs["end"] == {"int": 4}
    with pytest.raises(InvalidGraph, match=r"there is no input .bye."):
        bench.graph(loop("For", value=1, count=3, bye=1))


def test_no_round_at_all_gives_the_value_itself() -> None:
    assert loops().run(loop("For", value=("n", "int"), count=0)).outputs["end"] == {"int": 1}


def test_while_goes_on_until_told() -> None:
    bench = loops()
    assert bench.run(loop("While", value=5)).outputs["end"] == {"int": 10}
    rounds = {e.node.split("/")[1] for e in bench.events if isinstance(e, Started) and "/" in e.node}
    assert rounds == {"1", "2", "3", "4", "5"}
    assert bench.run(loop("While", value=-500)).state == "failed"


def test_map_keeps_each_item() -> None:
    bench = loops()
    nodes = loop("Map", items=[1, 2, 3])
    del nodes["nodes"]["end"]
    nodes["nodes"]["out"] = entry("Total", value=("loop", "value"))

    @node("Total", category="lab", sink=True)
    def total(value: list[int]) -> int:
        return sum(value)

    bench = Lab(*collect(control), spec_of(below), spec_of(total))
    assert bench.run(nodes).outputs["out"] == {"int": 9}
    nodes["nodes"]["loop"]["inputs"]["items"] = [3, 1, 7]
    assert bench.ran(nodes) == ["loop", "loop/3/b", "out"]


def test_fold_adds_up() -> None:
    assert loops().run(loop("Fold", items=[1, 2, 3], value=0)).outputs["end"] == {"int": 9}


def test_a_body_is_known_by_what_it_computes() -> None:
    bench = loops()
    bench.run(loop("For", value=1, count=2))
    renamed = {
        "inputs": [port("value", "p", "a")],
        "outputs": [{"name": "value", "node": "q", "output": "int"}],
        "nodes": {"p": entry("Add", a=0, b=1), "q": entry("Add", a=("p", "int"))},
    }
    bench.run(loop("For", renamed, value=1, count=2))
    changed = {**GROW, "nodes": {**GROW["nodes"], "b": entry("Add", a=("a", "int"), b=5)}}
    assert bench.run(loop("For", changed, value=1, count=2)).outputs["end"] == {"int": 13}


def test_problems_inside_a_body_are_found_before_anything_runs() -> None:
    wrong = {**GROW, "nodes": {**GROW["nodes"], "b": entry("Add", a=("a", "int"), b="five")}}
    with pytest.raises(InvalidGraph, match=r"node loop/grow/b Add: input b expects a whole number"):
        loops().graph(loop("For", wrong, value=1))
    with pytest.raises(InvalidGraph, match="there is a component"):
        loops().graph(loop("For", value=1) | {"components": {}})


def test_the_type_of_a_loop_is_that_of_its_body() -> None:
    nodes = loop("For", value=1)
    nodes["nodes"]["out"] = entry("Length", text=("loop", "value"))
    with pytest.raises(InvalidGraph, match="input text expects str, got int from loop For"):
        loops().graph(nodes)


def test_cancelling_ends_a_loop() -> None:
    bench = loops()
    seen: list[str] = []
    outcome = bench.run(loop("For", value=1, count=1000), cancelled=lambda: len(bench.events) > 1100)
    assert outcome.state == "cancelled"
    assert not seen


def test_a_failing_round_is_named() -> None:
    bench = loops()
    broken = {**GROW, "nodes": {**GROW["nodes"], "b": entry("Fail", value=("a", "int"))}}
    outcome = bench.run(loop("For", broken, value=1, count=3))
    assert outcome.error is not None
    assert outcome.error.node == "loop/1/b"


def test_files_written_in_rounds_are_those_of_the_loop() -> None:
    saved: list[bytes] = []

    def save(data: bytes, *, prefix: str, media_type: str, width: int, height: int, temporary: bool) -> OutputFile:
        saved.append(data)
        return OutputFile(f"{len(saved)}.txt", media_type, width, height)

    bench = Lab(*collect(control), spec_of(below), context=Context(save=save))
    nodes = loop("For", SHOWN, value=1, count=3)
    del nodes["nodes"]["out"], nodes["nodes"]["end"]
    bench.run(nodes)
    assert saved == [b"2", b"3", b"4"]
    (finished,) = [e for e in bench.events if isinstance(e, Finished) and e.node == "loop"]
    assert [file.name for file in finished.outputs] == ["1.txt", "2.txt", "3.txt"]
    bench.run(nodes)
    (cached,) = [e for e in bench.events if isinstance(e, Cached) and e.node == "loop"]
    assert [file.name for file in cached.outputs] == ["1.txt", "2.txt", "3.txt"]


def test_loops_inside_loops() -> None:
    outer = {
        "inputs": [port("value", "inner", "value")],
        "outputs": [{"name": "value", "node": "inner", "output": "value"}],
        "nodes": {"inner": entry("For", body={"component": "grow"}, count=2)},
    }
    nodes = loop("For", value=1, count=3)
    nodes["nodes"]["loop"]["inputs"]["body"] = {"component": "outer"}
    nodes["components"]["outer"] = outer
    bench = loops()
    assert bench.run(nodes).outputs["end"] == {"int": 7}
    assert bench.ran(nodes) == []


def test_what_a_loop_grows_into_is_unknown_before_its_first_run_and_that_of_the_last_run_after_it() -> None:
    bench = loops()
    three = loop("For", value=("n", "int"), count=3)
    assert bench.explain(three)["loop"].to_json() == {"state": "run", "reason": "never run", "grows": None}
    bench.run(three)
    assert "grows" not in bench.explain(three)["loop"].to_json(), "it is cached"
    explained = bench.explanation(loop("For", value=("n", "int"), count=4))
    told = explained.nodes["loop"].to_json()
    assert told["reason"] == "input count changed 3 -> 4"
    assert set(told["grows"]) == {f"loop/{i}/{id}" for i in (1, 2, 3) for id in "ab"}
    assert told["grows"]["loop/1/a"]["type"] == "Add"
    assert explained.whole.ms >= sum(each["ms"] for each in told["grows"].values()) > 0
    text = plan_text(explained.to_json(), {"loop": "For"})
    assert "loop/3/b" in text
    assert "grew in the last run" in text
    assert "loop/..." in plan_text(loops().explanation(three).to_json(), {})


@node("Wide", category="lab")
def wide(text: str) -> str:
    return chr(ord(text[0]) + 1) * 100_000


@node("Done", category="lab")
def done(text: str) -> bool:
    return text[0] < "y"


WIDE = {
    "inputs": [port("value", "a", "text")],
    "outputs": [{"name": "value", "node": "a", "output": "str"}, {"name": "again", "node": "b", "output": "bool"}],
    "nodes": {"a": entry("Wide"), "b": entry("Done", text=("a", "str"))},
}


@pytest.mark.parametrize("type", ["While", "For"])
@pytest.mark.parametrize("budget", [1 << 30, 0])
def test_a_loop_holds_the_values_of_a_round_or_two_however_long_it_is(
    monkeypatch: pytest.MonkeyPatch, type: str, budget: int
) -> None:
    lives: list[Live] = []

    class Watched(Live):
        def __init__(self, records: Any) -> None:
            super().__init__(records)
            lives.append(self)

    monkeypatch.setattr("graph.standing.Live", Watched)
    bench = Lab(*collect(control), spec_of(wide), spec_of(done), budget=budget)
    nodes = loop(type, WIDE, value="a", **({"count": 24} if type == "For" else {}))
    nodes["nodes"]["end"] = entry("Length", text=("loop", "value"))
    del nodes["nodes"]["out"]
    assert bench.run(nodes, ["end"]).outputs["end"] == {"int": 100_000}
    assert len([event for event in bench.events if isinstance(event, Started) and event.node.endswith("/a")]) == 24
    assert 200_000 <= lives[0].most <= 400_000
