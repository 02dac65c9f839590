"""The signature is the schema."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType

import pytest

from graph import NO_CONTEXT, Choice, Context, InputFile, ModelFile, OutputFile, Seed, Slider, Text, Toggle, node
from graph.node import REQUIRED, NodeSpec, Port, collect, spec_of
from graph.registry import DuplicateNode, Registry
from graph.widgets import Colour, Curve, ForeignWidget, OutputName, Widget, widget_from_json
from tests.graph import lab as lab_module
from tests.graph.lab import LAB, Folder

Image = NewType("Image", object)
Mask = NewType("Mask", object)


class Picture(NamedTuple):
    image: Image
    mask: Mask


@node("LoadPicture", category="image/io", title="Load picture", version="3", resource="io")
def load_picture(
    file: Annotated[Path, InputFile("image")],
    weights: Annotated[Path, ModelFile("vae")] | None = None,
    mode: Literal["fast", "good"] = "good",
    scale: float = 2,
    seed: Annotated[int, Seed()] = 0,
    under: Image | None = None,
    ctx: Context = NO_CONTEXT,
) -> Picture:
    """Read a picture.

    Its mask is its transparency."""
    return Picture(Image(file), Mask((weights, mode, scale, seed, under, ctx)))


@node("SavePicture", category="image/io", sink=True)
def save_picture(image: Image) -> list[OutputFile]:
    return []


@node("Crop", category="image")
def crop(image: Image, box: list[int] | None = None) -> Image:
    return image


def test_a_definition_is_read_from_the_signature() -> None:
    found = spec_of(load_picture)
    assert replace(found, fn=None) == NodeSpec(
        id="LoadPicture",
        title="Load picture",
        category="image/io",
        doc="Read a picture.\n\nIts mask is its transparency.",
        version="3",
        sink=False,
        resource="io",
        inputs=(
            Port("file", "Path", InputFile("image")),
            Port("weights", "Path", ModelFile("vae"), optional=True),
            Port("mode", "str", Choice(["fast", "good"]), "good"),
            Port("scale", "float", Slider(-1e9, 1e9, 0.01), 2.0),
            Port("seed", "int", Seed(), 0),
            Port("under", "Image", optional=True),
        ),
        outputs=(Port("image", "Image"), Port("mask", "Mask")),
        source=__name__,
        context="ctx",
    )


def test_the_output_is_named_after_its_type() -> None:
    assert spec_of(crop).outputs == (Port("image", "Image"),)
    assert spec_of(save_picture).outputs == (Port("files", "list[OutputFile]"),)
    assert spec_of(crop).inputs[1].type == "list[int]"


def test_a_node_stays_a_function() -> None:
    assert crop(Image("x")) == "x"
    assert load_picture(Path("a")).image == Path("a")


def test_a_module_is_scanned_in_order_and_for_its_own_nodes_only() -> None:
    found = [spec.id for spec in collect(sys.modules[__name__])]
    assert found == ["LoadPicture", "SavePicture", "Crop"]
    assert [spec.id for spec in collect(lab_module)] == [spec.id for spec in LAB]


def test_definitions_survive_json() -> None:
    for spec in (*collect(sys.modules[__name__]), *LAB):
        assert NodeSpec.from_json(spec.to_json()) == replace(spec, fn=None, context=None)


def test_a_definition_from_json_says_why_it_cannot_run() -> None:
    with pytest.raises(TypeError, match="Crop is known here by its definition only"):
        NodeSpec.from_json(spec_of(crop).to_json()).start({}, NO_CONTEXT)


def test_required_and_optional_are_told_apart() -> None:
    ports = {port["name"]: port for port in spec_of(load_picture).to_json()["inputs"]}
    assert [(ports[name]["required"], ports[name]["optional"]) for name in ("file", "weights", "mode")] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    assert "default" not in ports["file"]
    assert Port("x", "int").default is REQUIRED


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ({}, "parameter 'value' has no type annotation"),
        ({"value": int | str}, "a port has one type"),
        ({"value": Annotated[int, Slider(5, 9)]}, "default must be a number from 5 to 9, got 3"),
        ({"value": Annotated[str, Choice(["a"])]}, "default must be one of a, got 3"),
    ],
)
def test_what_cannot_be_an_input_is_named(hints: dict[str, Any], message: str) -> None:
    def bad(value=3):  # type: ignore[no-untyped-def]
        return value

    bad.__annotations__ = hints
    with pytest.raises(TypeError, match=message):
        spec_of(node("Bad", category="x")(bad))


def test_inputs_have_names() -> None:
    def many(*values: int) -> int:
        return 0

    with pytest.raises(TypeError, match="'values' must be an ordinary named parameter"):
        spec_of(node("Many", category="x")(many))


def test_two_nodes_of_one_id_name_both_sources() -> None:
    with pytest.raises(DuplicateNode, match=r"'Number' is defined by both tests\.graph\.lab and elsewhere"):
        Registry([*LAB, replace(LAB[0], source="elsewhere")])


def test_a_registry_survives_json() -> None:
    known = Registry(LAB)
    copy = Registry.from_json(known.to_json())
    assert list(copy) == list(known)
    assert copy.to_json() == known.to_json()


@pytest.mark.parametrize(
    "widget",
    [
        Slider(0, 1, 0.1),
        Text(multiline=True),
        Toggle(),
        Seed(),
        Choice(["a", "b"]),
        ModelFile("vae"),
        InputFile("video"),
        OutputName(),
        Curve(0, 100),
        Colour(),
        ForeignWidget({"kind": "Curve", "points": 3}),
    ],
)
def test_widgets_survive_json(widget: Widget) -> None:
    assert widget_from_json(widget.to_json()) == widget


def test_file_widgets_offer_what_is_there(tmp_path: Path) -> None:
    for name in ("a.png", "b.webm", "c.txt"):
        (tmp_path / name).touch()
    files = Folder(tmp_path)
    assert ModelFile("vae").to_json(files)["options"] == ["a.png", "b.webm", "c.txt"]
    assert InputFile("image").to_json(files)["options"] == ["a.png"]
    assert InputFile("video").to_json(files)["options"] == ["b.webm"]


def test_a_file_widget_hands_over_the_path(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert InputFile("image").resolve("a.png", Folder(tmp_path)) == tmp_path / "a.png"


def test_saving_needs_a_run() -> None:
    with pytest.raises(RuntimeError, match="a node called directly has no output folder"):
        NO_CONTEXT.save(b"", prefix="x", media_type="image/png", width=1, height=1, temporary=False)
    NO_CONTEXT.progress(1, 2)
    NO_CONTEXT.preview("image/png", b"")
