"""Joining LoRAs: the sum of their changes, whatever their rank, alpha, strength and form."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from diffusion.patches.adapters import LoRA
from diffusion.patches.combine import Weighted, combine, concatenated, tensors_of
from diffusion.patches.file import AdapterFile, read_adapters
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import relative_error

TOLERANCE = 1e-6


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def linear(rank: int, alpha: float | None = None) -> LoRA:
    return LoRA(torch.randn(24, rank), torch.randn(rank, 16), alpha=alpha)


def summed(parts: list[tuple[LoRA, float]], weight: Tensor) -> Tensor:
    return torch.stack([strength * lora.delta(weight) for lora, strength in parts]).sum(0)


@pytest.mark.parametrize("strengths", [(1.0, 1.0), (0.7, -1.3), (-2.0, 0.0)])
def test_changes_add_up(strengths: tuple[float, float]) -> None:
    weight = torch.randn(24, 16)
    parts = list(zip((linear(4, 2.0), linear(6)), strengths, strict=True))
    joined = concatenated(parts)
    assert joined.rank == 10
    assert relative_error(joined.delta(weight), summed(parts, weight)) <= TOLERANCE


def test_convolutions_and_their_tucker_forms_add_up() -> None:
    weight = torch.randn(24, 16, 3, 3)
    plain = LoRA(torch.randn(24, 4, 1, 1), torch.randn(4, 16, 3, 3), alpha=1.0)
    core = LoRA(torch.randn(24, 3, 1, 1), torch.randn(2, 16, 1, 1), torch.randn(3, 2, 3, 3), alpha=5.0)
    parts = [(plain, 0.5), (core, -1.5)]
    joined = concatenated(parts)
    assert joined.up.shape == (24, 7, 1, 1)
    assert relative_error(joined.delta(weight), summed(parts, weight)) <= TOLERANCE


def test_half_precision_is_joined_in_float32() -> None:
    weight = torch.randn(24, 16)
    halves = [LoRA(lora.up.half(), lora.down.half(), alpha=3.0) for lora in (linear(4), linear(4))]
    parts = [(halves[0], 0.3), (halves[1], 0.9)]
    assert relative_error(concatenated(parts).delta(weight), summed(parts, weight)) <= TOLERANCE


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape, got \[24, 16\], \[24, 8\]"):
        concatenated([(linear(4), 1.0), (LoRA(torch.randn(24, 4), torch.randn(4, 8)), 1.0)])


def file_of(folder: Path, name: str, loras: dict[str, LoRA]) -> AdapterFile:
    tensors: dict[str, Tensor] = {}
    for layer, lora in loras.items():
        tensors |= {f"{layer}.lora_up.weight": lora.up, f"{layer}.lora_down.weight": lora.down}
    return read_adapters(tiny.save(folder / name, tensors))


def test_files_are_joined_layer_by_layer_and_can_be_written(tmp_path: Path) -> None:
    a = {"lora_unet_x": linear(4), "lora_te1_x": linear(2)}
    b = {"unet.x": linear(3), "lora_unet_y": linear(3)}
    parts = [Weighted(file_of(tmp_path, "a", a), 0.5), Weighted(file_of(tmp_path, "b", b), -1.0)]
    joined = combine(parts)
    again = read_adapters(tiny.save(tmp_path / "joined", tensors_of(joined)))
    weight = torch.randn(24, 16)
    expected = {
        "lora_unet_x": [(a["lora_unet_x"], 0.5), (b["unet.x"], -1.0)],
        "lora_te1_x": [(a["lora_te1_x"], 0.5)],
        "lora_unet_y": [(b["lora_unet_y"], -1.0)],
    }
    for file in (joined, again):
        changes = {change.key: change for change in file.changes}
        assert changes.keys() == expected.keys()
        for key, members in expected.items():
            adapter = changes[key].weight
            assert adapter is not None
            assert relative_error(adapter.delta(weight), summed(members, weight)) <= TOLERANCE
    assert combine(parts[:1]).origin != joined.origin == combine(parts).origin


def test_what_cannot_be_joined_is_refused(tmp_path: Path) -> None:
    a = file_of(tmp_path, "a", {"lora_unet_x": linear(4)})
    full = read_adapters(tiny.save(tmp_path / "full", {"lora_unet_x.diff": torch.ones(2, 2)}))
    with pytest.raises(ValueError, match="full: lora_unet_x is no plain LoRA"):
        combine([Weighted(a, 1.0), Weighted(full, 1.0)])
    with pytest.raises(ValueError, match="finite strengths"):
        combine([Weighted(a, math.inf)])
    with pytest.raises(ValueError, match="at least one"):
        combine([Weighted(a, 0.0)])
