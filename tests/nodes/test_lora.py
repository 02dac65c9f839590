"""Loading a LoRA in a graph: pictures change with it, and nothing is computed that does not change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from diffusion.patches.file import read_adapters
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


def test_blocks_have_strengths_of_their_own(studio: Studio, document: Document) -> None:
    """The LoRA is on J00 alone: half of it there is half of it, none of it there is none."""
    whole = changed(document, nlora_strength_clip=0)

    def latent(**values: object) -> Tensor:
        return studio.value(changed(whole, **values), "5")["latent"].samples_BCHW

    full, half, none = (latent(nlora_strength_model=strength) for strength in (1, 0.5, 0))
    assert not torch.equal(full, half)
    assert torch.equal(latent(nlora_blocks="J00:0.5"), half)
    assert torch.equal(latent(nlora_blocks="J00:0"), none)
    assert torch.equal(latent(nlora_blocks="J00:mlp:0"), full)


def test_what_has_no_place_is_left_out_by_name_if_wanted(studio: Studio, document: Document) -> None:
    value = studio.value(changed(document, nlora_lora="other.safetensors", nlora_unmatched="leave out"), "lora")
    assert value["left_out"] == "lora_unet_input_blocks_1_1_proj_in"
    assert studio.value(changed(document, nlora_unmatched="leave out"), "lora")["left_out"] == ""


@pytest.mark.parametrize("rank", [0, 3])
def test_two_are_written_as_one(rank: int, studio: Studio, document: Document) -> None:
    names = {"lora_1": "style.safetensors", "lora_2": "style.safetensors", "rank": rank, "strength_2": 0.5}
    document["nodes"]["m"] = {"type": "LoRAMerge", "inputs": names}
    studio.ran(document)
    (file,) = (file for file in studio.saved() if file.name.startswith("loras/merged"))
    path = studio.data / "output" / file.name
    merged = read_adapters(path)
    style = read_adapters(studio.files.path("loras", "style.safetensors"))
    got, expected = (
        next(change.weight for change in file.changes if change.key == NETWORK) for file in (merged, style)
    )
    assert got is not None
    assert expected is not None
    got, expected = got.delta(torch.zeros(384, 128)), 1.5 * expected.delta(torch.zeros(384, 128))
    assert (got - expected).abs().max() <= 2e-3 * expected.abs().max()
    assert ("kept on average" in studio.value(document, "m")["report"]) == bool(rank)


def test_what_a_model_learned_is_written_and_taught_to_another(studio: Studio, document: Document) -> None:
    """From a model and the same with a LoRA comes that LoRA."""
    loader = document["nodes"]["lora"]["inputs"]
    ports = {"model_a": loader["model"], "clip_a": loader["clip"], "model_b": link("lora", "model")}
    document["nodes"]["x"] = {"type": "LoRAExtract", "inputs": {**ports, "clip_b": link("lora", "clip"), "rank": 2}}
    studio.ran(document)
    (file,) = (file for file in studio.saved() if file.name.startswith("loras/extracted"))
    made = {change.key: change for change in read_adapters(studio.data / "output" / file.name).changes}
    for change in read_adapters(studio.files.path("loras", "style.safetensors")).changes:
        weight = torch.zeros(384, 128) if change.key == NETWORK else torch.zeros(64, 64)
        expected = change.weight.delta(weight)  # type: ignore[union-attr]
        got = made[change.key].weight.delta(weight)  # type: ignore[union-attr]
        assert (got - expected).abs().max() <= 2e-3 * expected.abs().max()
    assert "2 layers, 100.0% of the change kept" in studio.value(document, "x")["report"]
