"""Loading a LoRA in a graph: pictures change with it, and nothing is computed that does not change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from graph.events import Failed
from nodes.lora import lora_loader
from tests.diffusion.tiny import save
from tests.nodes.studio import Document, Studio, changed, link

ROOT = Path(__file__).parents[2]
NETWORK = "lora_unet_joint_blocks_0_x_block_attn_qkv"
TEXT = "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"


def lora(layer: str, outputs: int, inputs: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    pieces = {"lora_up.weight": (outputs, 2), "lora_down.weight": (2, inputs)}
    return {f"{layer}.{name}": torch.randn(shape, generator=generator) for name, shape in pieces.items()}


@pytest.fixture(scope="session")
def with_loras(models: Path) -> Path:
    (models / "loras").mkdir()
    save(models / "loras" / "style.safetensors", lora(NETWORK, 384, 128) | lora(TEXT, 64, 64))
    save(models / "loras" / "other.safetensors", lora("lora_unet_input_blocks_1_1_proj_in", 64, 64))
    return models


@pytest.fixture
def studio(with_loras: Path, tmp_path: Path) -> Studio:
    return Studio(with_loras, tmp_path)


@pytest.fixture
def document() -> Document:
    """The default template with a LoRA between loader and the rest."""
    document = json.loads((ROOT / "web" / "templates" / "default.json").read_text())
    document = changed(document, n4_width=64, n4_height=48, n5_steps=2)
    source = document["nodes"]["5"]["inputs"]["model"]["node"]
    for node in document["nodes"].values():
        for port, value in node["inputs"].items():
            if value in (link(source, "model"), link(source, "clip")):
                node["inputs"][port] = link("lora", value["output"])
    inputs = {"model": link(source, "model"), "clip": link(source, "clip"), "lora": "style.safetensors"}
    document["nodes"]["lora"] = {"type": "LoRALoader", "inputs": inputs}
    return document


def picture(studio: Studio, document: Document) -> bytes:
    studio.ran(document)
    (file,) = studio.saved()
    return studio.read(file)


def test_each_strength_changes_its_part(studio: Studio, document: Document) -> None:
    runs = [studio.value(changed(document, nlora_strength_clip=strength), "2") for strength in (0, 1)]
    first, second = (run["conditioning"].entries[0].context_BLD for run in runs)
    assert not torch.equal(first, second)
    pictures = {
        (model, clip): picture(studio, changed(document, nlora_strength_model=model, nlora_strength_clip=clip))
        for model in (0, 1)
        for clip in (0, 1)
    }
    assert len(set(pictures.values())) == 4


def test_strength_0_hands_the_same_values_on(studio: Studio, document: Document) -> None:
    loaded = studio.value(document, document["nodes"]["lora"]["inputs"]["model"]["node"])
    path = studio.files.path("loras", "style.safetensors")
    patched = lora_loader(loaded["model"], path, loaded["clip"], strength_model=0, strength_clip=0)
    assert patched.model is loaded["model"]
    assert patched.clip is loaded["clip"]
    assert lora_loader(loaded["model"], path).clip is None


def test_a_changed_strength_of_the_model_does_not_load_again(studio: Studio, document: Document) -> None:
    studio.ran(document)
    assert "CheckpointLoader" not in studio.ran(changed(document, nlora_strength_model=0.5))


def test_a_file_for_another_model_says_so(studio: Studio, document: Document) -> None:
    outcome = studio.run(changed(document, nlora_lora="other.safetensors"))
    assert outcome.state == "failed"
    (failure,) = (event for event in studio.events if isinstance(event, Failed))
    assert "lora_unet_input_blocks_1_1_proj_in" in failure.error.message
    assert "this sd3 network" in failure.error.message
