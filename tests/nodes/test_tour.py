"""The tour under docs/workflows: every document runs end to end on tiny random weights and paints what it did."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from diffusion.networks.controlnet import ControlUNet
from graph.context import OutputFile
from nodes import builtin
from tests.diffusion.networks.comparison import randomise
from tests.diffusion.tiny import DIT, SD15, checkpoint_of, clip_of, network_of, plain, prefixed, save
from tests.nodes.conftest import NETWORK, TEXT
from tests.nodes.studio import Document, Studio

ROOT = Path(__file__).parents[2]
TOUR = sorted((ROOT / "docs" / "workflows").glob("*.json"))
PINS = Path(__file__).with_name("tour.json")
SIDE = 4
FINENESS = 16
"""Pictures are pinned as the means of SIDE x SIDE parts of each channel, in so many parts of one of 256 levels."""
TOLERANCE = 4
"""Enough for pixels that round another way on another CPU, and less than any of the tour's devices makes."""


@pytest.fixture(scope="module")
def models(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny files under the names the tour asks for."""
    root = tmp_path_factory.mktemp("tour")
    for folder in ("checkpoints", "controlnet", "diffusion_models", "embeddings", "loras", "vae"):
        (root / folder).mkdir()
    checkpoints = root / "checkpoints"
    for name in ("checkpoints/weft-emoji", "checkpoints/sd15", "vae/sd15"):
        (root / f"{name}.safetensors").hardlink_to(models / f"{name}.safetensors")
    text = prefixed(TEXT, plain(clip_of(width=768)))
    sd15 = checkpoint_of("sd15") | text
    for name, channels in (("sd15-inpainting", 9), ("instruct-pix2pix", 8)):
        network = prefixed(NETWORK, network_of(replace(SD15, in_channels=channels)).state_dict())
        save(checkpoints / f"{name}.safetensors", sd15 | network)
    save(checkpoints / "sd15-other.safetensors", {name: tensor * 0.9 for name, tensor in sd15.items()})
    save(checkpoints / "sdxl.safetensors", checkpoint_of("sdxl"))
    dit = network_of(replace(DIT, rows=1001, positions=16))
    save(root / "diffusion_models" / "dit-xl-2-256.safetensors", dit.state_dict())
    torch.manual_seed(0)
    control = ControlUNet(SD15, 3)
    randomise(control, seed=0)
    save(root / "controlnet" / "edges.safetensors", prefixed("control_model.", control.state_dict()))
    generator = torch.Generator().manual_seed(4)
    save(root / "embeddings" / "toy.safetensors", {"emb_params": torch.randn(2, 768, generator=generator)})
    save(root / "loras" / "style.safetensors", lora(generator))
    return root


def lora(generator: torch.Generator) -> dict[str, Tensor]:
    """Of rank 4, on one layer of the network and one of the text encoder."""
    layers = {
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v": (128, 768),
        "lora_te_text_model_encoder_layers_0_mlp_fc1": (1536, 768),
    }
    return {
        f"{name}.{part}.weight": torch.randn(shape, generator=generator) * 0.1
        for name, (rows, columns) in layers.items()
        for part, shape in (("lora_up", (rows, 4)), ("lora_down", (4, columns)))
    }


@pytest.fixture(scope="module")
def studio(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(models, tmp_path_factory.mktemp("data"))


def shortened(document: Document) -> Document:
    """With no more than four steps."""
    for entry in document["nodes"].values():
        if "steps" in entry["inputs"]:
            entry["inputs"]["steps"] = min(4, entry["inputs"]["steps"])
        if entry["type"] == "SplitSigmas":
            entry["inputs"]["step"] = 2
    return document


def means(data: bytes) -> list[int]:
    with Image.open(io.BytesIO(data)) as picture:
        pixels = torch.frombuffer(bytearray(picture.convert("RGB").tobytes()), dtype=torch.uint8)
        levels_3HW = pixels.view(picture.height, picture.width, 3).permute(2, 0, 1).float()
    return (F.adaptive_avg_pool2d(levels_3HW, SIDE) * FINENESS).round().int().flatten().tolist()


def told(studio: Studio, files: list[OutputFile]) -> list[list[int]]:
    pictures = [studio.read(file) for file in files if file.media_type.startswith("image/")]
    return [means(data) for data in pictures]


@pytest.mark.parametrize("path", TOUR, ids=lambda path: path.stem)
def test_the_tour_runs(studio: Studio, path: Path) -> None:
    studio.ran(shortened(json.loads(path.read_text())))
    files = studio.saved()
    assert files
    pictures, pinned = told(studio, files), json.loads(PINS.read_text())[path.stem]
    assert len(pictures) == len(pinned)
    for picture, pin in zip(pictures, pinned, strict=True):
        assert max(abs(a - b) for a, b in zip(picture, pin, strict=True)) <= TOLERANCE, picture


def test_no_two_pinned_pictures_are_alike() -> None:
    """What a document shows makes a difference that the pins can tell."""
    pins = [pin for pictures in json.loads(PINS.read_text()).values() for pin in pictures]
    for number, pin in enumerate(pins):
        assert max(pin) - min(pin) > 8 * FINENESS
        for other in pins[:number]:
            assert max(abs(a - b) for a, b in zip(pin, other, strict=True)) > 2 * TOLERANCE


def test_every_step_of_the_tour_is_told_of() -> None:
    listed = (ROOT / "docs" / "workflows" / "README.md").read_text()
    for path in TOUR:
        document = json.loads(path.read_text())
        assert f"- [{path.stem}]({path.name}): {document['about']}\n" in listed
        assert document["view"]["nodes"].keys() == document["nodes"].keys()


def test_nodes_of_every_kind_are_on_the_tour() -> None:
    used = {entry["type"] for path in TOUR for entry in json.loads(path.read_text())["nodes"].values()}
    kinds = {
        spec.category.split("/")[0]: spec.id in used for spec in sorted(builtin(), key=lambda spec: spec.id in used)
    }
    assert {kind for kind, on_tour in kinds.items() if not on_tour} <= {"control"}
