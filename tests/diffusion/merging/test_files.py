"""Merging files: what merging the models in them gives, tensor by tensor, in a file that loads and tells its recipe."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from diffusion.blocks import Ratios, parse_rules
from diffusion.header import BadWeights
from diffusion.loader import load_checkpoint, load_unet
from diffusion.merging import files as merging
from diffusion.merging.files import RECIPE, Merged, merge_files
from diffusion.merging.formulas import FORMULAS
from diffusion.merging.merge import merge_models
from diffusion.merging.recipe import Recipe
from diffusion.model import Model
from diffusion.saving import chunks
from tests.diffusion import tiny

NETWORK, TEXT, VAE = "model.diffusion_model.", "cond_stage_model.transformer.", "first_stage_model."


def variants(count: int, dtype: torch.dtype) -> list[dict[str, Tensor]]:
    """Checkpoints of one kind that differ in every tensor."""
    base = tiny.checkpoint_of("sd15")
    torch.manual_seed(4)
    return [
        {n: (t + 0.1 * i * torch.randn_like(t)).to(dtype) if t.is_floating_point() else t for n, t in base.items()}
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("merging")
    return [tiny.save(folder / f"{n}.safetensors", t) for n, t in zip("abcd", variants(4, torch.float16))]


def written(merged: Merged, path: Path) -> Path:
    path.write_bytes(b"".join(chunks(merged.tensors, merged.metadata, lambda _done, _total: None)))
    return path


def same(file: Mapping[str, Tensor], prefix: str, state: Mapping[str, Tensor]) -> None:
    for name, tensor in state.items():
        assert torch.equal(file[prefix + name], tensor), name


@pytest.mark.parametrize(
    "formula",
    ["weighted_sum", "add_difference", "train_difference", "average", "cosine_b", "perpendicular", "dare", "rows"],
)
def test_a_file_is_what_merging_the_models_gives(paths: list[Path], formula: str, tmp_path: Path) -> None:
    recipe = Recipe(Ratios(0.4, "grad_v", parse_rules("IN00:0.9, M00:attn2:0")), formula, beta=0.3, seed=5)
    merged = load_file(written(merge_files(paths[:3], recipe), tmp_path / "merged.safetensors"))
    models = [load_checkpoint(path, "cpu").model for path in paths[:3]]
    halves = [as_half(model) for model in models]
    expected = merge_models(halves, recipe).network.state_dict()
    survey = FORMULAS[formula].survey is not None  # of a whole file, not of its network
    for name, tensor in expected.items():
        assert survey or torch.equal(merged[NETWORK + name], tensor), name
    assert merged.keys() == {name for name in load_file(paths[0]) if not name.startswith("model_ema.")}


def as_half(model: Model) -> Model:
    network = type(model.network)(model.network.params)  # type: ignore[call-arg]
    network.load_state_dict(model.network.state_dict())
    return Model(**{**vars(model), "network": network.half(), "dtype": torch.float16})


def test_text_encoders_and_vae_take_the_ratio_itself(paths: list[Path], tmp_path: Path) -> None:
    recipe = Recipe(Ratios(0.3, "grad_v"))
    merged = load_file(written(merge_files(paths[:2], recipe), tmp_path / "m.safetensors"))
    a, b = load_file(paths[0]), load_file(paths[1])
    outside = [name for name in a if not name.startswith(NETWORK)]
    assert any(name.startswith(TEXT) for name in outside)
    outside = [name for name in outside if not name.endswith("position_ids") and not name.startswith("model_ema.")]
    for name in outside:
        assert torch.equal(merged[name], torch.lerp(a[name].float(), b[name].float(), 0.3).half())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_one_rounding_to_the_precision_asked_for(paths: list[Path], dtype: torch.dtype, tmp_path: Path) -> None:
    merged = load_file(written(merge_files(paths[:2], Recipe(Ratios(0.3)), dtype), tmp_path / "m.safetensors"))
    a, b = load_file(paths[0]), load_file(paths[1])
    for name, tensor in merged.items():
        if not name.endswith("position_ids"):  # often damaged by rounding, and known anyway
            assert torch.equal(tensor, torch.lerp(a[name].float(), b[name].float(), 0.3).to(dtype))


def test_any_number_of_files_has_a_mean(paths: list[Path], tmp_path: Path) -> None:
    merged = load_file(written(merge_files(paths, Recipe(Ratios(1.0), "average")), tmp_path / "m.safetensors"))
    all_of = [load_file(path) for path in paths]
    for name, tensor in merged.items():
        mean = torch.stack([file[name].float() for file in all_of]).mean(0)
        assert name.endswith("position_ids") or torch.equal(tensor, mean.half())
    with pytest.raises(ValueError, match="takes 2 to 3 models, got 4"):
        merge_files(paths, Recipe(Ratios(0.5)))
    with pytest.raises(ValueError, match="needs a third model"):
        merge_files(paths[:2], Recipe(Ratios(0.5), "add_difference"))


@pytest.mark.parametrize("formula", ["weighted_sum", "train_difference"])
def test_pieces_are_the_whole(paths: list[Path], formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    merged = merge_files(paths[:3], Recipe(Ratios(0.3), formula), torch.bfloat16)
    name = max(merged.tensors, key=lambda name: torch.Size(merged.tensors[name].shape).numel())
    monkeypatch.setattr(merging, "PIECE", 1 << 30)
    (whole,) = merged.tensors[name].parts()
    monkeypatch.setattr(merging, "PIECE", 1000)
    pieces = list(merged.tensors[name].parts())
    assert len(pieces) == -(-whole.numel() // 1000)
    assert torch.equal(torch.cat(pieces), whole.flatten())


def test_a_network_alone_is_merged_into_a_checkpoint(paths: list[Path], tmp_path: Path) -> None:
    """The network of another layout's prefix; the VAE and the text encoder come along from A."""
    b = {n.removeprefix(NETWORK): t for n, t in load_file(paths[1]).items() if n.startswith(NETWORK)}
    bare = tiny.save(tmp_path / "bare.safetensors", b)
    merged = merge_files([paths[0], bare], Recipe(Ratios(1.0)))
    found = load_file(written(merged, tmp_path / "m.safetensors"))
    a = load_file(paths[0])
    same(found, NETWORK, b)
    others = [name for name in a if not name.startswith((NETWORK, "model_ema."))]
    assert all(torch.equal(found[name], a[name]) for name in others)
    assert merged.told == {"mixed": len(b), "of_a_alone": len(others), "left_out": 1}
    back = written(merge_files([bare, paths[0]], Recipe(Ratios(1.0))), tmp_path / "back.safetensors")
    same(load_file(back), "", {n.removeprefix(NETWORK): t for n, t in a.items() if n.startswith(NETWORK)})


def test_the_recipe_is_in_the_file_and_grows(paths: list[Path], tmp_path: Path) -> None:
    recipe = Recipe(Ratios(0.3, "flat", parse_rules("IN00-IN01:0.2")), seed=3)
    first = written(merge_files(paths[:2], recipe), tmp_path / "first.safetensors")
    second = written(merge_files([first, paths[2]], Recipe(Ratios(0.5))), tmp_path / "second.safetensors")
    with safe_open(second, "pt") as file:
        told = json.loads(file.metadata()[RECIPE])
    assert told["formula"] == "weighted_sum"
    assert told["alpha"] == 0.5
    inner, other = told["files"]
    assert inner["sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert other == {"name": "c.safetensors", "sha256": hashlib.sha256(paths[2].read_bytes()).hexdigest()}
    assert inner["recipe"]["blocks"] == "IN00-IN01:0.2"
    assert [file["name"] for file in inner["recipe"]["files"]] == ["a.safetensors", "b.safetensors"]


def test_what_a_file_says_of_itself_stays(tmp_path: Path) -> None:
    a, b = variants(2, torch.float32)
    marked = a | {"v_pred": torch.empty(0)}
    path = tmp_path / "a.safetensors"
    save_file(marked, path, {"modelspec.title": "A", "format": "pt"})
    other = tiny.save(tmp_path / "b.safetensors", b)
    merged = merge_files([path, other], Recipe(Ratios(0.5)), torch.float16)
    out = written(merged, tmp_path / "m.safetensors")
    found = load_file(out)
    assert found["v_pred"].shape == (0,)
    assert not any(name.startswith("model_ema.") for name in found)
    assert merged.told["left_out"] == 1
    with safe_open(out, "pt") as file:
        assert file.metadata()["modelspec.title"] == "A"
    assert load_checkpoint(out, "cpu").vae is not None


def test_an_inpainting_network_keeps_its_own_channels(tmp_path: Path) -> None:
    from dataclasses import replace

    wide = tiny.network_of(replace(tiny.SD15, in_channels=9)).half().state_dict()
    plain = tiny.network_of(tiny.SD15).half().state_dict()
    files = [tiny.save(tmp_path / f"{n}.safetensors", t) for n, t in (("wide", wide), ("plain", plain))]
    found = load_file(written(merge_files(files, Recipe(Ratios(1.0))), tmp_path / "m.safetensors"))
    first = found["input_blocks.0.0.weight"]
    assert torch.equal(first[:, :4], plain["input_blocks.0.0.weight"])
    assert torch.equal(first[:, 4:], wide["input_blocks.0.0.weight"][:, 4:])
    assert load_unet(tmp_path / "m.safetensors", "cpu").extra_channels is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(NETWORK + "out.2.weight"), r"not built alike, 1 tensors differ: out.2.weight only in A"),
        (lambda t: t.update({NETWORK + "extra": torch.ones(1)}), r"extra only in B"),
        (lambda t: t.update({VAE + "decoder.conv_in.bias": torch.ones(3)}), r"conv_in.bias has different shapes"),
    ],
)
def test_files_that_do_not_fit_are_refused(paths: list[Path], change: object, message: str, tmp_path: Path) -> None:
    (_, b) = variants(2, torch.float16)
    change(b)  # type: ignore[operator]
    with pytest.raises(ValueError, match=message):
        merge_files([paths[0], tiny.save(tmp_path / "b.safetensors", b)], Recipe(Ratios(0.5)))


def test_no_safetensors_and_no_such_block(paths: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"PK\x03\x04 something")
    with pytest.raises(BadWeights, match="archive"):
        merge_files([paths[0], bad], Recipe(Ratios(0.5)))
    with pytest.raises(ValueError, match="this network has no J03"):
        merge_files(paths[:2], Recipe(Ratios(0.5, "flat", parse_rules("J03:1"))))


def test_a_tensor_at_a_time_is_in_memory(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensors = {f"layer.{i}.weight": torch.randn(1 << 20).half() for i in range(16)}
    files = [tiny.save(tmp_path / f"{n}.safetensors", tensors) for n in "ab"]
    merged = merge_files(files, Recipe(Ratios(0.5)))
    tracemalloc.start()
    largest = max(len(piece) for piece in chunks(merged.tensors, merged.metadata, lambda _done, _total: None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert largest <= max(2 * merging.PIECE, 1 << 16)
    assert peak < 4 << 20
