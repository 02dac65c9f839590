"""Merging by weighted sum: exact arithmetic, a new value, the merged ones untouched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from diffusion.loader import load_mmdit, load_unet
from diffusion.merge import merge_models
from diffusion.model import Model
from tests.diffusion import tiny


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Model, Model]:
    a = tiny.network_of(tiny.SD3).state_dict()
    torch.manual_seed(9)
    b = {name: tensor + torch.randn_like(tensor) for name, tensor in a.items()}
    paths = (tiny.save(tmp_path / "a.safetensors", a), tiny.save(tmp_path / "b.safetensors", b))
    first, second = (load_mmdit(path, "cpu") for path in paths)
    return first, second


def in_precision(model: Model, dtype: torch.dtype) -> Model:
    network = tiny.network_of(tiny.SD3)
    network.load_state_dict(model.network.state_dict())
    return replace(model, network=network.to(dtype), dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5, 1.0, 1.5])
def test_every_tensor_is_mixed_in_float32_and_rounded_once(
    pair: tuple[Model, Model], dtype: torch.dtype, ratio: float
) -> None:
    a, b = (in_precision(model, dtype) for model in pair)
    merged = merge_models(a, b, ratio).network.state_dict()
    left, right = a.network.state_dict(), b.network.state_dict()
    assert merged.keys() == left.keys()
    for name, tensor in merged.items():
        assert tensor.dtype == dtype
        assert torch.equal(tensor, torch.lerp(left[name].float(), right[name].float(), ratio).to(dtype))


def test_two_precisions_give_that_of_the_first(pair: tuple[Model, Model]) -> None:
    a, b = in_precision(pair[0], torch.float16), in_precision(pair[1], torch.bfloat16)
    merged = merge_models(a, b, 0.25).network.state_dict()
    left, right = a.network.state_dict(), b.network.state_dict()
    for name, tensor in merged.items():
        assert torch.equal(tensor, torch.lerp(left[name].float(), right[name].float(), 0.25).half())


def test_the_ends_are_the_models_themselves(pair: tuple[Model, Model]) -> None:
    for ratio, model in zip((0.0, 1.0), pair, strict=True):
        merged = merge_models(*pair, ratio).network.state_dict()
        assert all(torch.equal(tensor, model.network.state_dict()[name]) for name, tensor in merged.items())


def test_nothing_is_shared_and_nothing_is_touched(pair: tuple[Model, Model]) -> None:
    before = [{name: tensor.clone() for name, tensor in model.network.state_dict().items()} for model in pair]
    merged = merge_models(*pair, 0.5)
    modules = {id(module) for model in pair for module in model.network.modules()}
    memory = {tensor.data_ptr() for model in pair for tensor in model.network.state_dict().values()}
    assert modules.isdisjoint(id(module) for module in merged.network.modules())
    assert memory.isdisjoint(tensor.data_ptr() for tensor in merged.network.state_dict().values())
    with torch.no_grad():
        for tensor in merged.network.state_dict().values():
            tensor.zero_()
    for model, state in zip(pair, before, strict=True):
        assert all(torch.equal(tensor, state[name]) for name, tensor in model.network.state_dict().items())


def test_the_rest_is_that_of_the_first_and_the_network_runs(pair: tuple[Model, Model]) -> None:
    merged = merge_models(*pair, 0.5)
    assert replace(merged, network=pair[0].network, origin=pair[0].origin) == pair[0]
    assert not merged.network.training
    inputs = (torch.randn(1, 16, 4, 4), torch.tensor([5.0]), torch.randn(1, 77, 64), torch.randn(1, 64))
    outputs = [model.output(*inputs) for model in (*pair, merged)]
    assert outputs[2].isfinite().all()
    assert not torch.equal(outputs[2], outputs[0])


def test_the_origin_tells_the_recipe(pair: tuple[Model, Model]) -> None:
    a, b = pair
    origins = [merge_models(a, b, 0.5), merge_models(a, b, 0.25), merge_models(b, a, 0.5), merge_models(a, a, 0.5)]
    assert len({model.origin for model in (*pair, *origins)}) == 6
    assert merge_models(a, b, 0.5).origin == origins[0].origin
    assert len(merge_models(origins[0], origins[1], 0.5).origin) == len(origins[0].origin)


@pytest.mark.parametrize("ratio", [float("nan"), float("inf")])
def test_a_ratio_that_is_no_number_is_refused(pair: tuple[Model, Model], ratio: float) -> None:
    with pytest.raises(ValueError, match="finite ratio"):
        merge_models(*pair, ratio)


def test_networks_that_are_not_alike_are_refused_by_name(pair: tuple[Model, Model], tmp_path: Path) -> None:
    deeper = tiny.network_of(replace(tiny.SD3, depth=3)).state_dict()
    other = load_mmdit(tiny.save(tmp_path / "deep.safetensors", deeper), "cpu")
    with pytest.raises(ValueError, match=r"joint_blocks\.1\.context_block.* only in B"):
        merge_models(pair[0], other, 0.5)
    wider = tiny.network_of(replace(tiny.SD3, y_dim=32)).state_dict()
    other = load_mmdit(tiny.save(tmp_path / "wide.safetensors", wider), "cpu")
    with pytest.raises(ValueError, match=r"y_embedder\.mlp\.0\.weight \[128, 64\] in A, \[128, 32\] in B"):
        merge_models(pair[0], other, 0.5)
    unet = load_unet(tiny.save(tmp_path / "unet.safetensors", tiny.network_of(tiny.SD15).state_dict()), "cpu")
    with pytest.raises(ValueError, match=r"A \(sd3\) and B \(sd15\) are not built alike"):
        merge_models(pair[0], unet, 0.5)


def test_a_parameter_stays_a_parameter_and_a_buffer_a_buffer(pair: tuple[Model, Model]) -> None:
    merged = merge_models(*pair, 0.5).network
    assert [n for n, _ in merged.named_parameters()] == [n for n, _ in pair[0].network.named_parameters()]
    assert [n for n, _ in merged.named_buffers()] == [n for n, _ in pair[0].network.named_buffers()]
    assert all(isinstance(parameter, nn.Parameter) for parameter in merged.parameters())
