"""What runs and what does not, asserted by the log."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakSet

import pytest

from graph import Cancelled, Context, OutputFile
from graph.events import Cached, Event, Failed, Finished, Preview, Progress, Queued, Skipped, Started
from graph.executor import run
from graph.node import Port
from graph.values import PlainTraits
from tests.graph.lab import Folder, Lab, document, entry, spec


def diamond(left: int = 1, right: int = 2) -> dict[str, Any]:
    return document(
        a=entry("Number", value=10),
        l=entry("Add", a=("a", "int"), b=left),
        r=entry("Add", a=("a", "int"), b=right),
        sum=entry("Add", a=("l", "int"), b=("r", "int")),
        out=entry("Show", value=("sum", "int")),
    )


def test_everything_runs_once_then_nothing() -> None:
    lab = Lab()
    outcome = lab.run(diamond())
    assert outcome.state == "done"
    assert outcome.outputs == {"out": {"int": 23}}
    assert lab.of(Finished) == ["a", "l", "r", "sum", "out"]
    assert lab.ran(diamond()) == []
    assert lab.of(Cached) == ["a", "l", "r", "sum", "out"]


def test_each_node_is_announced_once_before_anything_runs() -> None:
    lab = Lab()
    lab.run(diamond())
    assert [type(event) for event in lab.events[:6]] == [Queued] * 5 + [Started]


def test_only_what_changed_runs() -> None:
    lab = Lab()
    lab.run(diamond())
    assert lab.ran(diamond(left=5)) == ["l", "sum", "out"]
    assert lab.of(Cached) == ["a", "r"]


def test_undoing_a_change_runs_nothing() -> None:
    lab = Lab()
    lab.run(diamond())
    lab.run(diamond(left=5))
    assert lab.ran(diamond()) == []
    assert lab.ran(diamond(left=5)) == []


def test_ids_titles_order_and_written_defaults_run_nothing() -> None:
    lab = Lab()
    lab.run(document(n=entry("Number"), s=entry("Add", a=("n", "int")), out=entry("Show", value=("s", "int"))))
    same = document(
        result=entry("Show", value=("second", "int")) | {"title": "The result"},
        second=entry("Add", b=0, a=("first", "int")),
        first=entry("Number", value=0),
    )
    assert lab.ran(same | {"view": {"zoom": 2}}) == []


def test_an_equal_value_stops_a_change() -> None:
    def parities(value: int) -> dict[str, Any]:
        return document(
            n=entry("Number", value=value),
            p=entry("Parity", value=("n", "int")),
            s=entry("Add", a=("p", "int")),
            out=entry("Show", value=("s", "int")),
        )

    lab = Lab()
    lab.run(parities(1))
    assert lab.ran(parities(3)) == ["n", "p"]
    assert lab.reasons(Cached) == dict.fromkeys(("s", "out"), "same input values as an earlier run")
    assert lab.ran(parities(3)) == []


def test_a_change_in_one_output_leaves_readers_of_the_other() -> None:
    def halves(value: int) -> dict[str, Any]:
        return document(
            n=entry("Number", value=value),
            s=entry("Split", value=("n", "int")),
            half=entry("Show", value=("s", "half")),
            rest=entry("Show", value=("s", "rest")),
        )

    lab = Lab()
    lab.run(halves(5))
    assert lab.ran(halves(7)) == ["n", "s", "half"]


def test_identical_nodes_run_once() -> None:
    twins = document(
        a=entry("Number", value=4),
        b=entry("Number", value=4),
        x=entry("Show", value=("a", "int")),
        y=entry("Show", value=("b", "int")),
    )
    lab = Lab()
    outcome = lab.run(twins)
    assert lab.of(Finished) == ["a", "x"]
    assert lab.reasons(Cached) == {"b": "same as a Number in this run", "y": "same as x Show in this run"}
    assert outcome.outputs["x"] == outcome.outputs["y"] == {"int": 4}


def test_nodes_that_turn_out_identical_run_once_though_side_by_side() -> None:
    """Both readers get the value 1 from different parents while neither has run."""
    both = threading.Event()

    def slow(value: int) -> int:
        assert both.wait(10)
        return value

    lab = Lab(spec("Slow", slow), limits={"cpu": 2})
    nodes = document(
        a=entry("Number", value=1),
        b=entry("Parity", value=3),
        x=entry("Slow", value=("a", "int")),
        y=entry("Slow", value=("b", "int")),
        out=entry("Add", a=("x", "int"), b=("y", "int")),
        end=entry("Show", value=("out", "int")),
    )
    finished: list[str] = []

    def emit(event: Event) -> None:
        if isinstance(event, Finished):
            finished.append(event.node)
            if {"a", "b"} <= set(finished):
                both.set()

    outcome = run(lab.graph(nodes), None, lab.cache, emit, files=lab.files, limits=lab.limits)
    assert outcome.outputs["end"] == {"int": 2}
    assert len(finished) == 5
    assert len({"x", "y"} & set(finished)) == 1


def test_a_failing_branch_leaves_the_others() -> None:
    nodes = document(
        bad=entry("Fail", value=3),
        after=entry("Add", a=("bad", "int")),
        lost=entry("Show", value=("after", "int")),
        good=entry("Number", value=1),
        kept=entry("Show", value=("good", "int")),
    )
    lab = Lab()
    outcome = lab.run(nodes)
    assert outcome.state == "failed"
    assert outcome.outputs == {"kept": {"int": 1}}
    assert lab.of(Finished) == ["good", "kept"]
    assert lab.reasons(Skipped) == {"after": "bad Fail failed", "lost": "bad Fail failed"}
    error = outcome.error
    assert error is not None
    assert (error.type, error.message, error.node) == ("ValueError", "cannot take 3", "bad")
    assert "cannot take" in error.traceback
    assert "executor.py" not in error.traceback


def test_what_only_a_failed_branch_needed_does_not_run() -> None:
    nodes = document(
        bad=entry("Fail"),
        other=entry("Number", value=1),
        sum=entry("Add", a=("bad", "int"), b=("other", "int")),
        out=entry("Show", value=("sum", "int")),
    )
    lab = Lab()
    assert lab.ran(nodes) == ["bad"]
    assert lab.reasons(Skipped)["other"] == "nothing needs it any more"


def test_a_failed_node_is_tried_again() -> None:
    attempts: list[int] = []

    def flaky() -> int:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("not now")
        return 7

    lab = Lab(spec("Flaky", flaky))
    nodes = document(f=entry("Flaky"), out=entry("Show", value=("f", "int")))
    assert lab.run(nodes).state == "failed"
    assert lab.run(nodes).outputs == {"out": {"int": 7}}


def test_twins_of_a_failed_node_do_not_run() -> None:
    nodes = document(
        a=entry("Fail", value=1),
        b=entry("Fail", value=1),
        x=entry("Show", value=("a", "int")),
        y=entry("Show", value=("b", "int")),
    )
    lab = Lab()
    assert lab.ran(nodes) == ["a"]
    assert set(lab.reasons(Skipped).values()) == {"a Fail failed"}


@pytest.mark.parametrize("raised", [SystemExit(3), MemoryError("too big"), RecursionError("too deep")])
def test_whatever_a_node_raises_is_its_failure(raised: BaseException) -> None:
    def hostile() -> int:
        raise raised

    lab = Lab(spec("Hostile", hostile))
    outcome = lab.run(document(h=entry("Hostile"), out=entry("Show", value=("h", "int"))))
    assert outcome.error is not None
    assert outcome.error.type == type(raised).__name__


def test_a_node_must_return_what_it_declares() -> None:
    def short(value: int) -> tuple[int, int]:
        return (value,)  # pyright: ignore[reportReturnType]

    two = replace(spec("Short", short), outputs=(Port("p", "int"), Port("q", "int")))
    outcome = Lab(two).run(document(s=entry("Short", value=1), out=entry("Show", value=("s", "q"))))
    assert outcome.error is not None
    assert outcome.error.message == "node Short must return 2 values (p, q), got 1"


def test_cancelling_stops_the_running_node_and_skips_the_rest() -> None:
    stop = threading.Event()

    def steps(ctx: Context) -> int:
        ctx.progress(1, 3)
        stop.set()
        ctx.progress(2, 3)
        return 1

    steps.__annotations__ = {"ctx": Context, "return": int}
    lab = Lab(spec("Steps", steps))
    nodes = document(
        s=entry("Steps"),
        out=entry("Show", value=("s", "int")),
        other=entry("Number", value=2),
        end=entry("Show", value=("other", "int")),
    )
    outcome = lab.run(nodes, cancelled=stop.is_set)
    assert outcome.state == "cancelled"
    assert outcome.outputs == {}
    assert lab.of(Finished) == []
    assert lab.reasons(Skipped) == dict.fromkeys(("s", "out", "other", "end"), "cancelled")
    assert [event.step for event in lab.events if isinstance(event, Progress)] == [1]


def test_a_run_cancelled_before_it_begins_runs_nothing() -> None:
    lab = Lab()
    assert lab.run(diamond(), cancelled=lambda: True).state == "cancelled"
    assert lab.of(Finished) == []


def test_what_is_cached_needs_no_cancelling() -> None:
    lab = Lab()
    lab.run(diamond())
    assert lab.run(diamond(), cancelled=lambda: True).state == "done"


class Blob:
    """A value that can be counted; it has no fingerprint, as a model."""

    living: ClassVar[WeakSet[Blob]] = WeakSet()

    def __init__(self) -> None:
        self.living.add(self)


def live() -> int:
    gc.collect()
    return len(Blob.living)


class BlobTraits(PlainTraits):
    def size(self, value: object) -> int:
        return 1 << 40 if isinstance(value, Blob) else super().size(value)


def blobs(count: int) -> tuple[Lab, dict[str, Any], list[int]]:
    alive: list[int] = []

    def make() -> Any:
        return Blob()

    def step(value: Any, number: int = 0) -> Any:
        alive.append(len(Blob.living))
        return Blob()

    def count_blob(value: Any) -> int:
        return 1

    lab = Lab(spec("Make", make), spec("Step", step), spec("Count", count_blob), traits=BlobTraits())
    nodes: dict[str, Any] = {"0": entry("Make")}
    for i in range(1, count):
        nodes[str(i)] = entry("Step", value=(str(i - 1), "any"), number=i)
    nodes["count"] = entry("Count", value=(str(count - 1), "any"))
    nodes["out"] = entry("Show", value=("count", "int"))
    return lab, document(**nodes), alive


def test_intermediates_are_released_when_their_last_reader_is_done() -> None:
    lab, nodes, alive = blobs(6)
    lab.run(nodes)
    assert alive == [1] * 5
    assert live() == 0


def test_a_value_read_twice_stays_until_both_are_done() -> None:
    lab, nodes, alive = blobs(3)
    nodes["nodes"]["again"] = entry("Step", value=("0", "any"), number=9)
    nodes["nodes"]["second"] = entry("Show", value=("again", "any"))
    lab.run(nodes)
    assert len(alive) == 3
    assert max(alive) == 2
    assert live() == 0


def test_evicted_intermediates_are_not_made_again_for_a_cached_sink() -> None:
    lab, nodes, _ = blobs(6)
    lab.run(nodes)
    assert lab.ran(nodes) == []


def test_what_was_evicted_is_made_again_when_a_reader_runs() -> None:
    lab, nodes, _ = blobs(3)
    lab.run(nodes)
    nodes["nodes"]["2"]["inputs"]["number"] = 77
    assert lab.ran(nodes) == ["0", "1", "2", "count"]
    reasons = lab.reasons(Started)
    assert reasons["0"] == reasons["1"] == "evicted"
    assert reasons["2"] == "input number changed 2 -> 77"


def test_values_without_a_fingerprint_are_known_by_how_they_were_made() -> None:
    lab, nodes, _ = blobs(2)
    lab.run(nodes)
    nodes["nodes"]["1"]["inputs"]["number"] = 5
    assert lab.ran(nodes)[-1] == "count"


def test_independent_branches_run_side_by_side_where_their_class_allows() -> None:
    """Each of two nodes waits for the other."""
    meeting = threading.Barrier(2, timeout=10)

    def meet(number: int) -> int:
        meeting.wait()
        return number

    lab = Lab(spec("Meet", meet), limits={"cpu": 2})
    nodes = document(
        a=entry("Meet", number=1),
        b=entry("Meet", number=2),
        s=entry("Add", a=("a", "int"), b=("b", "int")),
        out=entry("Show", value=("s", "int")),
    )
    assert lab.run(nodes).outputs == {"out": {"int": 3}}


def test_classes_do_not_wait_for_each_other() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def meet(number: int) -> int:
        meeting.wait()
        return number

    lab = Lab(spec("G", meet, resource="gpu"), spec("C", meet, sink=True), spec("I", meet, sink=True, resource="io"))
    nodes = document(
        g=entry("G", number=1),
        c=entry("C", number=2),
        i=entry("I", number=3),
        s=entry("Show", value=("g", "int")),
    )
    assert lab.run(nodes).state == "done"


def test_a_class_is_never_over_its_limit() -> None:
    inside: list[int] = []
    most: list[int] = []
    gate = threading.Lock()

    def work(number: int) -> int:
        with gate:
            inside.append(number)
            most.append(len(inside))
        threading.Event().wait(0.002)
        with gate:
            inside.remove(number)
        return number

    lab = Lab(spec("Work", work, sink=True, resource="gpu"), limits={"gpu": 2, "cpu": 8, "io": 8})
    assert lab.run(document(**{str(i): entry("Work", number=i) for i in range(12)})).state == "done"
    assert len(most) == 12
    assert max(most) <= 2


def test_asynchronous_nodes_are_awaited() -> None:
    async def later(value: int) -> int:
        return value + 1

    assert Lab(spec("Later", later, sink=True)).run(document(l=entry("Later", value=1))).outputs == {"l": {"int": 2}}


def test_only_what_the_targets_need_runs() -> None:
    lab = Lab()
    outcome = lab.run(diamond(), targets=["l"])
    assert outcome.outputs == {"l": {"int": 11}}
    assert lab.of(Finished) == ["a", "l"]
    assert lab.ran(diamond()) == ["r", "sum", "out"]


def test_progress_previews_and_the_document_reach_a_node() -> None:
    def paint(ctx: Context) -> str:
        ctx.progress(1, 2)
        ctx.preview("image/png", b"...")
        return f"{ctx.device} {ctx.document['name']}"

    paint.__annotations__ = {"ctx": Context, "return": str}
    lab = Lab(spec("Paint", paint, sink=True), context=Context(device="cuda:0", document={"name": "mine"}))
    assert lab.run(document(p=entry("Paint"))).outputs == {"p": {"str": "cuda:0 mine"}}
    assert Progress("p", 1, 2) in lab.events
    assert Preview("p", "image/png", b"...") in lab.events


class Desk:
    """Saves files, and knows which still stand."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    def save(
        self, data: bytes, *, prefix: str, media_type: str, width: int, height: int, temporary: bool
    ) -> OutputFile:
        self.count += 1
        name = f"{prefix}-{self.count}"
        (self.folder / name).write_bytes(data)
        return OutputFile(name, media_type, width, height)


class DeskTraits(PlainTraits):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def valid(self, value: object) -> bool:
        return not isinstance(value, list) or all((self.folder / file.name).exists() for file in value)


def test_files_of_sinks_are_told_when_made_and_when_cached(tmp_path: Path) -> None:
    lab = Lab(context=Context(save=Desk(tmp_path).save), traits=DeskTraits(tmp_path))
    nodes = document(n=entry("Number", value=5), s=entry("Save", value=("n", "int")))
    lab.run(nodes)
    file = OutputFile("lab-1", "text/plain", 1, 2)
    assert [event.outputs for event in lab.events if isinstance(event, Finished)] == [(), (file,)]
    assert lab.ran(nodes) == []
    assert lab.events[-1] == Cached("s", "same inputs as an earlier run", (file,))


def test_a_sink_whose_file_is_gone_runs_again(tmp_path: Path) -> None:
    lab = Lab(context=Context(save=Desk(tmp_path).save), traits=DeskTraits(tmp_path))
    nodes = document(n=entry("Number", value=5), s=entry("Save", value=("n", "int")))
    lab.run(nodes)
    (tmp_path / "lab-1").unlink()
    assert lab.explain(nodes)["s"].reason == "its output file is gone"
    assert lab.ran(nodes) == ["s"]
    assert lab.reasons(Started) == {"s": "its output file is gone"}
    assert (tmp_path / "lab-2").exists()
    assert lab.ran(nodes) == []


def test_a_file_is_read_again_when_its_content_changed(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_text("one")
    lab = Lab(files=Folder(tmp_path))
    nodes = document(
        f=entry("Load", file="m.safetensors"),
        n=entry("Length", text=("f", "str")),
        out=entry("Show", value=("n", "int")),
    )
    assert lab.run(nodes).outputs == {"out": {"int": 3}}
    (tmp_path / "m.safetensors").write_text("two")
    assert lab.ran(nodes) == ["f", "n"]
    assert lab.reasons(Started)["f"] == "file changed: m.safetensors"
    (tmp_path / "copy.safetensors").write_text("one")
    nodes["nodes"]["f"]["inputs"]["file"] = "copy.safetensors"
    assert lab.ran(nodes) == []


def test_a_failing_listener_ends_the_run_and_is_told() -> None:
    def emit(event: object) -> None:
        if isinstance(event, Finished):
            raise OSError("pipe closed")

    lab = Lab(limits={"cpu": 3})
    with pytest.raises(OSError, match="pipe closed"):
        run(lab.graph(diamond()), None, lab.cache, emit, files=lab.files, limits=lab.limits)


def test_a_node_may_not_cancel_others_by_name_only() -> None:
    """A node that raises Cancelled stops the run as a person would."""

    def give_up() -> int:
        raise Cancelled

    lab = Lab(spec("GiveUp", give_up))
    assert lab.run(document(g=entry("GiveUp"), out=entry("Show", value=("g", "int")))).state == "cancelled"
    assert lab.of(Failed) == []


def test_a_long_chain_needs_no_stack() -> None:
    nodes = {"0": entry("Number", value=1)}
    nodes |= {str(i): entry("Add", a=(str(i - 1), "int"), b=1) for i in range(1, 5000)}
    nodes["out"] = entry("Show", value=("4999", "int"))
    lab = Lab()
    assert lab.run(document(**nodes)).outputs == {"out": {"int": 5000}}
    assert lab.ran(document(**nodes)) == []


def test_a_node_never_waits_for_its_own_reader() -> None:
    """Evicted, `first` and `second` are the same computation, one above the other."""
    lab = Lab(budget=0)
    nodes = document(
        zero=entry("Number", value=0),
        first=entry("Parity", value=("zero", "int")),
        second=entry("Parity", value=("first", "int")),
        out=entry("Show", value=("second", "int")),
    )
    for _ in range(2):
        assert lab.run(nodes).outputs == {"out": {"int": 0}}
        assert lab.of(Finished) == ["zero", "first", "out"]


def forgetful(fails_from: int) -> Lab:
    """A lab that keeps no values, with a node that gives 1 until it is called for the nth time."""
    calls: list[int] = []

    def flaky() -> int:
        calls.append(1)
        if len(calls) >= fails_from:
            raise OSError("gone")
        return 1

    return Lab(spec("Flaky", flaky), budget=0)


def test_what_cannot_be_made_again_fails_those_that_need_it_later_too() -> None:
    def nodes(a: int) -> dict[str, Any]:
        return document(
            p=entry("Flaky"),
            r=entry("Add", a=("p", "int"), b=a),
            q=entry("Number", value=a),
            later=entry("Add", a=("p", "int"), b=("q", "int")),
            x=entry("Show", value=("r", "int")),
            y=entry("Show", value=("later", "int")),
        )

    lab = forgetful(fails_from=2)
    assert lab.run(nodes(1)).state == "done"
    assert lab.ran(nodes(5)) == ["p", "q"]
    assert lab.reasons(Skipped) == dict.fromkeys(("r", "x", "later", "y"), "p Flaky failed")


def test_a_follower_takes_the_place_of_a_leader_that_cannot_run() -> None:
    """Both parities read the value 1; only one of its makers can make it again."""
    nodes = document(
        p=entry("Flaky"),
        one=entry("Parity", value=("p", "int")),
        n=entry("Number", value=1),
        two=entry("Parity", value=("n", "int")),
        x=entry("Add", a=("one", "int"), b=10),
        y=entry("Add", a=("two", "int"), b=20),
        end=entry("Show", value=("x", "int")),
        other=entry("Show", value=("y", "int")),
    )
    lab = forgetful(fails_from=2)
    lab.run(nodes)
    outcome = lab.run(nodes)
    assert outcome.state == "failed"
    assert outcome.outputs == {"other": {"int": 21}}
    assert lab.of(Finished) == ["n", "two", "y", "other"]


def test_targets_must_be_of_the_graph() -> None:
    lab = Lab()
    with pytest.raises(ValueError, match="targets must be nodes of the graph"):
        run(lab.graph(diamond()), ["elsewhere"], lab.cache, lab.events.append, files=lab.files)
