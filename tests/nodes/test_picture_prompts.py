"""Pictures as prompts in a graph: they change what is painted, by their weight and in their time."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor

from diffusion.networks.ip_adapter import IPAdapterNetwork, OfVector
from diffusion.networks.unet import UNet
from graph.events import Failed
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import randomise
from tests.diffusion.networks.test_ip_adapter import VECTOR, encoder_of
from tests.nodes.studio import Document, Studio, changed, link

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def with_adapter(models: Path) -> Path:
    for folder in ("ipadapter", "clip_vision"):
        (models / folder).mkdir(exist_ok=True)
    torch.manual_seed(0)
    widths = tuple(UNet(tiny.SD15).cross_attentions().values())
    network = IPAdapterNetwork(OfVector(VECTOR, 768, 4), 768, widths)
    randomise(network, 0)
    tiny.save(models / "ipadapter" / "plain.safetensors", network.state_dict())
    tiny.save(models / "clip_vision" / "clip.safetensors", encoder_of().state_dict())
    return models


@pytest.fixture
def studio(with_adapter: Path, tmp_path: Path) -> Studio:
    studio = Studio(with_adapter, tmp_path)
    torch.manual_seed(1)
    for name in ("a.png", "b.png"):
        data = io.BytesIO()
        PillowImage.fromarray((torch.rand(60, 64, 3) * 255).to(torch.uint8).numpy()).save(data, "PNG")
        (tmp_path / "input" / name).write_bytes(data.getvalue())
    return studio


@pytest.fixture
def document() -> Document:
    """The default template, its prompts led through an IP-Adapter."""
    document = json.loads((ROOT / "web" / "templates" / "default.json").read_text())
    document = changed(document, n1_checkpoint="sd15.safetensors", n4_width=64, n4_height=48, n5_steps=2)
    sampler = document["nodes"]["5"]["inputs"]
    prompts = {port: sampler[port] for port in ("positive", "negative")}
    shown = {
        "ip_adapter": link("net", "ipadapter"),
        "clip_vision": link("eyes", "vision"),
        "image": link("image", "image"),
    }
    nodes = {
        "image": {"type": "LoadImage", "inputs": {"image": "a.png"}},
        "net": {"type": "IPAdapterLoader", "inputs": {"ip_adapter": "plain.safetensors"}},
        "eyes": {"type": "CLIPVisionLoader", "inputs": {"clip_vision": "clip.safetensors"}},
        "apply": {"type": "IPAdapterApply", "inputs": {**prompts, **shown}},
    }
    document = {**document, "nodes": {**document["nodes"], **nodes}}
    return changed(document, n5_positive=link("apply", "positive"), n5_negative=link("apply", "negative"))


def latent(studio: Studio, document: Document) -> Tensor:
    return studio.value(document, "5")["latent"].samples_BCHW


def test_weight_time_and_picture_are_those_asked_for(studio: Studio, document: Document) -> None:
    full, half, none = (latent(studio, changed(document, napply_weight=w)) for w in (1, 0.5, 0))
    other, late = (
        latent(studio, changed(document, nimage_image="b.png")),
        latent(studio, changed(document, napply_start=0.4)),
    )
    never = latent(studio, changed(document, napply_start=0.99))
    assert len({x.numpy().tobytes() for x in (full, half, none, other, late)}) == 5
    assert torch.equal(never, none)


def test_for_another_kind_of_model_it_says_so(studio: Studio, document: Document) -> None:
    assert studio.run(changed(document, n1_checkpoint="weft-emoji.safetensors")).state == "failed"
    (event,) = (event for event in studio.events if isinstance(event, Failed))
    assert "IP-Adapter: this one is for U-Nets" in event.error.message
