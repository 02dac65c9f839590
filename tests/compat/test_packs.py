"""A pack written for ComfyUI runs as it is: its classes are nodes, its values are its own, its workflows are read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from compat.packs import Studio
from compat.packs.builtin import CALLS
from compat.workflows import convert
from compat.workflows.definitions import definition
from compat.workflows.table import CLASSES
from graph.cache import Cache
from graph.context import Context
from graph.executor import Outcome, run
from graph.graph import build
from graph.node import NodeSpec
from graph.problems import InvalidGraph
from graph.registry import Registry
from graph.tiers.memory import Memory
from graph.widgets import Choice, ModelFile, Seed, Slider, Text
from graph.workflow import load
from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.outputs import OutputWriter
from jobs.packs import NAMESPACE, Pack, load_packs
from nodes import builtin
from nodes.types import Conditioning, Latent
from nodes.values import NodeTraits

ROOT = Path(__file__).parents[2]
PACKS = Path(__file__).parent / "packs"
Json = dict[str, Any]


@dataclass(frozen=True)
class Shop:
    """All nodes with those of the pack, and folders of its own."""

    registry: Registry
    packs: list[Pack]
    files: FileStore
    cache: Cache
    data: Path

    def run(self, nodes: Mapping[str, Any], *targets: str) -> Outcome:
        writer = OutputWriter(self.files.root("output"), self.files.root("temp"))
        workflow = load({"version": 1, "nodes": nodes})
        graph = build(workflow, self.registry, self.files, targets or None)
        context = Context(save=writer.save, document=workflow.document)
        return run(graph, targets or None, self.cache, lambda _: None, files=self.files, context=context)

    def value(self, nodes: Mapping[str, Any], target: str, output: str) -> Any:
        outcome = self.run(nodes, target)
        assert outcome.state == "done", outcome.error
        return outcome.outputs[target][output]

    def failure(self, nodes: Mapping[str, Any], target: str) -> str:
        outcome = self.run(nodes, target)
        assert outcome.error is not None
        return outcome.error.message


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    models = [ROOT / "models" / "demo"]
    data = folder / "data"
    data.mkdir()
    files = FileStore(models, data, Hashes(data / "hashes.db"))
    studio = Studio(builtin(), files, models, folder)
    registry, found = load_packs(builtin(), [PACKS], studio.open)
    yield Shop(registry, found, files, Cache([Memory(1 << 28)], NodeTraits(files)), data)
    studio.close()
    for name in [name for name in sys.modules if name.partition(".")[0] == NAMESPACE]:
        del sys.modules[name]


def link(node: str, output: str) -> Json:
    return {"node": node, "output": output}


def solid() -> Json:
    return {"type": "SolidImage", "inputs": {"width": 16, "height": 8, "colour": "#808080"}}


def brighten(**inputs: Any) -> Json:
    return {"1": solid(), "2": {"type": "Pack Brighten+", "inputs": {"image": link("1", "image"), **inputs}}}


def spec(shop: Shop, id: str) -> NodeSpec:
    return shop.registry[id]


def test_a_pack_is_taken_whole_or_says_what_it_lacks(shop: Shop) -> None:
    some, poor, schemas, single = shop.packs
    assert some.name == "Some-Pack"
    assert some.error is not None
    assert "KSampler is left out: a node of that name comes with nodes.sampling" in some.error
    assert "PackUnreadable is left out: it cannot be read: KeyError" in some.error
    assert len(some.nodes) == 13
    assert (single.name, single.nodes, single.error) == ("single", (), None)
    assert (schemas.nodes, schemas.error) == (("SchemaTurn", "SchemaLook", "SchemaStop"), None)
    assert poor.error is not None
    assert "a_module_that_nobody_has" in poor.error
    assert "-m pip install -r" in poor.error
    assert spec(shop, "KSampler").source == "nodes.sampling"


def test_inputs_become_ports_with_widgets(shop: Shop) -> None:
    read = spec(shop, "Pack Brighten+")
    ports = {port.name: port for port in read.inputs}
    assert (read.title, read.category, read.doc) == ("Brighten", "pack/image", "Make a picture brighter.")
    assert ports["image"].type == "Image"
    assert ports["image"].required
    assert (ports["amount"].widget, ports["amount"].default) == (Slider(0, 1, 0.05), 0.25)
    assert (ports["how"].widget, ports["how"].default) == (Choice(("add", "multiply", "3")), "add")
    assert ports["mask"].optional
    assert ports["repeat"].default == 1
    assert [(port.name, port.type) for port in read.outputs] == [
        ("image", "Image"),
        ("width", "int"),
        ("width 2", "int"),
    ]
    paint = {port.name: port for port in spec(shop, "PackPaint").inputs}
    assert isinstance(paint["seed"].widget, Seed)
    assert isinstance(paint["ckpt_name"].widget, ModelFile)
    assert paint["lora_name"].default == "None"
    assert "None" in paint["lora_name"].widget.to_json(shop.files)["options"]
    assert spec(shop, "PackShout").inputs[0].widget is None
    assert isinstance(spec(shop, "PackSplit").inputs[0].widget, Text)
    assert [port.type for port in spec(shop, "PackSplit").outputs] == ["list[str]"]


def test_the_definition_survives_as_json(shop: Shop) -> None:
    for id in (*shop.packs[0].nodes, *shop.packs[2].nodes):
        read = spec(shop, id)
        assert NodeSpec.from_json(read.to_json()).to_json() == read.to_json()


def test_pictures_have_their_channels_last_there_and_what_is_kept_is_not_written_into(shop: Shop) -> None:
    nodes = brighten(amount=0.25)
    image = shop.value(nodes, "2", "image")
    assert image.shape == (1, 3, 8, 16)
    assert torch.allclose(image, torch.full_like(image, 128 / 255 + 0.25))
    assert shop.value(nodes, "2", "width") == 16
    assert shop.value(nodes, "1", "image").max() == pytest.approx(128 / 255)
    assert shop.value(brighten(how="3"), "2", "image").min() == 1


def test_lists_are_spread_over_nodes_and_gathered(shop: Shop) -> None:
    nodes = {
        "1": {"type": "PackSplit", "inputs": {"text": "one two"}},
        "2": {"type": "PackShout", "inputs": {"text": link("1", "STRING")}},
        "3": {"type": "PackJoin", "inputs": {"texts": link("2", "STRING"), "between": " & "}},
    }
    assert shop.value(nodes, "3", "STRING") == "ONE! & TWO!"
    files = shop.value(nodes, "2", "files")
    assert [shop.files.read(file.folder, file.name) for each in files for file in each] == [b"ONE!", b"TWO!"]


def test_only_the_input_that_is_asked_for_is_made(shop: Shop) -> None:
    nodes = {
        "1": {"type": "PackMakeSegments", "inputs": {}},
        "2": {"type": "PackFail", "inputs": {"way": "short"}},
        "3": {"type": "PackChoose", "inputs": {"a": link("1", "SEGS"), "b": link("2", "INT")}},
        "4": {"type": "PackSegments", "inputs": {"segs": link("3", "*")}},
    }
    assert shop.value(nodes, "4", "INT") == 2


def test_types_of_a_pack_meet_by_name(shop: Shop) -> None:
    made = {"1": {"type": "PackMakeSegments", "inputs": {"count": 3}}}
    good = {**made, "2": {"type": "PackSegments", "inputs": {"segs": link("1", "SEGS")}}}
    assert shop.value(good, "2", "INT") == 3
    with pytest.raises(InvalidGraph, match="SEGS"):
        shop.run({"1": solid(), "2": {"type": "PackSegments", "inputs": {"segs": link("1", "image")}}}, "2")


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("blocked", "not today"),
        ("missing", "comfy.ldm.modules.attention.CrossAttention"),
        ("invalid", "that way is closed"),
        ("short", "returned 1 values where it declares 2"),
        ("expand", "expand"),
    ],
)
def test_what_goes_wrong_is_told(shop: Shop, way: str, told: str) -> None:
    assert told in shop.failure({"1": {"type": "PackFail", "inputs": {"way": way}}}, "1")


@pytest.mark.parametrize(
    ("name", "told"), [("gone.png", "no such file"), ("../data/x", "'..'"), ("", "a name, please")]
)
def test_a_result_that_is_not_there_is_none(shop: Shop, name: str, told: str) -> None:
    assert told in shop.failure({"1": {"type": "PackGone", "inputs": {"name": name}}}, "1")


def test_what_says_it_changed_runs_again_and_knows_where_it_is(shop: Shop) -> None:
    nodes = {"7": {"type": "PackCount", "inputs": {}}}
    first = shop.value(nodes, "7", "INT")
    assert shop.value(nodes, "7", "INT") == first + 1
    assert shop.value(nodes, "7", "STRING") == "7 of 1"


def test_what_a_pack_writes_is_a_result(shop: Shop) -> None:
    nodes = {"1": solid(), "2": {"type": "PackKeep", "inputs": {"image": link("1", "image")}}}
    kept, again = shop.value(nodes, "2", "files")
    assert (kept.name, kept.media_type, kept.width, kept.height) == ("pack/kept_00001_.png", "image/png", 16, 8)
    assert again.name.startswith("pack/again")
    assert shop.files.path("output", kept.name).is_file()
    assert shop.files.path("output", again.name).is_file()


def test_the_own_nodes_of_the_peer_are_there_to_call(shop: Shop) -> None:
    paint = {"type": "PackPaint", "inputs": {"ckpt_name": "weft-emoji.safetensors", "seed": 3, "sampler_name": "euler"}}
    value = {name: shop.value({"1": paint}, "1", name) for name in ("IMAGE", "LATENT", "CONDITIONING")}
    assert value["IMAGE"].shape == (1, 3, 64, 64)
    assert isinstance(value["LATENT"], Latent)
    assert isinstance(value["CONDITIONING"], Conditioning)
    ours = {
        "1": {"type": "CheckpointLoader", "inputs": {"checkpoint": "weft-emoji.safetensors"}},
        "2": {"type": "CLIPTextEncode", "inputs": {"clip": link("1", "clip"), "text": "owl"}},
        "3": {"type": "CLIPTextEncode", "inputs": {"clip": link("1", "clip"), "text": ""}},
        "4": {"type": "EmptyLatent", "inputs": {"width": 64, "height": 64}},
        "5": {
            "type": "KSampler",
            "inputs": {
                "model": link("1", "model"),
                "positive": link("2", "conditioning"),
                "negative": link("3", "conditioning"),
                "latent": link("4", "latent"),
                "seed": 3,
                "steps": 2,
                "cfg": 2.0,
            },
        },
        "6": {"type": "VAEDecode", "inputs": {"vae": link("1", "vae"), "latent": link("5", "latent")}},
    }
    assert torch.equal(value["IMAGE"], shop.value(ours, "6", "image"))
    mixed = {
        "1": paint,
        "2": {"type": "VAEDecode", "inputs": {"vae": link("1", "VAE"), "latent": link("1", "LATENT")}},
    }
    assert torch.equal(shop.value(mixed, "2", "image"), value["IMAGE"])


@pytest.mark.parametrize("name", CALLS)
def test_what_packs_call_is_what_workflows_hold(name: str) -> None:
    _, *parameters = CALLS[name].split()
    assert set(parameters) - {"filename_prefix"} <= {port.name for port in CLASSES[name].ports}


def test_workflows_of_the_peer_with_its_nodes_are_read(shop: Shop) -> None:
    api = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 8, "batch_size": 1, "color": 0x808080}},
        "2": {"class_type": "Pack Brighten+", "inputs": {"image": ["1", 0], "amount": 0.5, "how": "add"}},
        "3": {"class_type": "PackKeep", "inputs": {"image": ["2", 0], "filename_prefix": "read"}},
    }
    made = convert(api, shop.registry)
    assert made.notes == ()
    assert made.document["nodes"]["2"]["inputs"] == {
        "image": link("1", "image"),
        "amount": 0.5,
        "how": "add",
        "repeat": 1,
    }
    assert shop.value(made.document["nodes"], "2", "width") == 16
    drawn = {
        "version": 0.4,
        "nodes": [
            {
                "id": 1,
                "type": "PackPaint",
                "widgets_values": ["a.safetensors", "None", "cat", 5, "increment", 9, "euler", "karras"],
            },
            {
                "id": 2,
                "type": "PackShout",
                "inputs": [{"name": "text", "type": "STRING", "link": 1}],
                "widgets_values": [False],
            },
            {
                "id": 3,
                "type": "PackSplit",
                "outputs": [{"name": "STRING", "type": "STRING", "links": [1]}],
                "widgets_values": ["x y"],
            },
        ],
        "links": [[1, 3, 0, 2, 0, "STRING"]],
    }
    nodes = convert(drawn, shop.registry).document["nodes"]
    assert nodes["1"]["inputs"]["scheduler"] == "karras"
    assert (nodes["1"]["inputs"]["seed"], nodes["1"]["inputs"]["steps"]) == (5, 9)
    assert nodes["1"]["after_run"] == {"seed": "increment"}
    assert nodes["2"]["inputs"] == {"text": link("3", "STRING"), "loud": False}


def test_nodes_with_schemas_run_too(shop: Shop) -> None:
    ports = {port.name: port for port in spec(shop, "SchemaTurn").inputs}
    assert (ports["way"].widget, ports["way"].default) == (Choice(("up", "down")), "down")
    assert (ports["times"].widget, ports["times"].default) == (Slider(0, 9), 1)
    assert (ports["thing"].type, ports["thing"].optional) == ("THING", True)
    mask = {"type": "SolidMask", "inputs": {"width": 16, "height": 8}}
    feathered = {
        "type": "FeatherMask",
        "inputs": {"mask": link("1", "mask"), "left": 8, "right": 0, "top": 0, "bottom": 0},
    }
    nodes = {
        "1": mask,
        "2": feathered,
        "3": {"type": "MaskToImage", "inputs": {"mask": link("2", "mask")}},
        "4": {"type": "SchemaTurn", "inputs": {"image": link("3", "image")}},
        "5": {"type": "SchemaLook", "inputs": {"image": link("4", "IMAGE")}},
        "6": {"type": "SchemaStop", "inputs": {}},
        "7": {"type": "SchemaTurn", "inputs": {"image": link("3", "image"), "times": 9}},
    }
    assert torch.equal(shop.value(nodes, "4", "IMAGE"), shop.value(nodes, "3", "image").flip(3))
    assert shop.value(nodes, "4", "what was done") == "4 down 1 True"
    (shown,) = shop.value(nodes, "5", "files")
    assert (shown.folder, shown.width, shown.height) == ("temp", 16, 8)
    assert "no further" in shop.failure(nodes, "6")
    assert "nine is too often" in shop.failure(nodes, "7")


def test_programs_are_told_of_its_classes(shop: Shop) -> None:
    told = definition("Pack Brighten+", shop.registry, shop.files)
    assert told is not None
    assert told["input"]["required"]["amount"] == ["FLOAT", {"default": 0.25, "min": 0.0, "max": 1.0, "step": 0.05}]
    assert told["output"] == ["IMAGE", "INT", "INT"]
    assert told["python_module"] == "custom_nodes.Some-Pack"
    shout = definition("PackShout", shop.registry, shop.files)
    assert shout is not None
    assert shout["output_node"]
    assert shout["output"] == ["STRING"]
