"""Models folders with tiny random checkpoints, written once."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor

from tests.diffusion.tiny import checkpoint_of, clip_of, plain, save
from tests.nodes.studio import Studio

NETWORK, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models_in(tmp_path_factory.mktemp("models"))


def models_in(root: Path) -> Path:
    """Checkpoints of the SD3 kind (16 channels), one under the name the templates ask for, and one of the SD1 kind
    (4 channels), whole and in parts."""
    for folder in ("checkpoints", "diffusion_models", "text_encoders", "vae"):
        (root / folder).mkdir()
    sd3 = checkpoint_of("sd3")
    save(root / "checkpoints" / "weft-emoji.safetensors", sd3)
    save(root / "checkpoints" / "other.safetensors", {name: tensor * 0.9 for name, tensor in sd3.items()})
    save(root / "checkpoints" / "network-only.safetensors", part_of(sd3, NETWORK, NETWORK))
    save(root / "diffusion_models" / "sd3.safetensors", part_of(sd3, NETWORK))
    sd15 = checkpoint_of("sd15") | {TEXT + name: tensor for name, tensor in plain(clip_of(width=768)).items()}
    sd15 = {name: tensor.half() for name, tensor in sd15.items()}
    save(root / "checkpoints" / "sd15.safetensors", sd15)
    save(root / "diffusion_models" / "sd15.safetensors", part_of(sd15, NETWORK))
    save(root / "text_encoders" / "clip_l.safetensors", part_of(sd15, TEXT))
    save(root / "vae" / "sd15.safetensors", part_of(sd15, VAE))
    return root


def part_of(tensors: dict[str, Tensor], prefix: str, again: str = "") -> dict[str, Tensor]:
    """The tensors under a prefix, under another one."""
    return {again + name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


@pytest.fixture
def studio(models: Path, tmp_path: Path) -> Studio:
    return Studio(models, tmp_path)
