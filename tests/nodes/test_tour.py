"""The tour under docs/workflows: every document runs end to end on tiny random weights and paints what it did."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from PIL import Image
from torch import Tensor

from bench.pictures import swept
from diffusion.networks.controlnet import ControlMMDiT, ControlTokens, ControlUNet, ControlUnion
from diffusion.networks.ip_adapter import IPAdapterNetwork, OfVector
from diffusion.networks.unet import UNet
from jobs.files import MODEL_FOLDERS
from nodes import builtin
from tests.diffusion.networks.comparison import randomise
from tests.diffusion.networks.test_ip_adapter import VECTOR, encoder_of
from tests.diffusion.test_layouts import SD1, UNET
from tests.diffusion.test_several import folder_of, vae_of
from tests.diffusion.tiny import (
    DIT,
    PIXART_SIGMA,
    SD3,
    SD15,
    SDXL,
    VAE4,
    VAE16,
    autoencoder_of,
    checkpoint_of,
    clip_of,
    network_of,
    plain,
    prefixed,
    save,
    t5_of,
)
from tests.nodes.conftest import NETWORK, TEXT, models_in, part_of
from tests.nodes.studio import Document, Studio

ROOT = Path(__file__).parents[2]
TOUR = sorted((ROOT / "docs" / "workflows").glob("*.json"))
PINS = Path(__file__).with_name("tour.json")
SIDE = 4
STEP = 4.0
"""Levels, of 256, that count as one in a pinned hash."""
OFFSETS = 64


def models_of_tour(models: Path, root: Path) -> Path:
    """Tiny files under the names the tour asks for."""
    for folder in MODEL_FOLDERS:
        (root / folder).mkdir()
    checkpoints = root / "checkpoints"
    for name in ("checkpoints/weft-emoji", "checkpoints/sd15", "diffusion_models/sd15", "vae/sd15"):
        (root / f"{name}.safetensors").hardlink_to(models / f"{name}.safetensors")
    (checkpoints / "weft-emoji-unet.safetensors").hardlink_to(models / "checkpoints" / "sd15.safetensors")
    (root / "text_encoders" / "clip_l_sd15.safetensors").hardlink_to(models / "text_encoders" / "clip_l.safetensors")
    text = prefixed(TEXT, plain(clip_of(width=768)))
    sd15 = checkpoint_of("sd15") | text
    network = prefixed(NETWORK, network_of(replace(SD15, in_channels=8)).state_dict())
    save(checkpoints / "instruct-pix2pix.safetensors", sd15 | network)
    inpainting = network_of(replace(SD15, in_channels=9)).state_dict()
    save(root / "diffusion_models" / "weft-emoji-inpaint.safetensors", inpainting)
    other = {name: tensor * 0.9 for name, tensor in sd15.items()}
    save(checkpoints / "sd15-other.safetensors", other)
    save(root / "diffusion_models" / "weft-emoji-flat.safetensors", part_of(other, NETWORK))
    save(checkpoints / "sd15-third.safetensors", {name: tensor * 1.05 for name, tensor in sd15.items()})
    save(checkpoints / "sdxl.safetensors", checkpoint_of("sdxl"))
    save(checkpoints / "flux1-dev.safetensors", flux())
    for seed, name in enumerate(("edges", "depth", "weft-emoji-edges")):
        torch.manual_seed(seed)
        control = ControlUNet(SD15, 3)
        randomise(control, seed)
        save(root / "controlnet" / f"{name}.safetensors", prefixed("control_model.", control.state_dict()))
    torch.manual_seed(2)
    union = ControlUnion(SDXL, 3, 6, 32)
    randomise(union, 2)
    save(root / "controlnet" / "union-sdxl.safetensors", union.state_dict())
    of_sd3(root)
    folder_of_diffusers(checkpoints / "sd15-folder")
    adapter = IPAdapterNetwork(OfVector(VECTOR, 768, 4), 768, tuple(UNet(SD15).cross_attentions().values()))
    randomise(adapter, 0)
    save(root / "ipadapter" / "ip-adapter_sd15.safetensors", adapter.state_dict())
    save(root / "clip_vision" / "clip_vision_h.safetensors", encoder_of().state_dict())
    generator = torch.Generator().manual_seed(4)
    save(root / "embeddings" / "toy.safetensors", {"emb_params": torch.randn(2, 768, generator=generator)})
    for name in ("style", "character", "weft-emoji-flat"):
        save(root / "loras" / f"{name}.safetensors", lora(generator))
    parts(root)
    return root


def of_sd3(root: Path) -> None:
    """Stable Diffusion 3 and 3.5 large, and a ControlNet of each: one that paints into pictures, one for the large."""
    sd3 = checkpoint_of("sd3")
    save(root / "checkpoints" / "sd3.safetensors", sd3)
    large = prefixed(NETWORK, network_of(replace(SD3, qk_norm=True)).state_dict())
    save(root / "checkpoints" / "sd3.5_large.safetensors", sd3 | large)
    torch.manual_seed(3)
    inpaint = ControlMMDiT(replace(SD3, depth=1), SD3.in_channels + 1)
    tokens = ControlTokens(1, SD3.width, 64, SD3.in_channels, SD3.patch, SD3.time_dim)
    for name, control in (("inpaint-sd3", inpaint), ("sd3.5_large_controlnet", tokens)):
        randomise(control, 3)
        save(root / "controlnet" / f"{name}.safetensors", control.state_dict())


def folder_of_diffusers(folder: Path) -> None:
    """Stable Diffusion 1 on levels of its own."""
    torch.manual_seed(5)
    parts = {"unet": UNet2DConditionModel(**UNET, **SD1), "vae": vae_of(), "text_encoder": clip_of(width=768)}
    for part in parts.values():
        randomise(part, 5)
    folder_of(folder, parts, {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02})


def flux() -> dict[str, Tensor]:
    """Flux with both of its text encoders."""
    t5 = {name: tensor for name, tensor in t5_of().state_dict().items() if "embed_tokens" not in name}
    return checkpoint_of("flux") | prefixed("text_encoders.t5xxl.transformer.", t5)


def parts(root: Path) -> None:
    """Networks, text encoders and autoencoders in files of their own."""
    networks = {
        "dit-xl-2-256": replace(DIT, rows=1001, positions=16),
        "pixart-sigma-1024": PIXART_SIGMA,
        "sd3-medium": replace(SD3, context_dim=4096, y_dim=2048),
    }
    grid = [f"weft-emoji-dit-p{patch}-w{width}" for patch in (2, 4, 8) for width in (64, 128)]
    networks |= dict.fromkeys(grid, replace(DIT, rows=1536, positions=8))
    for name, params in networks.items():
        save(root / "diffusion_models" / f"{name}.safetensors", network_of(params).state_dict())
    text = {"t5xxl": t5_of(), "clip_l": clip_of(), "clip_g": clip_of("gelu", layers=31)}
    for name, tower in text.items():
        tensors = {key: tensor for key, tensor in tower.state_dict().items() if "embed_tokens" not in key}
        save(root / "text_encoders" / f"{name}.safetensors", tensors)
    for name, params in (("sdxl", VAE4), ("sd3", VAE16)):
        save(root / "vae" / f"{name}.safetensors", autoencoder_of(params).state_dict())


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


def studio_of_tour(models: Path, root: Path) -> Studio:
    (root / "models").mkdir()
    studio = Studio(models_of_tour(models, root / "models"), root / "data")
    across = torch.linspace(0, 255, 128).expand(128, 128)
    rgba = torch.stack([across, across.T, 255 - across, torch.full((128, 128), 255.0)], dim=2)
    rgba[32:96, 48:96, 3] = 0
    Image.fromarray(rgba.to(torch.uint8).numpy(), "RGBA").save(studio.data / "input" / "photo.png")
    return studio


@pytest.fixture(scope="module")
def studio(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return studio_of_tour(models, tmp_path_factory.mktemp("tour"))


def shortened(document: Document) -> Document:
    """With no more than four steps."""
    for entry in document["nodes"].values():
        if "steps" in entry["inputs"]:
            entry["inputs"]["steps"] = min(4, entry["inputs"]["steps"])
        if entry["type"] == "SplitSigmas":
            entry["inputs"]["step"] = 2
    return document


def means(data: bytes) -> Tensor:
    """The means of SIDE x SIDE parts of each channel, in levels."""
    with Image.open(io.BytesIO(data)) as picture:
        pixels = torch.frombuffer(bytearray(picture.convert("RGB").tobytes()), dtype=torch.uint8)
        levels_3HW = pixels.view(picture.height, picture.width, 3).permute(2, 0, 1).double()
    return F.adaptive_avg_pool2d(levels_3HW, SIDE).flatten()


def pin(levels: Tensor) -> str:
    """What is pinned of a picture: the offset at which its means lie farthest from where steps begin, and the hash.

    So the hash is one of what is seen, and not of the last bits of floating point, which are other ones with another
    number of threads or on another CPU.
    """
    offset = max(range(OFFSETS), key=lambda offset: margin(levels, offset))
    return f"{offset}:{hashed(levels, offset)}"


def margin(levels: Tensor, offset: int) -> float:
    """How far every mean may move, in levels."""
    inside = (levels + offset * STEP / OFFSETS) % STEP
    return float(torch.minimum(inside, STEP - inside).min())


def hashed(levels: Tensor, offset: int) -> str:
    steps = ((levels + offset * STEP / OFFSETS) / STEP).floor().int()
    return hashlib.sha256(steps.numpy().tobytes()).hexdigest()[:16]


def told(studio: Studio) -> list[Tensor]:
    return [means(studio.read(file)) for file in studio.saved() if file.media_type.startswith("image/")]


@pytest.mark.parametrize("path", TOUR, ids=lambda path: path.stem)
def test_the_tour_runs(studio: Studio, path: Path) -> None:
    """The hashes hold with any number of threads, see `pin`; `python -m tests.nodes.test_tour` makes them anew."""
    studio.ran(shortened(json.loads(path.read_text())))
    assert studio.saved()
    pictures, pins = told(studio), json.loads(PINS.read_text())[path.stem]
    assert not pictures or max(float(picture.max() - picture.min()) for picture in pictures) > 8, "shows nothing"
    assert [f"{offset}:{hashed(levels, int(offset))}" for levels, offset in zip(pictures, map(offset_of, pins))] == pins


@pytest.mark.parametrize("path", [path for path in TOUR if '"sweep"' in path.read_text()], ids=lambda path: path.stem)
def test_sweeps_of_the_tour_make_a_sheet(studio: Studio, path: Path) -> None:
    document = json.loads(path.read_text())
    whole = swept(document, {"nodes": studio.registry.to_json(studio.files)}, studio.files.models())
    copies = [id for id in whole["nodes"] if id.startswith("5@")]
    studio.ran(shortened(whole))
    sheet = studio.saved()[-1]
    assert len(copies) >= 18
    assert sheet.width * sheet.height >= 9 * 128 * 128
    with Image.open(io.BytesIO(studio.read(sheet))) as picture:
        assert json.loads(picture.info["workflow"])["swept"] == document


def offset_of(pinned: str) -> str:
    return pinned.partition(":")[0]


def test_a_pin_holds_for_the_same_picture_alone() -> None:
    torch.manual_seed(1)
    for _ in range(20):
        levels = 255 * torch.rand(3 * SIDE * SIDE).double()
        offset, _, digest = pin(levels).partition(":")
        room = margin(levels, int(offset))
        assert room > 0.005
        near = levels + room * (2 * torch.rand(len(levels)) - 1)
        assert hashed(near, int(offset)) == digest
        assert hashed(levels + torch.eye(len(levels))[7] * STEP, int(offset)) != digest


def test_no_two_pinned_pictures_are_alike() -> None:
    """What a document shows makes a difference."""
    pins = [{pinned.partition(":")[2] for pinned in pictures} for pictures in json.loads(PINS.read_text()).values()]
    assert len(set().union(*pins)) == sum(map(len, pins))
    assert json.loads(PINS.read_text()).keys() == {path.stem for path in TOUR}


def test_every_step_of_the_tour_is_told_of() -> None:
    listed = (ROOT / "docs" / "workflows" / "README.md").read_text()
    for path in TOUR:
        document = json.loads(path.read_text())
        assert f"- [{path.stem}]({path.name}): {document['about']}\n" in listed
        assert document["view"]["nodes"].keys() == document["nodes"].keys()


def test_nodes_of_every_category_are_on_the_tour() -> None:
    """But those that only steer what runs."""
    used = {entry["type"] for path in TOUR for entry in json.loads(path.read_text())["nodes"].values()}
    assert {s.category for s in builtin()} - {s.category for s in builtin() if s.id in used} <= {"control"}


def write_pins() -> None:
    """Pin what the tour paints now."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "small").mkdir()
        studio = studio_of_tour(models_in(root / "small"), root)
        pins: dict[str, list[str]] = {}
        for path in TOUR:
            studio.ran(shortened(json.loads(path.read_text())))
            pins[path.stem] = [pin(levels) for levels in told(studio)]
    PINS.write_text(json.dumps(pins, indent=1) + "\n")


if __name__ == "__main__":
    write_pins()
