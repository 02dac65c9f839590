"""The built-in nodes as a set: names and ports that saved documents rely on, documentation, imports."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

from graph.files import NoFiles
from graph.graph import build
from graph.node import NodeSpec
from graph.problems import InvalidGraph
from graph.registry import Registry
from graph.workflow import load
from nodes import builtin

SPECS = {spec.id: spec for spec in builtin()}
PORTS = {
    "CheckpointLoader": "checkpoint -> model clip vae",
    "UNetLoader": "unet -> model",
    "MMDiTLoader": "mmdit -> model",
    "DiTLoader": "dit -> model",
    "ClassLabel": "label -> conditioning",
    "CLIPLoader": "text_encoder text_encoder_2? text_encoder_3? family -> clip",
    "VAELoader": "vae -> vae",
    "CLIPTextEncode": "clip text -> conditioning",
    "EmptyLatent": "width height batch -> latent",
    "KSampler": "model positive negative latent seed steps cfg sampler schedule denoise -> latent",
    "VAEDecode": "vae latent -> image",
    "VAEEncode": "vae image -> latent",
    "ModelMerge": "model_a model_b ratio -> model",
    "LoadImage": "image -> image mask",
    "SaveImage": "image prefix format quality -> files",
    "PreviewImage": "image -> files",
}


def ports(spec: NodeSpec) -> str:
    inputs = [port.name + "?" * port.optional for port in spec.inputs]
    return " ".join([*inputs, "->", *(port.name for port in spec.outputs)])


def test_names_and_ports_of_saved_documents() -> None:
    assert {name: ports(SPECS[name]) for name in PORTS} == PORTS


def test_every_node_says_what_it_does_and_what_each_input_is() -> None:
    for spec in SPECS.values():
        first, _, rest = spec.doc.partition("\n")
        assert re.match(r"[A-Z].*[.:;]$|[A-Z].*\w$", first), spec.id
        described = re.sub(r"\s+", " ", rest)
        for port in spec.inputs:
            assert re.search(rf"\b{port.name}\b[^:.]*:", described), f"{spec.id}.{port.name}"


def test_nodes_are_functions_that_can_be_called() -> None:
    canvas = SPECS["EmptyLatent"].fn
    assert inspect.isfunction(canvas)
    assert canvas(width=64, height=40, batch=2).samples_BCHW.shape == (2, 4, 5, 8)


def test_importing_the_nodes_is_light() -> None:
    heavy = "{'transformers', 'diffusers', 'aiohttp', 'scipy'}"
    program = f"import sys, nodes; nodes.builtin(); print(*{heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_d02_an_empty_latent_that_no_machine_holds_is_refused_by_its_definition_alone() -> None:
    registry = Registry(NodeSpec.from_json(SPECS[id].to_json()) for id in ("EmptyLatent",))

    def ask(width: int, height: int, batch: int) -> None:
        inputs = {"width": width, "height": height, "batch": batch}
        nodes = {"5": {"type": "EmptyLatent", "inputs": inputs}}
        build(load({"version": 1, "nodes": nodes}), registry, NoFiles(), ["5"])

    ask(16384, 16384, 1)
    ask(512, 512, 1024)
    with pytest.raises(InvalidGraph, match=r"width x height x batch is 1,099,511,627,776 pixels; expected at most"):
        ask(16384, 16384, 4096)
