"""Validation: every kind of problem, all of them at once, each saying where and what was meant."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pytest

from graph import AtMost, Choice, Colour, Curve, InputFile, Lazy, OutputName, Seed, Slider, Text, Toggle, node
from graph.files import NoFiles
from graph.graph import Builder, Graph, build
from graph.node import REQUIRED, NodeSpec, Port, spec_of
from graph.problems import InvalidGraph, Problem
from graph.registry import Registry
from graph.workflow import Limits, Workflow, load
from nodes.control import Chosen
from tests.graph.lab import LAB, Folder, Lab, document, entry, spec

SINK = entry("Show", value=1)
T = TypeVar("T")


def problems(nodes: dict[str, Any], targets: list[str] | None = None, lab: Lab | None = None) -> list[Problem]:
    with pytest.raises(InvalidGraph) as error:
        (lab or Lab()).graph(nodes, targets)
    return list(error.value.problems)


def problem(nodes: dict[str, Any], targets: list[str] | None = None, lab: Lab | None = None) -> Problem:
    (only,) = problems(nodes, targets, lab)
    return only


def test_an_unknown_node() -> None:
    found = problem(document(a=entry("Nubmer"), s=SINK))
    assert (found.code, found.node, found.port) == ("unknown_node", "a", None)
    assert found.message == 'node a: there is no node type "Nubmer"'
    assert found.hint == "did you mean 'Number'?"


def test_an_unknown_input() -> None:
    found = problem(document(a=entry("Number", valeu=3), s=SINK))
    assert (found.code, found.node, found.port) == ("unknown_input", "a", "valeu")
    assert found.hint == "did you mean 'value'?"


def test_a_missing_input() -> None:
    found = problem(document(s=entry("Show")))
    assert (found.code, found.node, found.port, found.expected) == (
        "missing_input",
        "s",
        "value",
        "a value of type int",
    )


def test_an_unfinished_node_that_nothing_reads_is_no_obstacle() -> None:
    nodes = document(a=entry("Add", b=2), more=entry("Add", a=("a", "int")), s=SINK)
    assert list(Lab().graph(nodes).nodes) == ["s"]
    assert problem(nodes, ["more"]).code == "missing_input"
    assert problem(document(**nodes["nodes"], bad=entry("Number", value="x"))).code == "wrong_type"


def test_a_missing_link() -> None:
    found = problem(document(number=entry("Number"), s=entry("Show", value=("numbr", "int"))))
    assert (found.code, found.node, found.port) == ("missing_link", "s", "value")
    assert found.hint == "did you mean 'number'?"


def test_an_unknown_output() -> None:
    found = problem(document(n=entry("Split", value=1), s=entry("Show", value=("n", "hafl"))))
    assert (found.code, found.expected, found.got) == ("unknown_output", "one of half, rest", '"hafl"')
    assert found.hint == "did you mean 'half'?"


def test_a_link_of_another_type() -> None:
    def both() -> str:
        return ""

    two = spec("Both", both)
    two = type(two)(**{**vars(two), "outputs": (Port("a", "str"), Port("b", "int"))})
    found = problem(document(n=entry("Both"), s=entry("Show", value=("n", "a"))), lab=Lab(two))
    assert (found.code, found.expected, found.got) == ("wrong_type", "int", "str")
    assert found.message == "node s Show: input value expects int, got str from n Both"
    assert found.hint == "its output 'b' is of type int"


def test_links_that_fit() -> None:
    def half(value: float) -> float:
        return value / 2

    lab = Lab(spec("Half", half))
    nodes = document(
        n=entry("Number"),
        h=entry("Half", value=("n", "int")),
        e=entry("Echo", value=("h", "float")),
        s=entry("Show", value=("e", "any")),
    )
    assert list(lab.graph(nodes).nodes) == ["n", "h", "e", "s"]


WIDGETS: dict[str, Any] = {
    "count": Annotated[int, Slider(1, 10)],
    "ratio": Annotated[float, Slider(0, 1, 0.1)],
    "text": Annotated[str, Text(multiline=True)],
    "on": Annotated[bool, Toggle()],
    "seed": Annotated[int, Seed()],
    "mode": Annotated[str, Choice(["euler", "ddim"])],
    "way": Literal["up", "down"],
    "prefix": Annotated[str, OutputName()],
    "curve": Annotated[str, Curve(0, 9)],
    "colour": Annotated[str, Colour()],
}


def widgets() -> Lab:
    def fn(
        count: int = 1,
        ratio: float = 0.5,
        text: str = "",
        on: bool = False,
        seed: int = 0,
        mode: str = "euler",
        way: str = "up",
        prefix: str = "weft",
        curve: str = "0: 1",
        colour: str = "#000000",
    ) -> int:
        return 1

    fn.__annotations__ = {**WIDGETS, "return": int}
    return Lab(spec("W", fn, sink=True), files=Folder(Path()))


@pytest.mark.parametrize("value", [0, 7, 2**53 + 1, 2**64 - 1])
def test_the_digits_of_a_seed_are_the_seed(value: int) -> None:
    """As a program writes it that has no number so large; the key is the number's."""
    lab = widgets()
    as_number, as_text = (lab.graph(document(w=entry("W", seed=each))).nodes["w"] for each in (value, str(value)))
    assert as_text.constants["seed"] == value
    assert as_text.head == as_number.head


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", "1e3", "\u0661", str(2**64), "1" * 5000])
def test_a_text_that_is_no_seed_is_refused(text: str) -> None:
    with pytest.raises(InvalidGraph) as error:
        widgets().graph(document(w=entry("W", seed=text)))
    assert [problem.port for problem in error.value.problems] == ["seed"]


@pytest.mark.parametrize(
    ("name", "value", "code", "expected"),
    [
        ("count", 0, "bad_value", "a number from 1 to 10"),
        ("count", 11, "bad_value", "a number from 1 to 10"),
        ("count", 2.0, "wrong_type", "a whole number of 64 bits"),
        ("count", True, "wrong_type", "a whole number of 64 bits"),
        ("count", "2", "wrong_type", "a whole number of 64 bits"),
        ("count", None, "wrong_type", "a whole number of 64 bits"),
        ("count", 2**64, "wrong_type", "a whole number of 64 bits"),
        ("count", [1], "wrong_type", "a whole number of 64 bits"),
        ("ratio", 1.5, "bad_value", "a number from 0 to 1"),
        ("ratio", True, "wrong_type", "a number"),
        ("ratio", math.nan, "wrong_type", "a number"),
        ("ratio", math.inf, "wrong_type", "a number"),
        ("ratio", 10**400, "wrong_type", "a number"),
        ("text", 3, "wrong_type", "a text"),
        ("text", {"node": "x"}, "wrong_type", "a text"),
        ("text", {"node": "x", "output": "y", "more": 1}, "wrong_type", "a text"),
        ("text", {"node": 1, "output": "y"}, "wrong_type", "a text"),
        ("on", 1, "wrong_type", "true or false"),
        ("seed", -1, "bad_value", "a whole number from 0 to 2**64 - 1"),
        ("mode", "euler_a", "bad_value", "one of euler, ddim"),
        ("way", "left", "bad_value", "one of up, down"),
        ("prefix", "../up", "bad_value", "the beginning of a file name (no dots)"),
        ("curve", "0 7", "bad_value", 'pairs as "0: 7, 0.5: 5, 1: 1"'),
        ("curve", "", "bad_value", "shares of 0 to 1 and values from 0 to 9"),
        ("curve", "2: 7", "bad_value", "shares of 0 to 1 and values from 0 to 9"),
        ("curve", "0: 10", "bad_value", "shares of 0 to 1 and values from 0 to 9"),
        ("colour", "red", "bad_value", 'a colour as "#rrggbb"'),
        ("colour", "#12345678", "bad_value", 'a colour as "#rrggbb"'),
    ],
)
def test_a_constant_must_suit_its_port(name: str, value: Any, code: str, expected: str) -> None:
    found = problem(document(w=entry("W") | {"inputs": {name: value}}), lab=widgets())
    assert (found.code, found.node, found.port, found.expected) == (code, "w", name, expected)
    assert found.got


def test_the_nearest_choice_is_hinted() -> None:
    assert problem(document(w=entry("W", mode="Euler_")), lab=widgets()).hint == "did you mean 'euler'?"


def test_only_a_link_can_bring_what_no_constant_can() -> None:
    def look(image: Any) -> int:
        return 1

    look_spec = spec("Look", look, sink=True)
    picture = type(look_spec)(**{**vars(look_spec), "inputs": (Port("image", "Image", None, REQUIRED),)})
    found = problem(document(w=entry("Look", image=3)), lab=Lab(picture))
    assert (found.code, found.expected) == ("wrong_type", "a link to an output of type Image")


@pytest.mark.parametrize("name", ["gone.safetensors", "../secret", "/etc/passwd", "", 5])
def test_a_file_must_be_there(name: Any, tmp_path: Path) -> None:
    (tmp_path / "here.safetensors").write_text("x")
    lab = Lab(files=Folder(tmp_path))
    assert problem(document(f=entry("Load", file=name), s=SINK), lab=lab).code == "bad_value"


def test_the_nearest_file_is_hinted(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_text("x")
    (tmp_path / "cat.txt").write_text("x")

    def load_image(image: Path) -> int:
        return 1

    load_image.__annotations__ = {"image": Annotated[Path, InputFile("image")], "return": int}
    lab = Lab(spec("LoadImage", load_image, sink=True), files=Folder(tmp_path))
    assert problem(document(i=entry("LoadImage", image="cat.ping")), lab=lab).hint == "did you mean 'cat.png'?"


def test_a_text_may_be_too_long() -> None:
    def words(text: str) -> int:
        return 1

    with pytest.raises(InvalidGraph, match="at most 5 characters"):
        build(
            load(document(w=entry("Words", text="abcdef"))),
            Registry([spec("Words", words, sink=True)]),
            Lab().files,
            limits=Limits(text=5),
        )


@pytest.mark.parametrize("length", [1, 2, 3000])
def test_a_cycle_is_named(length: int) -> None:
    nodes = {str(i): entry("Add", a=(str((i + 1) % length), "int")) for i in range(length)}
    found = problem(document(**nodes, s=SINK))
    assert found.code == "cycle"
    assert found.got == f"a cycle of {length} nodes"
    assert "0 Add -> " in found.message
    assert len(found.message) < 300


def test_every_cycle_is_named() -> None:
    nodes = document(
        a=entry("Add", a=("b", "int")),
        b=entry("Add", a=("a", "int")),
        c=entry("Add", a=("c", "int"), b=("a", "int")),
        s=SINK,
    )
    assert [found.code for found in problems(nodes)] == ["cycle", "cycle"]


def test_something_must_be_wanted() -> None:
    assert problem(document(n=entry("Number"))).code == "no_sink"
    assert problem(document()).code == "no_sink"
    assert problem(document(s=SINK), []).code == "no_sink"


def test_targets_must_exist() -> None:
    found = problem(document(sink=SINK), ["sing"])
    assert (found.code, found.got, found.hint) == ("unknown_target", '"sing"', "did you mean 'sink'?")


@pytest.mark.parametrize("bad", [None, 3, [], "Number", {}, {"type": 3}, {"type": "Number", "inputs": []}])
def test_an_entry_must_be_a_node(bad: Any) -> None:
    found = problem(document(a=bad, s=SINK))
    assert (found.code, found.node) == ("bad_document", "a")


def test_every_problem_is_told_at_once() -> None:
    nodes = document(
        a=entry("Nobody"),
        b=entry("Number", value="seven", other=1),
        c=entry("Add", a=("b", "text"), b=("nowhere", "int")),
        d=entry("Add", a=("d", "int"), b=None),
        s=entry("Show"),
    )
    found = [(p.code, p.node, p.port) for p in problems(nodes, ["s", "t"])]
    assert sorted(found, key=str) == sorted(
        [
            ("unknown_node", "a", None),
            ("wrong_type", "b", "value"),
            ("unknown_input", "b", "other"),
            ("unknown_output", "c", "a"),
            ("missing_link", "c", "b"),
            ("cycle", "d", "a"),
            ("wrong_type", "d", "b"),
            ("missing_input", "s", "value"),
            ("unknown_target", None, None),
        ],
        key=str,
    )


def test_a_hopeless_document_is_given_up_and_told_in_short() -> None:
    nodes = document(**{str(i): entry("Nobody") for i in range(1000)}, s=SINK)
    with pytest.raises(InvalidGraph) as error:
        Lab().graph(nodes)
    assert len(error.value.problems) == 200
    assert str(error.value).endswith("; and 195 more")


def test_problems_are_plain_json() -> None:
    assert problem(document(n=entry("Number"))).to_json() == {
        "code": "no_sink",
        "node": None,
        "port": None,
        "message": "nothing to run: expected at least one node that runs for its effect, such as SaveImage",
        "expected": "at least one node that runs for its effect, such as SaveImage",
        "got": "none",
        "hint": None,
    }


def test_nodes_come_after_what_they_read_branch_by_branch() -> None:
    nodes = document(
        s2=entry("Show", value=("b", "int")),
        s1=entry("Show", value=("c", "int")),
        c=entry("Add", a=("b", "int"), b=("a", "int")),
        b=entry("Add", a=("a", "int")),
        a=entry("Number"),
    )
    assert list(Lab().graph(nodes).nodes) == ["a", "b", "s2", "c", "s1"]


class CountingRegistry(Registry):
    def __init__(self) -> None:
        super().__init__(LAB)
        self.asked: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.append(key)
        return super().get(key, default)


def test_an_edit_checks_one_node_again() -> None:
    registry = CountingRegistry()
    builder = Builder(registry, Lab().files)

    def nodes(value: int) -> Workflow:
        chain = {str(i): entry("Add", a=(str(i - 1), "int"), b=i) for i in range(1, 20)}
        return load(document(**{"0": entry("Number", value=value)}, **chain, s=entry("Show", value=("19", "int"))))

    first = builder.build(nodes(1))
    assert len(registry.asked) == 21
    registry.asked.clear()
    assert builder.build(nodes(1)) is first
    assert registry.asked == []
    assert builder.build(nodes(2)).nodes["0"].constants == {"value": 2}
    assert registry.asked == ["Number"]


KINDS = {
    "Number": ("int", ()),
    "Range": ("list[int]", ("count",)),
    "Add": ("int", ("a", "b")),
    "Sum": ("int", ("values",)),
    "Echo": ("any", ("value",)),
    "Any": ("value", ("value",)),
    "Show": ("int", ("value",)),
}


@node("Range", category="lab")
def range_(count: int = 2) -> list[int]:
    return list(range(count))


@node("Sum", category="lab")
def sum_(values: list[int]) -> int:
    return sum(values)


@node("Any", category="lab")
async def any_(value: Lazy[T]) -> Chosen[T]:
    return Chosen(await value)


def built(work: Callable[[Workflow], Graph], workflow: Workflow) -> Any:
    """What nodes are known by, each after those it reads from; or all that is wrong."""
    try:
        nodes = work(workflow).nodes
    except InvalidGraph as error:
        return sorted(map(str, error.problems))
    for place, made in enumerate(nodes.values()):
        assert {link.node for link in made.links.values()} <= set(list(nodes)[:place])
    return {id: (made.head, made.links, made.lazy, made.spec.output_types) for id, made in nodes.items()}


def test_documents_built_after_others_are_as_built_alone() -> None:
    """Nodes that change their kind, what they read or their place, while others read lists and types that follow."""
    chance, sound = random.Random(7), 0
    lab = Lab(*map(spec_of, (range_, sum_, any_)))
    builder = Builder(lab.registry, lab.files)
    nodes: dict[str, Any] = {}
    for _ in range(1500):
        id, kind = str(chance.randrange(8)), chance.choice(sorted(KINDS))
        sources = [other for other in nodes if other < id and nodes[other]["type"] != "Show"]
        links: dict[str, Any] = {}
        for name in KINDS[kind][1] if sources else ():
            source = chance.choice(sources)
            links[name] = (source, KINDS[nodes[source]["type"]][0])
        nodes[id] = entry(kind, **links)
        if chance.random() < 0.1:
            nodes = dict(chance.sample(sorted(nodes.items()), len(nodes)))
        workflow = load(document(**nodes, end=SINK))
        alone = built(lambda workflow: build(workflow, lab.registry, lab.files), workflow)
        assert built(builder.build, workflow) == alone
        if isinstance(alone, list):
            del nodes[id]
        else:
            sound += 1
    assert 500 < sound < 1400


def test_a_remembered_document_with_a_file_is_checked_again(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    lab = Lab(files=Folder(tmp_path))
    builder = Builder(lab.registry, lab.files)
    workflow = load(document(f=entry("Load", file="a"), n=entry("Length", text=("f", "str")), s=SINK))
    builder.build(workflow)
    (tmp_path / "a").unlink()
    with pytest.raises(InvalidGraph, match="input file expects"):
        builder.build(workflow)


def test_a_remembered_document_is_checked_for_its_targets() -> None:
    lab = Lab()
    builder = Builder(lab.registry, lab.files)
    workflow = load(document(s=SINK))
    builder.build(workflow)
    with pytest.raises(InvalidGraph, match="is not a node"):
        builder.build(workflow, ["t"])


def number(value: int = 0) -> int:
    return value


@node("Blank", category="lab", at_most=AtMost(1000, "dots", ("width", "height")))
def blank(width: int = 1, height: int = 1) -> int:
    return width * height


def test_what_is_more_than_a_node_makes_is_refused_before_it_runs() -> None:
    lab = Lab(spec_of(blank))
    for registry in (lab.registry, Registry(NodeSpec.from_json(each.to_json()) for each in lab.registry.values())):
        assert build(load(document(b=entry("Blank", width=10, height=100))), registry, NoFiles(), ["b"])
        with pytest.raises(InvalidGraph) as refused:
            build(load(document(b=entry("Blank", width=11, height=100))), registry, NoFiles(), ["b"])
        (problem,) = refused.value.problems
        assert (problem.code, problem.node, problem.port) == ("too_large", "b", "height")
        assert problem.message == "node b Blank: width x height is 1,100 dots; expected at most 1,000 dots in all"
    for width, state in ((1, "done"), (9, "failed")):
        linked = document(n=entry("Number", value=width), b=entry("Blank", width=("n", "int"), height=1000))
        outcome = lab.run(linked, ["b"])
        assert outcome.state == state, "what a link brings is known only then"
    assert outcome.error is not None
    assert outcome.error.message == "width x height is 9,000 dots; expected at most 1,000 dots in all"


def test_a_bound_names_inputs() -> None:
    odd = node("Odd", category="lab", at_most=AtMost(1, "dots", ("depth",)))(number)
    with pytest.raises(TypeError, match="which are no inputs"):
        spec_of(odd)
