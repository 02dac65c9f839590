"""The built-in nodes as a set: names and ports that saved documents rely on, documentation, imports."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

from graph.node import NodeSpec
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
