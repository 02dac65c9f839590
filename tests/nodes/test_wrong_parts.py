"""Parts that do not go together, and files that are something else: the node fails, and its error names the input."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from diffusion.networks.controlnet import ControlUNet
from graph.events import Failed
from tests.diffusion import tiny
from tests.nodes.studio import Document, Studio, changed, link


@pytest.fixture(scope="module")
def folder(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny models, a LoRA for SDXL, a ControlNet for SD2, and files in folders where they do not belong."""
    root = tmp_path_factory.mktemp("wrong")
    shutil.copytree(models, root, dirs_exist_ok=True)
    for name in ("loras", "controlnet"):
        (root / name).mkdir(exist_ok=True)
    layer = "lora_unet_input_blocks_7_1_transformer_blocks_0_attn1_to_q"
    matrices = {f"{layer}.lora_up.weight": torch.ones(128, 2), f"{layer}.lora_down.weight": torch.ones(2, 128)}
    tiny.save(root / "loras" / "xl.safetensors", matrices)
    tiny.save(root / "controlnet" / "sd2.safetensors", ControlUNet(tiny.SD2, 3).state_dict())
    sd15 = root / "checkpoints" / "sd15.safetensors"
    shutil.copy(sd15, root / "controlnet" / "whole.safetensors")
    shutil.copy(root / "vae" / "sd15.safetensors", root / "checkpoints" / "vae.safetensors")
    shutil.copy(root / "loras" / "xl.safetensors", root / "checkpoints" / "lora.safetensors")
    (root / "checkpoints" / "half.safetensors").write_bytes(sd15.read_bytes()[:-64])
    return root


NODES = {
    "model": {"type": "CheckpointLoader", "inputs": {"checkpoint": "sd15.safetensors"}},
    "other": {"type": "CheckpointLoader", "inputs": {"checkpoint": "weft-emoji.safetensors"}},
    "lora": {"type": "LoRALoader", "inputs": {"model": link("model", "model"), "lora": "xl.safetensors"}},
    "control": {"type": "ControlNetLoader", "inputs": {"control_net": "sd2.safetensors"}},
    "text": {"type": "CLIPTextEncode", "inputs": {"clip": link("model", "clip"), "text": "a cat"}},
    "hint": {"type": "VAEDecode", "inputs": {"vae": link("model", "vae"), "latent": link("canvas", "latent")}},
    "canvas": {"type": "EmptyLatent", "inputs": {"width": 64, "height": 64, "batch": 1}},
    "picture": {"type": "VAEEncode", "inputs": {"vae": link("model", "vae"), "image": link("hint", "image")}},
    "apply": {
        "type": "ControlNetApply",
        "inputs": {
            "positive": link("text", "conditioning"),
            "negative": link("text", "conditioning"),
            "control_net": link("control", "controlnet"),
            "image": link("hint", "image"),
        },
    },
    "sampler": {
        "type": "KSampler",
        "inputs": {
            "model": link("model", "model"),
            "positive": link("text", "conditioning"),
            "negative": link("text", "conditioning"),
            "latent": link("canvas", "latent"),
            "steps": 1,
        },
    },
    "othertext": {"type": "CLIPTextEncode", "inputs": {"clip": link("model", "clip"), "text": "a cat"}},
    "two": {"type": "SolidImage", "inputs": {"width": 16, "height": 16, "batch": 2}},
    "marks": {"type": "MaskFromImage", "inputs": {"image": link("two", "image")}},
    "masked": {
        "type": "ConditioningSetMask",
        "inputs": {"conditioning": link("text", "conditioning"), "mask": link("marks", "mask")},
    },
    "parts": {
        "type": "BasicGuider",
        "inputs": {"model": link("model", "model"), "conditioning": link("text", "conditioning")},
    },
    "painted": {
        "type": "SamplerCustomAdvanced",
        "inputs": {
            "noise": link("noise", "noise"),
            "guide": link("parts", "guide"),
            "sampler": link("way", "sampler"),
            "sigmas": link("levels", "sigmas"),
            "latent": link("canvas", "latent"),
        },
    },
    "noise": {"type": "RandomNoise", "inputs": {}},
    "way": {"type": "KSamplerSelect", "inputs": {}},
    "levels": {"type": "BasicScheduler", "inputs": {"model": link("model", "model"), "steps": 1}},
    "out": {"type": "VAEDecode", "inputs": {"vae": link("model", "vae"), "latent": link("sampler", "latent")}},
    "save": {"type": "SaveImage", "inputs": {"image": link("out", "image")}},
}
CASES = {
    "a LoRA of another family": ({"sampler_model": link("lora", "model")}, "lora", "lora", "made for another model"),
    "a ControlNet of another family": (
        {"sampler_positive": link("apply", "positive"), "sampler_negative": link("apply", "negative")},
        "sampler",
        "positive",
        "ControlNet: this one takes text 1024 wide, got 768; use one made for this kind of model",
    ),
    "text of another family": (
        {"text_clip": link("other", "clip")},
        "sampler",
        "positive",
        "Stable Diffusion 1 takes text 768 wide, got 64; encode the prompt with the text encoders of the same family",
    ),
    "text of another family to avoid": (
        {"othertext_clip": link("other", "clip"), "sampler_negative": link("othertext", "conditioning")},
        "sampler",
        "negative",
        "Stable Diffusion 1 takes text 768 wide, got 64",
    ),
    "text of another family, guided by parts": (
        {
            "parts_conditioning": link("othertext", "conditioning"),
            "othertext_clip": link("other", "clip"),
            "out_latent": link("painted", "latent"),
        },
        "painted",
        "guide",
        "conditioning: Stable Diffusion 1 takes text 768 wide, got 64",
    ),
    "masks that are not as many as the pictures": (
        {"canvas_batch": 3, "sampler_positive": link("masked", "conditioning")},
        "sampler",
        "positive",
        "mask: expected 1 or 3 items for 3 latents, got 2",
    ),
    "a VAE of 16 channels on a latent of 4": (
        {"out_vae": link("other", "vae")},
        "out",
        "latent",
        "this VAE takes 16 channels, got 4",
    ),
    "a latent of 16 channels for a model of 4": (
        {"picture_vae": link("other", "vae"), "sampler_latent": link("picture", "latent")},
        "sampler",
        "latent",
        "this model works on 4 channels, got 16; encode the picture with the model's own VAE",
    ),
    "no text encoder": ({"model_checkpoint": "network-only.safetensors"}, "text", "clip", "add a CLIPLoader"),
    "no VAE": (
        {"other_checkpoint": "network-only.safetensors", "out_vae": link("other", "vae")},
        "out",
        "vae",
        "add a VAELoader",
    ),
    "a VAE as checkpoint": ({"model_checkpoint": "vae.safetensors"}, "model", "checkpoint", "it is a VAE"),
    "a LoRA as checkpoint": ({"model_checkpoint": "lora.safetensors"}, "model", "checkpoint", "it is a LoRA"),
    "half a file": ({"model_checkpoint": "half.safetensors"}, "model", "checkpoint", "truncated"),
    "a checkpoint as ControlNet": (
        {
            "control_control_net": "whole.safetensors",
            "sampler_positive": link("apply", "positive"),
        },
        "control",
        "control_net",
        "expected a ControlNet; it is a whole checkpoint",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_input_to_blame_is_named(case: str, folder: Path, tmp_path: Path) -> None:
    changes, node, port, message = CASES[case]
    document: Document = {"version": 1, "nodes": NODES}
    studio = Studio(folder, tmp_path)
    assert studio.run(changed(document, **changes), ["save"]).state == "failed"
    (failure,) = (event.error for event in studio.events if isinstance(event, Failed))
    assert (failure.node, failure.port) == (node, port)
    assert message in failure.message


def test_the_same_parts_in_their_places_paint(folder: Path, tmp_path: Path) -> None:
    studio = Studio(folder, tmp_path)
    assert studio.run({"version": 1, "nodes": NODES}, ["save"]).state == "done"
