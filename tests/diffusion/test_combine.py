"""Joining LoRAs: the sum of their changes, whatever their rank, alpha, strength and form."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from diffusion.loader import load_unet
from diffusion.patches.adapters import LoRA
from diffusion.patches.apply import patch_model
from diffusion.patches.combine import (
    Weighted,
    combine,
    concatenated,
    differences,
    extracted,
    resized,
    shrunk,
    tensors_of,
)
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


def best(matrix: Tensor, rank: int) -> Tensor:
    """The closest matrix of that rank."""
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    return u[:, :rank] * s[:rank] @ vh[:rank]


@pytest.mark.parametrize("rank", [1, 3, 10, 40])
def test_a_lower_rank_is_the_closest_there_is(rank: int) -> None:
    """The small core tells the same as the decomposition of the whole product."""
    weight = torch.randn(48, 40)
    parts = [(LoRA(torch.randn(48, r), torch.randn(r, 40), alpha=2.0), 0.7) for r in (4, 6)]
    joined = concatenated(parts)
    whole = joined.delta(weight)
    smaller, kept = resized(joined, rank)
    assert smaller.rank == smaller.alpha == min(rank, 10)
    assert relative_error(smaller.delta(weight), best(whole, rank)) <= 4e-6
    assert kept == pytest.approx(float(smaller.delta(weight).square().sum() / whole.square().sum()), rel=1e-4)


def test_ups_and_downs_added_by_themselves_would_be_far_off() -> None:
    """What other tools do: the sum of the ups times the sum of the downs has cross terms nobody trained."""
    weight = torch.randn(24, 16)
    a, b = linear(4), linear(4)
    exact = summed([(a, 0.5), (b, 0.5)], weight)
    crossed = LoRA(0.5 * (a.up + b.up), 0.5 * (a.down + b.down)).delta(weight)
    assert relative_error(concatenated([(a, 0.5), (b, 0.5)]).delta(weight), exact) <= TOLERANCE
    assert relative_error(crossed, exact) > 0.3


@pytest.mark.parametrize("size", [(300, 200), (300, 20, 3, 3)])
def test_an_extracted_lora_is_nearly_the_closest(size: tuple[int, ...]) -> None:
    """Of a spectrum as trained differences have it, within 1.05 % of the least there can be."""
    matrix = torch.randn(size).flatten(1)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    matrix = u * (torch.arange(1, u.shape[1] + 1) ** -0.8) @ vh
    lora, kept = extracted(matrix.reshape(size), 16)
    left = (matrix - lora.delta(torch.zeros(size)).flatten(1)).norm()
    least = (matrix - best(matrix, 16)).norm()
    assert left <= 1.0105 * least
    assert kept == pytest.approx(1 - float(left / matrix.norm()) ** 2, abs=1e-4)


def test_a_lora_and_its_model_give_it_back(tmp_path: Path) -> None:
    """Whatever changed: matrices, convolutions, biases and norms."""
    a, b = tiny.network_of(tiny.SD15), tiny.network_of(tiny.SD15)
    with torch.no_grad():
        for name, tensor in b.named_parameters():
            if tensor.ndim == 1:
                tensor.add_(0.1)
            elif "attn1.to_q" in name or "conv" in name or "in_layers" in name:
                out, into = tensor.flatten(1).shape
                tensor.add_((torch.randn(out, 2) @ torch.randn(2, into)).view_as(tensor) * 0.01)
    tensors, kept = differences(a, b, "lora_unet_", 4)
    assert min(kept.values()) > 0.9999
    path = tiny.save(tmp_path / "a.safetensors", a.state_dict())
    model = patch_model(load_unet(path, "cpu"), read_adapters(tiny.save(tmp_path / "d.safetensors", tensors)), 1.0)
    for name, tensor in b.state_dict().items():
        assert torch.allclose(model.network.state_dict()[name], tensor, atol=1e-5), name
    with pytest.raises(ValueError, match="not built alike"):
        differences(a, tiny.network_of(tiny.SD2), "lora_unet_", 4)


def test_a_file_is_made_smaller_layer_by_layer(tmp_path: Path) -> None:
    file = file_of(tmp_path, "a", {"lora_unet_x": linear(6), "lora_te1_x": linear(2)})
    smaller, kept = shrunk(file, 3)
    ranks = {c.key: c.weight.rank for c in smaller.changes if isinstance(c.weight, LoRA)}
    assert ranks == {"lora_unet_x": 3, "lora_te1_x": 2}
    assert kept["lora_unet_x"] < 1 - 1e-3 < kept["lora_te1_x"]
    assert smaller.origin != file.origin
    full = read_adapters(tiny.save(tmp_path / "full", {"lora_unet_x.diff": torch.ones(2, 2)}))
    with pytest.raises(ValueError, match="no plain LoRA"):
        shrunk(full, 3)
