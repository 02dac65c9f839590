"""Adapters: each kind against what it does to a layer's output, every trainer's names, and what stays untouched."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from diffusers import SD3Transformer2DModel
from torch import Tensor, nn

from diffusion.conditioning import Sizes
from diffusion.latents import SD15
from diffusion.layouts import flux as flux_layout
from diffusion.loader import load_checkpoint
from diffusion.model import Model
from diffusion.networks.flux import Flux
from diffusion.networks.mmdit import MMDiT, MMDiTParams
from diffusion.networks.unet import UNet, UNetParams
from diffusion.patches.adapters import BOFT, IA3, OFT, Adapter, Difference, DoRA, GLoRA, LoHa, LoKr, LoRA, Replacement
from diffusion.patches.apply import patch_clip, patch_model
from diffusion.patches.file import read_adapters
from diffusion.patches.names import flat
from diffusion.prediction import Eps
from diffusion.weights import BadWeights, Weights
from tests.diffusion import keymaps, tiny
from tests.diffusion.networks import test_flux as fluxes
from tests.diffusion.networks import test_unet as unets
from tests.diffusion.networks.comparison import relative_error

TOLERANCE = 1e-6
R = 4


def draw(*shape: int) -> Tensor:
    return torch.randn(shape)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def close(got: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    assert relative_error(got, expected) <= tolerance


# --- kinds -----------------------------------------------------------------------------------------------------------


def test_a_lora_of_a_linear_layer_adds_the_low_rank_path() -> None:
    weight, up, down, x = draw(12, 8), draw(12, R), draw(R, 8), draw(3, 8)
    patched = F.linear(x, weight + LoRA(up, down, alpha=2.0).delta(weight))
    close(patched, F.linear(x, weight) + 2.0 / R * F.linear(F.linear(x, down), up))


def test_without_alpha_the_factor_is_one() -> None:
    up, down, weight = draw(12, R), draw(R, 8), draw(12, 8)
    close(LoRA(up, down).delta(weight), up @ down)
    assert torch.equal(LoRA(up, down).delta(weight), LoRA(up, down, alpha=float(R)).delta(weight))


@pytest.mark.parametrize("tucker", [False, True])
def test_a_lora_of_a_convolution_adds_the_chain_of_convolutions(tucker: bool) -> None:
    weight, up, x = draw(12, 8, 3, 3), draw(12, R, 1, 1), draw(2, 8, 6, 6)
    if tucker:
        down, mid = draw(R, 8, 1, 1), draw(R, R, 3, 3)
        inner = F.conv2d(F.conv2d(x, down), mid, padding=1)
    else:
        down, mid = draw(R, 8, 3, 3), None
        inner = F.conv2d(x, down, padding=1)
    patched = F.conv2d(x, weight + LoRA(up, down, mid, alpha=1.0).delta(weight), padding=1)
    close(patched, F.conv2d(x, weight, padding=1) + F.conv2d(inner, up) / R, 2e-6)


def test_linear_and_one_by_one_convolutions_stand_for_each_other() -> None:
    up, down = draw(12, R), draw(R, 8)
    product = up @ down
    close(LoRA(up, down).delta(draw(12, 8, 1, 1))[:, :, 0, 0], product)
    close(LoRA(up[..., None, None], down[..., None, None]).delta(draw(12, 8)), product)


def test_a_loha_is_an_elementwise_product() -> None:
    (a1, a2), (b1, b2) = (draw(12, R), draw(12, R)), (draw(R, 8), draw(R, 8))
    close(LoHa(a1, b1, a2, b2, alpha=3.0).delta(draw(12, 8)), 3.0 / R * (a1 @ b1) * (a2 @ b2))
    spread = draw(R, 8 * 9), draw(R, 8 * 9)
    flat_product = (a1 @ spread[0]) * (a2 @ spread[1])
    close(LoHa(a1, spread[0], a2, spread[1]).delta(draw(12, 8, 3, 3)), flat_product.reshape(12, 8, 3, 3))


def test_a_loha_of_a_convolution_may_have_cores() -> None:
    first, second = ([draw(R, R, 3, 3), draw(R, 12), draw(R, 8)] for _ in range(2))
    rebuilt = [torch.einsum("abkl,ao,bi->oikl", *parts) for parts in (first, second)]
    loha = LoHa(first[1], first[2], second[1], second[2], first[0], second[0], alpha=1.0)
    close(loha.delta(draw(12, 8, 3, 3)), rebuilt[0] * rebuilt[1] / R)


def kronecker(w1: Tensor, w2: Tensor) -> Tensor:
    """Block o1, i1 of the result is w1[o1, i1] times w2."""
    rows = [torch.cat([w1[o, i] * w2 for i in range(w1.shape[1])], dim=1) for o in range(w1.shape[0])]
    return torch.cat(rows)


@pytest.mark.parametrize("size", [(), (3, 3)])
def test_a_lokr_is_a_kronecker_product(size: tuple[int, ...]) -> None:
    w1, w2, weight = draw(3, 2), draw(4, 4, *size), draw(12, 8, *size)
    close(LoKr(w1, w2, alpha=7.0).delta(weight), kronecker(w1, w2))
    a, b = draw(4, 2), draw(2, 4, *size)
    product = torch.einsum("or,ri...->oi...", a, b)
    close(LoKr(w1, (a, b), alpha=7.0).delta(weight), 3.5 * kronecker(w1, product))
    a1, b1 = draw(3, 2), draw(2, 2)
    close(LoKr((a1, b1), w2, alpha=7.0).delta(weight), 3.5 * kronecker(a1 @ b1, w2))
    if size:
        core, a, b = draw(2, 2, 3, 3), draw(2, 4), draw(2, 4)
        rebuilt = torch.einsum("abkl,ao,bi->oikl", core, a, b)
        close(LoKr(w1, (a, b), core, alpha=2.0).delta(weight), kronecker(w1, rebuilt))


def test_differences_and_replacements() -> None:
    weight, other = draw(12), draw(12)
    assert torch.equal(Difference(other).delta(weight), other)
    close(weight + Replacement(other).delta(weight), other)


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("size", [(), (3, 3)])
def test_a_glora_changes_the_input_and_adds_a_path(size: tuple[int, ...], early: bool) -> None:
    weight, a1, a2, b1, b2 = draw(12, 8, *size), draw(8, R), draw(R, 8), draw(12, R), draw(R, 8, *size)
    if size:
        x = draw(2, 8, 6, 6)
        seen = x + F.conv2d(F.conv2d(x, a2[..., None, None]), a1[..., None, None]) / R
        expected = F.conv2d(seen, weight) + F.conv2d(F.conv2d(x, b2), b1[..., None, None]) / R
        apply: Callable[[Tensor], Tensor] = lambda w: F.conv2d(x, w)  # noqa: E731
    else:
        x = draw(3, 8)
        seen = x + F.linear(F.linear(x, a2), a1) / R
        expected = F.linear(seen, weight) + F.linear(F.linear(x, b2), b1) / R
        apply = lambda w: F.linear(x, w)  # noqa: E731
    glora = GLoRA(a2, a1, b2, b1, 1.0) if early else GLoRA(a1, a2, b1, b2, 1.0)
    close(apply(weight + glora.delta(weight)), expected, 2e-6)


def test_ia3_is_a_gain_of_outputs_or_inputs() -> None:
    weight, x = draw(12, 8), draw(3, 8)
    out, into = draw(12), draw(8)
    close(F.linear(x, weight + IA3(out, on_input=False).delta(weight)), F.linear(x, weight) * (1 + out))
    close(F.linear(x, weight + IA3(into, on_input=True).delta(weight)), F.linear(x * (1 + into), weight))


def rotation(block: Tensor) -> Tensor:
    q, one = (block - block.T).double(), torch.eye(len(block), dtype=torch.float64)
    return (one + q) @ torch.linalg.inv(one - q)


@pytest.mark.parametrize("size", [(), (3, 3)])
def test_an_oft_turns_blocks_of_outputs(size: tuple[int, ...]) -> None:
    weight, blocks = draw(12, 8, *size), 0.3 * draw(3, 4, 4)
    whole = torch.block_diag(*(rotation(block) for block in blocks))
    turned = weight + OFT(blocks).delta(weight)
    close(turned, torch.einsum("nm,n...->m...", whole, weight.double()).float())
    close(turned.flatten().norm(), weight.flatten().norm())
    gain = draw(12, *[1] * (weight.ndim - 1))
    close(weight + OFT(blocks, gain).delta(weight), gain * turned)


def test_an_oft_is_held_within_its_constraint() -> None:
    weight, blocks = draw(12, 8), draw(3, 4, 4)
    norm = torch.linalg.vector_norm(blocks - blocks.mT).item()
    half = OFT(blocks, constraint=norm / 2 / 12)
    close(half.delta(weight), OFT(blocks / 2).delta(weight))
    close(OFT(blocks, constraint=norm).delta(weight), OFT(blocks).delta(weight))


def test_a_boft_turns_in_stages() -> None:
    weight, blocks = draw(16, 8), 0.3 * draw(3, 4, 4, 4)
    expected = weight.double()
    for stage, distance in enumerate((2, 4, 8)):
        # Blocks of four neighbours after sorting the outputs so that those `distance` apart come in pairs.
        order = sorted(range(16), key=lambda n: (n // (2 * distance), n % distance, n // distance))
        whole = torch.block_diag(*(rotation(block) for block in blocks[stage]))
        permuted = torch.zeros(16, 16, dtype=torch.float64)
        permuted[torch.arange(16), order] = 1
        expected = permuted.T @ whole @ permuted @ expected
    close(weight + BOFT(blocks).delta(weight), expected.float())


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", [(), (3, 3)])
def test_a_dora_sets_direction_and_length_apart(axis: int, size: tuple[int, ...]) -> None:
    weight = draw(12, 8, *size)
    lora = LoRA(draw(12, R), draw(R, 8, *size), alpha=2.0)
    magnitude = draw(weight.shape[axis]).abs()
    got = (weight + DoRA(lora, magnitude, axis).delta(weight)).transpose(0, axis).flatten(1)
    close(got.norm(dim=1), magnitude)
    v = (weight + lora.delta(weight)).transpose(0, axis).flatten(1)
    close(F.cosine_similarity(got, v), torch.ones(len(v)))


def test_a_dora_that_changes_nothing_changes_nothing() -> None:
    weight = draw(12, 8)
    weight[3] = 0
    dora = DoRA(LoRA(torch.zeros(12, R), draw(R, 8)), weight.norm(dim=1), axis=0)
    assert dora.delta(weight).abs().max() <= TOLERANCE


@pytest.mark.parametrize(
    "adapter",
    [
        LoRA(torch.ones(12, 4), torch.ones(4, 9)),
        LoRA(torch.ones(12, 4), torch.ones(3, 8)),
        LoKr(torch.ones(3, 2), torch.ones(4, 5)),
        IA3(torch.ones(8), on_input=False),
        OFT(torch.ones(2, 4, 4)),
        DoRA(LoRA(torch.ones(12, 4), torch.ones(4, 8)), torch.ones(8), 0),
    ],
)
def test_an_adapter_of_another_shape_is_refused(adapter: Adapter) -> None:
    with pytest.raises((ValueError, RuntimeError)):
        adapter.delta(torch.ones(12, 8))


# --- names -----------------------------------------------------------------------------------------------------------


def model_of(network: nn.Module) -> Model:
    def fit(context_BLD: Tensor, pooled_BD: Tensor | None, _sizes: Sizes) -> tuple[Tensor, Tensor | None]:
        return context_BLD, pooled_BD

    network.eval().requires_grad_(False)
    return Model(network, "test", Eps(), SD15, fit, torch.device("cpu"), torch.float32, "test")


def differences(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A difference of every weight and bias of a network, named as a module's attribute."""
    kinds = {"weight": "diff", "bias": "diff_b"}
    named = {name.rpartition("."): draw(*tensor.shape) for name, tensor in state.items() if name.rpartition(".")[0]}
    return {f"{layer}.{kinds[kind]}": tensor for (layer, _, kind), tensor in named.items() if kind in kinds}


def with_differences(state: Mapping[str, Tensor], changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    kinds = {"weight": "diff", "bias": "diff_b"}
    result = dict(state)
    for name, tensor in state.items():
        layer, _, kind = name.rpartition(".")
        if (change := changes.get(f"{layer}.{kinds.get(kind)}")) is not None:
            result[name] = tensor + change
    return result


def underscored(name: str) -> str:
    layer, _, role = name.rpartition(".")
    return f"{layer.replace('.', '_')}.{role}"


FORMS: Mapping[str, Callable[[str], str]] = {
    "diffusers": lambda name: f"unet.{name}",
    "peft": lambda name: f"base_model.model.{name}",
    "kohya": lambda name: f"lora_unet_{underscored(name)}",
    "onetrainer": lambda name: f"lora_transformer_{underscored(name)}",
    "lycoris": lambda name: f"lycoris_{underscored(name)}",
}


@pytest.mark.parametrize("form", ["diffusers", "kohya"])
@pytest.mark.parametrize(("params", "depths"), [(unets.SD1, (1, 1, 0)), (unets.SDXL, (0, 1, 2))], ids=["SD1", "SDXL"])
def test_every_layer_of_a_unet_under_the_name_of_diffusers(
    params: UNetParams, depths: tuple[int, ...], form: str, tmp_path: Path
) -> None:
    check_names(UNet(params), unets.reference_of(params, depths).state_dict(), keymaps.unet, FORMS[form], tmp_path)


@pytest.mark.parametrize("form", ["peft", "onetrainer", "lycoris"])
def test_every_layer_of_an_mmdit_under_the_name_of_diffusers(form: str, tmp_path: Path) -> None:
    """Query, key and value are rows of one tensor; scale and shift are swapped where a stream ends."""
    params = MMDiTParams(depth=2, width=128, context_dim=48, y_dim=40, positions=8, qk_norm=True, dual_blocks=(0,))
    reference = SD3Transformer2DModel(
        sample_size=16,
        in_channels=16,
        num_layers=2,
        attention_head_dim=64,
        num_attention_heads=2,
        joint_attention_dim=48,
        caption_projection_dim=128,
        pooled_projection_dim=40,
        pos_embed_max_size=8,
        qk_norm="rms_norm",
        dual_attention_layers=(0,),
    )
    check_names(MMDiT(params), reference.state_dict(), keymaps.mmdit, FORMS[form], tmp_path)


@pytest.mark.parametrize("form", ["peft", "onetrainer", "lycoris"])
def test_every_layer_of_flux_under_the_name_of_diffusers(form: str, tmp_path: Path) -> None:
    """Of the single blocks query, key, value and the first layer of the MLP are rows of one tensor."""
    params = replace(fluxes.DEV, double_blocks=1, single_blocks=2)

    def ours_of(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return dict(flux_layout.single_file(Weights.open(tiny.save(tmp_path / "theirs.safetensors", theirs))))

    theirs = fluxes.reference_of(params).state_dict()
    # What scales queries and keys is no weight of a layer here.
    check_names(Flux(params), theirs, ours_of, FORMS[form], tmp_path, but=".norm_")


def check_names(
    network: nn.Module,
    theirs: Mapping[str, Tensor],
    ours_of: Callable[[Mapping[str, Tensor]], dict[str, Tensor]],
    form: Callable[[str], str],
    folder: Path,
    but: str = "nothing",
) -> None:
    changes = {name: tensor for name, tensor in differences(theirs).items() if but not in name}
    network.load_state_dict(ours_of(theirs))
    file = tiny.save(folder / "all.safetensors", {form(name): tensor for name, tensor in changes.items()})
    patched = patch_model(model_of(network), read_adapters(file), 1.0).network.state_dict()
    expected = ours_of(with_differences(theirs, changes))
    assert patched.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(patched[name], expected[name])] == []


@pytest.mark.parametrize(
    ("family", "form"),
    [
        ("sd15", lambda name: name),
        ("sdxl", lambda name: f"lora_unet_{underscored(name)}"),
        ("sd3", lambda name: f"lora_unet_{underscored(name)}"),
        ("sd3", lambda name: f"diffusion_model.{name}"),
        ("sd3", lambda name: f"model.diffusion_model.{name}"),
    ],
    ids=["bare", "kohya-sdxl", "kohya-sd3", "generic", "checkpoint"],
)
def test_every_layer_under_its_own_name(family: str, form: Callable[[str], str], tmp_path: Path) -> None:
    network = tiny.network_of(tiny.NETWORKS[family])
    check_names(network, dict(network.state_dict()), dict, form, tmp_path)


@pytest.mark.parametrize(
    ("layer", "up", "down"),
    [
        ("lora_unet_mid_block_attentions_0_proj_in", "lora_up", "lora_down"),
        ("unet.mid_block.attentions.0.proj_in", "lora.up", "lora.down"),
        ("unet.mid_block.attentions.0.proj_in", "lora_linear_layer.up", "lora_linear_layer.down"),
        ("unet.mid_block.attentions.0.proj_in", "lora_B", "lora_A"),
        ("base_model.model.middle_block.1.proj_in", "lora_B.default", "lora_A.default"),
    ],
)
def test_the_roles_of_every_trainer(layer: str, up: str, down: str, tmp_path: Path) -> None:
    network = tiny.network_of(tiny.SD15)
    up, down = f"{layer}.{up}.weight", f"{layer}.{down}.weight"
    pair = {up: draw(128, R, 1, 1), down: draw(R, 128, 1, 1)}
    patched = patch_model(model_of(network), read_adapters(tiny.save(tmp_path / "x.safetensors", pair)), 0.5).network
    name = "middle_block.1.proj_in.weight"
    expected = network.state_dict()[name].flatten(1) + 0.5 * pair[up].flatten(1) @ pair[down].flatten(1)
    close(patched.state_dict()[name].flatten(1), expected)


def test_old_attention_processors_of_diffusers(tmp_path: Path) -> None:
    network = tiny.network_of(tiny.SD15)
    base = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor"
    tensors = {
        f"{base}.{layer}_lora.{way}.weight": draw(*shape)
        for layer in ("to_q", "to_out")
        for way, shape in (("up", (128, R)), ("down", (R, 128)))
    }
    patched = patch_model(model_of(network), read_adapters(tiny.save(tmp_path / "x.safetensors", tensors)), 1.0)
    for theirs, ours in (("to_q", "to_q"), ("to_out", "to_out.0")):
        name = f"middle_block.1.transformer_blocks.0.attn1.{ours}.weight"
        delta = tensors[f"{base}.{theirs}_lora.up.weight"] @ tensors[f"{base}.{theirs}_lora.down.weight"]
        close(patched.network.state_dict()[name], network.state_dict()[name] + delta)


ALPHAS = [
    ({}, 1.0),
    ({"unet.lora_alpha": 8, "unet.r": R}, 2.0),
    ({"unet.lora_alpha": 8, "unet.use_rslora": True}, 8 / math.sqrt(R)),
    ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"proj_in": 2}}, 0.5),
    ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"roj_in": 2}}, 2.0),
    ({"text_encoder.lora_alpha": 8}, 1.0),
]


@pytest.mark.parametrize(("stated", "factor"), ALPHAS)
def test_the_alpha_in_the_metadata_of_diffusers(stated: dict[str, object], factor: float, tmp_path: Path) -> None:
    base = "unet.mid_block.attentions.0.proj_in.lora"
    path = tmp_path / "x.safetensors"
    tensors = {f"{base}_B.weight": draw(128, R), f"{base}_A.weight": draw(R, 128)}
    (change,) = read_adapters(tiny.save(path, tensors, {"lora_adapter_metadata": json.dumps(stated)})).changes
    assert change.weight is not None
    close(change.weight.delta(draw(128, 128)), factor * tensors[f"{base}_B.weight"] @ tensors[f"{base}_A.weight"])


QUERY = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
QUERY_WEIGHT = "middle_block.1.transformer_blocks.0.attn1.to_q.weight"
LOHA = {f"hada_w{n}_{p}": s for n in "12" for p, s in (("a", (128, R)), ("b", (R, 128)))}
GLORA = {f"{n}.weight": s for n, s in (("a1", (128, R)), ("a2", (R, 128)), ("b1", (128, R)), ("b2", (R, 128)))}
KINDS: Mapping[str, tuple[Mapping[str, tuple[int, ...]], type]] = {
    "loha": (LOHA, LoHa),
    "lokr": ({"lokr_w1": (8, 8), "lokr_w2_a": (16, R), "lokr_w2_b": (R, 16)}, LoKr),
    "glora": (GLORA, GLoRA),
    "oft": ({"oft_blocks": (8, 16, 16)}, OFT),
    "boft": ({"oft_blocks": (3, 8, 16, 16), "rescale": (128, 1)}, BOFT),
    "ia3": ({"weight": (128,), "on_input": ()}, IA3),
    "peft ia3": ({"ia3_l": (1, 128)}, IA3),
    "full": ({"diff": (128, 128)}, Difference),
    "set": ({"set_weight": (128, 128)}, Replacement),
    "dora": ({"lora_up.weight": (128, R), "lora_down.weight": (R, 128), "dora_scale": (1, 128)}, DoRA),
    "peft dora": ({"lora_B.weight": (128, R), "lora_A.weight": (R, 128), "lora_magnitude_vector": (128,)}, DoRA),
    "dora of a loha": (LOHA | {"dora_scale": (128, 1)}, DoRA),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_from_a_file(kind: str, tmp_path: Path) -> None:
    """Each is known by its tensors, and half the strength is half of the change."""
    shapes, expected = KINDS[kind]
    tensors = {f"{QUERY}.{piece}": 0.1 * draw(*shape) for piece, shape in shapes.items()}
    file = read_adapters(tiny.save(tmp_path / "x.safetensors", tensors))
    assert isinstance(file.changes[0].weight, expected)
    if isinstance(adapter := file.changes[0].weight, DoRA):
        assert adapter.axis == (kind == "dora")
    model = model_of(tiny.network_of(tiny.SD15))
    models = (model, patch_model(model, file, 0.5), patch_model(model, file, 1.0))
    before, half, full = (model.network.state_dict()[QUERY_WEIGHT] for model in models)
    assert not torch.equal(before, full)
    assert (half - (before + full) / 2).abs().max() <= TOLERANCE * full.abs().max()
    assert file.changes[0].weight is not None
    close(full, before + file.changes[0].weight.delta(before))


def test_a_gain_of_outputs_is_one_of_the_bias_too(tmp_path: Path) -> None:
    network = tiny.network_of(tiny.SD15)
    gain = draw(128, 1)
    file = tiny.save(tmp_path / "x.safetensors", {"unet.mid_block.attentions.0.proj_in.ia3_l": gain})
    changed, x = patch_model(model_of(network), read_adapters(file), 1.0).network, draw(1, 128, 3, 3)
    plain, patched = (net.get_submodule("middle_block.1.proj_in")(x) for net in (network, changed))
    close(patched, plain * gain[:, :, None])


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tensors = tiny.checkpoint_of("sdxl")
    return tiny.save(tmp_path_factory.mktemp("sdxl") / "sdxl.safetensors", tensors)


def kohya(layer: str, outputs: int, inputs: int) -> dict[str, Tensor]:
    pieces = {"lora_up.weight": draw(outputs, R), "lora_down.weight": draw(R, inputs), "alpha": torch.tensor(2.0)}
    return {f"{layer}.{piece}": tensor for piece, tensor in pieces.items()}


UNET_LAYER = "lora_unet_middle_block_1_transformer_blocks_0_attn2_to_k"
TEXT_DOTTED = "text_model.encoder.layers.0.self_attn.q_proj"
TEXT_LAYER = flat(TEXT_DOTTED)


def test_only_the_layers_of_the_file_are_new_memory(sdxl: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(sdxl, "cpu")
    assert checkpoint.clip is not None
    before = {name: tensor.clone() for name, tensor in checkpoint.model.network.state_dict().items()}
    tensors = kohya(UNET_LAYER, 128, 2048) | kohya(f"lora_te2_{TEXT_LAYER}", 64, 64)
    file = read_adapters(tiny.save(tmp_path / "x.safetensors", tensors))
    model, clip = patch_model(checkpoint.model, file, 1.0), patch_clip(checkpoint.clip, file, 0.5)

    base, changed = checkpoint.model.network.state_dict(), model.network.state_dict()
    name = "middle_block.1.transformer_blocks.0.attn2.to_k.weight"
    assert [n for n in base if changed[n].data_ptr() != base[n].data_ptr()] == [name]
    assert all(torch.equal(base[n], before[n]) for n in base)
    assert list(changed) == list(base)
    assert not model.network.training
    assert isinstance(model.network.get_parameter(name), nn.Parameter)
    delta = 2 / R * tensors[f"{UNET_LAYER}.lora_up.weight"] @ tensors[f"{UNET_LAYER}.lora_down.weight"]
    close(changed[name], before[name] + delta)

    assert clip.towers["clip_l"] is checkpoint.clip.towers["clip_l"]
    assert clip.towers["clip_g"] is not checkpoint.clip.towers["clip_g"]
    texts = [value.encode("a cat").entries[0].context_BLD for value in (checkpoint.clip, clip)]
    assert torch.equal(texts[0][..., :64], texts[1][..., :64])
    assert not torch.equal(texts[0], texts[1])
    assert len({model.origin, clip.origin, checkpoint.model.origin, checkpoint.clip.origin}) == 4
    assert patch_model(checkpoint.model, file, 1.0).origin == model.origin
    assert patch_model(checkpoint.model, file, 0.9).origin != model.origin


def test_strength_0_and_files_without_a_part_give_back_the_same_value(sdxl: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(sdxl, "cpu")
    assert checkpoint.clip is not None
    both = kohya(UNET_LAYER, 128, 2048) | kohya(f"lora_te1_{TEXT_LAYER}", 64, 64)
    file = read_adapters(tiny.save(tmp_path / "both.safetensors", both))
    assert patch_model(checkpoint.model, file, 0.0) is checkpoint.model
    assert patch_clip(checkpoint.clip, file, 0.0) is checkpoint.clip
    network_alone = read_adapters(tiny.save(tmp_path / "network.safetensors", kohya(UNET_LAYER, 128, 2048)))
    assert patch_clip(checkpoint.clip, network_alone, 1.0) is checkpoint.clip
    text_alone = read_adapters(tiny.save(tmp_path / "text.safetensors", kohya(f"lora_te1_{TEXT_LAYER}", 64, 64)))
    assert patch_model(checkpoint.model, text_alone, 1.0) is checkpoint.model


def test_half_precision_is_rounded_once(tmp_path: Path) -> None:
    network = tiny.network_of(tiny.SD15).half()
    tensors = {name: tensor.half() for name, tensor in kohya(QUERY, 128, 128).items()}
    file = read_adapters(tiny.save(tmp_path / "x.safetensors", tensors))
    up, down, _ = (tensor.float() for tensor in tensors.values())
    expected = network.state_dict()[QUERY_WEIGHT].float() + 0.7 * (2 / R * (up @ down))
    got = patch_model(model_of(network), file, 0.7).network.state_dict()[QUERY_WEIGHT]
    assert got.dtype == torch.float16
    assert (got.float() - expected).abs().max() <= 2**-11 * expected.abs().max() * (1 + 1e-5)


@pytest.mark.parametrize(
    ("layer", "slot"),
    [
        (f"lora_te_{TEXT_LAYER}", "clip_l"),
        (f"lora_te1_{TEXT_LAYER}", "clip_l"),
        (f"lora_te2_{TEXT_LAYER}", "clip_g"),
        (f"text_encoder.{TEXT_DOTTED}", "clip_l"),
        (f"text_encoder_2.{TEXT_DOTTED}", "clip_g"),
        (f"text_encoders.clip_g.transformer.{TEXT_DOTTED}", "clip_g"),
        (f"clip_l.transformer.{TEXT_DOTTED}", "clip_l"),
        (f"base_model.model.{TEXT_DOTTED}", "clip_l"),
        (TEXT_DOTTED, "clip_l"),
    ],
)
def test_the_text_encoder_each_name_means(sdxl: Path, layer: str, slot: str, tmp_path: Path) -> None:
    clip = load_checkpoint(sdxl, "cpu").clip
    assert clip is not None
    patched = patch_clip(clip, read_adapters(tiny.save(tmp_path / "x.safetensors", kohya(layer, 64, 64))), 1.0)
    assert [name for name in clip.towers if patched.towers[name] is not clip.towers[name]] == [slot]


# --- refusals --------------------------------------------------------------------------------------------------------


def test_adapters_for_layers_that_are_not_there_are_named(sdxl: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(sdxl, "cpu")
    assert checkpoint.clip is not None
    tensors = kohya(UNET_LAYER, 128, 2048) | kohya("lora_unet_no_such_layer", 8, 8) | kohya("lora_te3_nor_this", 8, 8)
    file = read_adapters(tiny.save(tmp_path / "style.safetensors", tensors))
    with pytest.raises(
        ValueError, match=r"style\.safetensors: 1 of 3 .* this sdxl network .*: lora_unet_no_such_layer\."
    ):
        patch_model(checkpoint.model, file, 1.0)
    with pytest.raises(ValueError, match=r"these text encoders \(clip_l, clip_g\).*: lora_te3_nor_this\."):
        patch_clip(checkpoint.clip, file, 1.0)


def test_a_bias_that_is_not_there_is_named(tmp_path: Path) -> None:
    tensors = {"diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.diff_b": draw(128)}
    file = read_adapters(tiny.save(tmp_path / "x.safetensors", tensors))
    with pytest.raises(ValueError, match=r"attn1\.to_q \(its bias\)"):
        patch_model(model_of(tiny.network_of(tiny.SD15)), file, 1.0)


def test_an_adapter_that_does_not_fit_says_which_and_where(tmp_path: Path) -> None:
    model = model_of(tiny.network_of(tiny.SD15))
    for outputs, inputs in ((128, 64), (64, 128)):
        file = read_adapters(tiny.save(tmp_path / "x.safetensors", kohya(QUERY, outputs, inputs)))
        with pytest.raises(ValueError, match=rf"attn1\.to_q\.weight: {QUERY} does not fit a weight \[128, 128\]"):
            patch_model(model, file, 1.0)


def test_one_layer_under_two_names_is_refused(tmp_path: Path) -> None:
    layers = ("lora_unet_mid_block_attentions_0_proj_in", "lora_unet_middle_block_1_proj_in")
    tensors = {name: tensor for layer in layers for name, tensor in kohya(layer, 128, 128).items()}
    file = read_adapters(tiny.save(tmp_path / "x.safetensors", tensors))
    with pytest.raises(ValueError, match="changed twice by one file, the second time as lora_unet_mid"):
        patch_model(model_of(tiny.network_of(tiny.SD15)), file, 1.0)


LORA = {"lora_unet_x.lora_up.weight": (4, 4), "lora_unet_x.lora_down.weight": (4, 4)}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"bundle_emb.x": (4,)}, "1 tensors that are no part of any known adapter: bundle_emb.x"),
        ({"lora_unet_x.lora_up.weight": (4, 4)}, "lora_unet_x: expected a tensor down"),
        ({"lora_unet_x.hada_w1_a": (4, 4)}, "expected a tensor hada_w1_b"),
        ({"lora_unet_x.lokr_w1": (4, 4)}, "expected a tensor lokr_w2_a"),
        ({"lora_unet_x.alpha": ()}, "no part of any known adapter: lora_unet_x.alpha"),
        ({"lora_unet_x.diff": (4, 4), "lora_unet_x.rescale": (4,)}, "lora_unet_x.rescale"),
        (LORA | {"lora_unet_x.diff": (4, 4)}, "1 tensors .*: lora_unet_x.diff"),
        (LORA | {"lora_unet_x.lora_B.weight": (4, 4)}, "1 tensors .*: lora_unet_x.lora_(B|up).weight"),
        ({"lora_unet_x.lora_up.weight": (4,), "lora_unet_x.lora_down.weight": (4, 4)}, "expected a matrix"),
        ({"lora_unet_x.oft_blocks": (4, 4)}, "3 or 4 dimensions"),
        ({"lora_unet_x.diff": (4, 4), "lora_unet_x.alpha": (2,)}, "one finite number"),
        ({"x.weight": (4, 4)}, "no part of any known adapter: x.weight"),
    ],
)
def test_files_that_are_not_understood_whole_are_refused(
    tensors: dict[str, tuple[int, ...]], message: str, tmp_path: Path
) -> None:
    path = tiny.save(tmp_path / "odd.safetensors", {name: draw(*shape) for name, shape in tensors.items()})
    with pytest.raises(BadWeights, match=message):
        read_adapters(path)


def test_a_strength_that_is_no_number_is_refused(tmp_path: Path) -> None:
    file = read_adapters(tiny.save(tmp_path / "x.safetensors", kohya("lora_unet_x", 4, 4)))
    with pytest.raises(ValueError, match="finite strength"):
        patch_model(model_of(nn.Linear(4, 4)), file, math.nan)
