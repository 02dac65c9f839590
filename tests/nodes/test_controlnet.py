"""ControlNets in a graph: pictures follow pictures, in their time, several together, for every kind of model."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from diffusers.models.controlnets.controlnet_sd3 import SD3ControlNetModel
from PIL import Image as PillowImage
from torch import Tensor

from diffusion.networks.controlnet import ControlUNet, ControlUnion
from graph.events import Failed
from nodes.controlnet import canny_edges, gray_image, invert_image, silhouette
from nodes.types import Image
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import randomise
from tests.nodes.studio import Document, Studio, changed, link

ROOT = Path(__file__).parents[2]
NET = "controlnet"


@pytest.fixture(scope="session")
def with_controlnets(models: Path) -> Path:
    (models / "controlnet").mkdir()
    for seed, name in enumerate(("edges", "depth")):
        torch.manual_seed(seed)
        network = ControlUNet(tiny.SD15, 3)
        randomise(network, seed)
        save = {f"control_model.{name}": tensor for name, tensor in network.state_dict().items()}
        tiny.save(models / "controlnet" / f"{name}.safetensors", save)
    torch.manual_seed(2)
    union = ControlUnion(tiny.SD15, 3, 6, 32)
    randomise(union, 2)
    tiny.save(models / "controlnet" / "union.safetensors", union.state_dict())
    sd3 = SD3ControlNetModel(
        sample_size=8,
        num_layers=1,
        num_attention_heads=2,
        joint_attention_dim=64,
        caption_projection_dim=128,
        pooled_projection_dim=64,
        pos_embed_max_size=16,
    )
    randomise(sd3, 3)
    tiny.save(models / "controlnet" / "sd3.safetensors", sd3.state_dict())
    return models


@pytest.fixture
def studio(with_controlnets: Path, tmp_path: Path) -> Studio:
    studio = Studio(with_controlnets, tmp_path)
    torch.manual_seed(1)
    data = io.BytesIO()
    PillowImage.fromarray((torch.rand(48, 64, 3) * 255).to(torch.uint8).numpy()).save(data, "PNG")
    (tmp_path / "input" / "hint.png").write_bytes(data.getvalue())
    hole = PillowImage.open(data)
    hole.putalpha(PillowImage.linear_gradient("L").resize(hole.size))
    hole.save(tmp_path / "input" / "hole.png")
    return studio


@pytest.fixture
def document() -> Document:
    """The default template, its prompts led through a ControlNet."""
    document = json.loads((ROOT / "web" / "templates" / "default.json").read_text())
    document = changed(document, n1_checkpoint="sd15.safetensors", n4_width=64, n4_height=48, n5_steps=2)
    return steered(document, "c1", "edges")


def steered(document: Document, name: str, net: str, **inputs: object) -> Document:
    sampler = document["nodes"]["5"]["inputs"]
    prompts = {port: sampler[port] for port in ("positive", "negative")}
    nodes = {
        "image": {"type": "LoadImage", "inputs": {"image": "hint.png"}},
        f"{name}-net": {"type": "ControlNetLoader", "inputs": {"control_net": f"{net}.safetensors"}},
        name: {
            "type": "ControlNetApply",
            "inputs": {**prompts, "control_net": link(f"{name}-net", NET), "image": link("image", "image"), **inputs},
        },
    }
    result = {**document, "nodes": {**document["nodes"], **nodes}}
    return changed(result, n5_positive=link(name, "positive"), n5_negative=link(name, "negative"))


def latent(studio: Studio, document: Document) -> Tensor:
    return studio.value(document, "5")["latent"].samples_BCHW


def test_strength_and_time_are_those_asked_for(studio: Studio, document: Document) -> None:
    full, half, none = (latent(studio, changed(document, nc1_strength=s)) for s in (1, 0.5, 0))
    late = latent(studio, changed(document, nc1_start=0.4))
    never = latent(studio, changed(document, nc1_start=0.99, nc1_end=1.0))
    assert len({x.numpy().tobytes() for x in (full, half, none, late)}) == 4
    assert torch.equal(never, none)


def test_several_work_together(studio: Studio, document: Document) -> None:
    both = steered(document, "c2", "depth")
    assert not torch.equal(latent(studio, both), latent(studio, document))
    assert torch.equal(latent(studio, changed(both, nc2_strength=0)), latent(studio, document))
    assert torch.allclose(
        latent(studio, steered(changed(document, nc1_strength=0.25), "c2", "edges", strength=0.75)),
        latent(studio, document),
        atol=1e-3,
    )


def test_one_of_several_kinds_of_pictures_is_told_which(studio: Studio, document: Document) -> None:
    told = changed(document, **{"nc1-net_control_net": "union.safetensors"})
    told["nodes"]["kind"] = {"type": "ControlNetKind", "inputs": {"control_net": link("c1-net", NET), "kind": "depth"}}
    told = changed(told, nc1_control_net=link("kind", NET))
    assert not torch.equal(latent(studio, told), latent(studio, changed(told, nkind_kind="pose")))
    assert studio.run(changed(told, nkind_kind="repaint")).state == "failed"
    assert "knows pose, depth" in failure(studio)


def test_what_a_mask_marks_is_not_followed(studio: Studio, document: Document) -> None:
    masked = changed(document, nc1_mask=link("image", "mask"))
    masked["nodes"]["image"]["inputs"]["image"] = "hole.png"
    assert not torch.equal(latent(studio, masked), latent(studio, changed(document, nimage_image="hole.png")))


def test_for_sd3_it_reads_through_the_vae(studio: Studio, document: Document) -> None:
    sd3 = changed(document, n1_checkpoint="weft-emoji.safetensors")
    sd3["nodes"]["c1-net"]["inputs"]["control_net"] = "sd3.safetensors"
    plain = latent(studio, changed(sd3, nc1_strength=0))
    assert not torch.equal(latent(studio, changed(sd3, nc1_vae=link("1", "vae"))), plain)
    assert studio.run(sd3).state == "failed"
    assert "connect it" in failure(studio)


def test_one_for_another_kind_of_model_says_so(studio: Studio, document: Document) -> None:
    assert studio.run(changed(document, n1_checkpoint="weft-emoji.safetensors")).state == "failed"
    assert "takes text 768 wide" in failure(studio)


def failure(studio: Studio) -> str:
    (event,) = (event for event in studio.events if isinstance(event, Failed))
    return event.error.message


def test_pictures_to_steer_with() -> None:
    image = torch.zeros(1, 3, 16, 16)
    image[:, 0, :, 8:] = 1
    assert canny_edges(Image(image)).shape == image.shape
    assert torch.allclose(gray_image(Image(image)).amax(), torch.tensor(0.299))
    assert torch.equal(invert_image(Image(image)), 1 - image)
    dark = silhouette(Image(image), 0.2)
    assert torch.equal(dark[:, :, :, :8], torch.ones(1, 3, 16, 8))
    assert torch.equal(silhouette(Image(image), 0.2, dark=False), 1 - dark)
