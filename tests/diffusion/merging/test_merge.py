"""Merging: exact arithmetic, a new value that shares what it may, the merged ones untouched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from diffusion.blocks import Ratios, parse_rules
from diffusion.loader import load_checkpoint, load_mmdit, load_unet
from diffusion.merging.formulas import FORMULAS
from diffusion.merging.merge import merge_clips, merge_models, merge_vaes
from diffusion.merging.recipe import Recipe
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


def mixed(a: Model, b: Model, ratio: float) -> Model:
    return merge_models([a, b], Recipe(Ratios(ratio)))


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
    merged = mixed(a, b, ratio).network.state_dict()
    left, right = a.network.state_dict(), b.network.state_dict()
    assert merged.keys() == left.keys()
    for name, tensor in merged.items():
        assert tensor.dtype == dtype
        assert torch.equal(tensor, torch.lerp(left[name].float(), right[name].float(), ratio).to(dtype))


def test_two_precisions_give_that_of_the_first(pair: tuple[Model, Model]) -> None:
    a, b = in_precision(pair[0], torch.float16), in_precision(pair[1], torch.bfloat16)
    merged = mixed(a, b, 0.25).network.state_dict()
    left, right = a.network.state_dict(), b.network.state_dict()
    for name, tensor in merged.items():
        assert torch.equal(tensor, torch.lerp(left[name].float(), right[name].float(), 0.25).half())


def test_the_ends_are_the_models_themselves(pair: tuple[Model, Model]) -> None:
    for ratio, model in zip((0.0, 1.0), pair, strict=True):
        merged = mixed(*pair, ratio).network.state_dict()
        assert all(torch.equal(tensor, model.network.state_dict()[name]) for name, tensor in merged.items())


def test_nothing_is_shared_and_nothing_is_touched(pair: tuple[Model, Model]) -> None:
    before = [{name: tensor.clone() for name, tensor in model.network.state_dict().items()} for model in pair]
    merged = mixed(*pair, 0.5)
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
    merged = mixed(*pair, 0.5)
    assert replace(merged, network=pair[0].network, origin=pair[0].origin) == pair[0]
    assert not merged.network.training
    inputs = (torch.randn(1, 16, 4, 4), torch.tensor([5.0]), torch.randn(1, 77, 64), torch.randn(1, 64))
    outputs = [model.output(*inputs) for model in (*pair, merged)]
    assert outputs[2].isfinite().all()
    assert not torch.equal(outputs[2], outputs[0])


def test_the_origin_tells_the_recipe(pair: tuple[Model, Model]) -> None:
    a, b = pair
    origins = [mixed(a, b, 0.5), mixed(a, b, 0.25), mixed(b, a, 0.5), mixed(a, a, 0.5)]
    assert len({model.origin for model in (*pair, *origins)}) == 6
    assert mixed(a, b, 0.5).origin == origins[0].origin
    assert len(mixed(origins[0], origins[1], 0.5).origin) == len(origins[0].origin)


@pytest.mark.parametrize("ratio", [float("nan"), float("inf")])
def test_a_ratio_that_is_no_number_is_refused(pair: tuple[Model, Model], ratio: float) -> None:
    with pytest.raises(ValueError, match="finite ratios"):
        mixed(*pair, ratio)


def test_networks_that_are_not_alike_are_refused_by_name(pair: tuple[Model, Model], tmp_path: Path) -> None:
    deeper = tiny.network_of(replace(tiny.SD3, depth=3)).state_dict()
    other = load_mmdit(tiny.save(tmp_path / "deep.safetensors", deeper), "cpu")
    with pytest.raises(ValueError, match=r"joint_blocks\.1\.context_block.* only in B"):
        mixed(pair[0], other, 0.5)
    wider = tiny.network_of(replace(tiny.SD3, y_dim=32)).state_dict()
    other = load_mmdit(tiny.save(tmp_path / "wide.safetensors", wider), "cpu")
    with pytest.raises(ValueError, match=r"y_embedder\.mlp\.0\.weight \[128, 64\] in A, \[128, 32\] in B"):
        mixed(pair[0], other, 0.5)
    unet = load_unet(tiny.save(tmp_path / "unet.safetensors", tiny.network_of(tiny.SD15).state_dict()), "cpu")
    with pytest.raises(ValueError, match=r"A \(sd3\) and B \(sd15\) are not built alike"):
        mixed(pair[0], unet, 0.5)


def test_a_parameter_stays_a_parameter_and_a_buffer_a_buffer(pair: tuple[Model, Model]) -> None:
    merged = mixed(*pair, 0.5).network
    assert [n for n, _ in merged.named_parameters()] == [n for n, _ in pair[0].network.named_parameters()]
    assert [n for n, _ in merged.named_buffers()] == [n for n, _ in pair[0].network.named_buffers()]
    assert all(isinstance(parameter, nn.Parameter) for parameter in merged.parameters())


def test_rounding_between_the_steps_would_show(pair: tuple[Model, Model]) -> None:
    """What float32 inside is for: mixing halves in halves puts about a third of all values a bit off."""
    a, b = (in_precision(model, torch.float16) for model in pair)
    merged = mixed(a, b, 0.3).network.state_dict()
    left, right = a.network.state_dict(), b.network.state_dict()
    off = sum(int((merged[n] != (1 - 0.3) * left[n] + 0.3 * right[n]).sum()) for n in merged)
    assert 0.2 < off / sum(tensor.numel() for tensor in merged.values()) < 0.5


def test_blocks_have_ratios_of_their_own_and_what_is_left_alone_is_shared(pair: tuple[Model, Model]) -> None:
    recipe = Recipe(Ratios(0.0, rules=parse_rules("J01:0.5, FINAL:1, J01:attn:0.25")))
    merged = merge_models(pair, recipe).network.state_dict()
    left, right = (model.network.state_dict() for model in pair)
    for name, tensor in merged.items():
        ratio = 0.25 if "joint_blocks.1" in name and "attn" in name else 0.5 if "joint_blocks.1" in name else None
        ratio = 1.0 if name.startswith("final_layer") else ratio
        if ratio is None:
            assert tensor.data_ptr() == left[name].data_ptr()
        else:
            assert torch.equal(tensor, torch.lerp(left[name], right[name], ratio))


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_formula_makes_a_model_that_runs(formula: str, pair: tuple[Model, Model]) -> None:
    c = mixed(*pair, 0.4)
    merged = merge_models([*pair, c], Recipe(Ratios(0.5), formula, beta=0.3, seed=1))
    output = merged.network(torch.randn(1, 16, 4, 4), torch.tensor([5.0]), torch.randn(1, 77, 64), torch.randn(1, 64))
    assert output.isfinite().all()
    assert merged.origin not in (pair[0].origin, mixed(*pair, 0.5).origin)


@pytest.mark.parametrize("formula", [name for name, formula in FORMULAS.items() if formula.keeps_a])
def test_a_ratio_of_0_shares_everything_with_a(formula: str, pair: tuple[Model, Model]) -> None:
    merged = merge_models([*pair, pair[1]], Recipe(Ratios(0.0), formula, beta=0.3)).network.state_dict()
    assert all(tensor.data_ptr() == merged[n].data_ptr() for n, tensor in pair[0].network.state_dict().items())


def test_chance_follows_the_seed_and_the_name_alone(pair: tuple[Model, Model]) -> None:
    def merged(seed: int, rules: str = "") -> dict[str, torch.Tensor]:
        recipe = Recipe(Ratios(1.0, rules=parse_rules(rules)), "dare", beta=0.5, seed=seed)
        return merge_models(pair, recipe).network.state_dict()

    one, again, other, part = merged(1), merged(1), merged(2), merged(1, "J00:0")
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    assert all(torch.equal(one[name], part[name]) for name in one if "joint_blocks.0" not in name)


def test_a_formula_of_three_asks_for_the_third(pair: tuple[Model, Model]) -> None:
    with pytest.raises(ValueError, match="add_difference needs a third model, C"):
        merge_models(pair, Recipe(Ratios(1.0), "add_difference"))


def test_what_a_model_learned_is_added_to_one_that_takes_masked_pictures(tmp_path: Path) -> None:
    """A has 9 input channels, B and C 4: the others of A stay as they are."""
    wide = tiny.network_of(replace(tiny.SD15, in_channels=9)).state_dict()
    base = tiny.network_of(tiny.SD15).state_dict()
    tuned = {name: tensor + 0.1 for name, tensor in base.items()}
    b, c = (load_unet(tiny.save(tmp_path / f"{n}.safetensors", s), "cpu") for n, s in enumerate((tuned, base)))
    a = replace(b, network=tiny.network_of(replace(tiny.SD15, in_channels=9)))
    models = [a, b, c]
    merged = merge_models(models, Recipe(Ratios(1.0), "add_difference")).network.state_dict()
    first = merged.pop("input_blocks.0.0.weight")
    assert torch.equal(first[:, 4:], wide["input_blocks.0.0.weight"][:, 4:])
    assert torch.allclose(first[:, :4], wide["input_blocks.0.0.weight"][:, :4] + 0.1, atol=1e-6)
    assert all(torch.allclose(tensor, wide[name] + 0.1, atol=1e-5) for name, tensor in merged.items())
    with pytest.raises(ValueError, match=r"input_blocks\.0\.0\.weight .* in A"):
        merge_models([models[1], models[0]], Recipe(Ratios(1.0)))


def test_text_encoders_and_autoencoders_are_merged_too(tmp_path: Path) -> None:
    tensors = tiny.checkpoint_of("sd3")
    moved = {name: tensor + 0.25 for name, tensor in tensors.items()}
    a, b = (load_checkpoint(tiny.save(tmp_path / f"{n}.safetensors", t), "cpu") for n, t in enumerate((tensors, moved)))
    assert a.clip is not None
    assert b.clip is not None
    assert a.vae is not None
    assert b.vae is not None
    clip = merge_clips([a.clip, b.clip], Recipe(Ratios(0.5)))
    expected = [a.clip.encode("a cat"), b.clip.encode("a cat"), clip.encode("a cat")]
    assert not torch.equal(expected[0].entries[0].context_BLD, expected[2].entries[0].context_BLD)
    vae = merge_vaes([a.vae, b.vae], Recipe(Ratios(0.5)))
    latent = torch.randn(1, 16, 2, 2)
    halfway = {n: torch.lerp(t, moved[n], 0.5) for n, t in tensors.items()}
    direct = load_checkpoint(tiny.save(tmp_path / "half.safetensors", halfway), "cpu")
    assert direct.vae is not None
    assert direct.clip is not None
    assert torch.equal(vae.decode(latent), direct.vae.decode(latent))
    assert torch.equal(expected[2].entries[0].context_BLD, direct.clip.encode("a cat").entries[0].context_BLD)
    assert len({vae.origin, a.vae.origin, b.vae.origin}) == 3
