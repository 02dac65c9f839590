"""Networks from files in the layout of diffusers: the same numbers as diffusers itself computes from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel, UNet2DConditionModel
from torch import Tensor, nn

from diffusion.loader import load_dit, load_mmdit, load_unet
from diffusion.model import Model
from diffusion.networks.dit import DiT, digits
from diffusion.networks.layers import timestep_embedding
from diffusion.networks.mmdit import position_table
from diffusion.weights import BadWeights
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error
from tests.diffusion.networks.test_dit import for_diffusers as dit_names
from tests.diffusion.networks.test_pixart import for_diffusers as pixart_names

CPU = "cpu"
UNET = {"block_out_channels": (64, 128), "layers_per_block": 2}
TEXT_FIRST = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}
TEXT_LAST = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": 2,
}
LINEAR = {"use_linear_projection": True, "attention_head_dim": (1, 2)}
SIZES = {"addition_embed_type": "text_time", "addition_time_embed_dim": 256}
SD1 = {**TEXT_FIRST, "cross_attention_dim": 768, "attention_head_dim": 8}
SD2 = {**TEXT_FIRST, **LINEAR, "cross_attention_dim": 1024}
SDXL = {**TEXT_LAST, **LINEAR, **SIZES, "cross_attention_dim": 2048, "projection_class_embeddings_input_dim": 2816}
REFINER = {**TEXT_FIRST, **LINEAR, **SIZES, "cross_attention_dim": 1280, "projection_class_embeddings_input_dim": 2560}
UNETS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "SD1": ("sd15", SD1),
    "SD1 inpaint": ("sd15", {**SD1, "in_channels": 9}),
    "SD1 edit": ("sd15", {**SD1, "in_channels": 8}),
    "SD2": ("sd2", SD2),
    "SD2 inpaint": ("sd2", {**SD2, "in_channels": 9}),
    "SDXL": ("sdxl", SDXL),
    "SDXL inpaint": ("sdxl", {**SDXL, "in_channels": 9}),
    "SDXL refiner": ("sdxl_refiner", REFINER),
}
SD3 = {
    "sample_size": 8,
    "num_layers": 3,
    "num_attention_heads": 2,
    "joint_attention_dim": 96,
    "caption_projection_dim": 128,
    "pooled_projection_dim": 80,
    "pos_embed_max_size": 12,
}
MMDITS: Mapping[str, Mapping[str, Any]] = {
    "SD3": SD3,
    "SD3.5 large": {**SD3, "qk_norm": "rms_norm"},
    "SD3.5 medium": {**SD3, "qk_norm": "rms_norm", "dual_attention_layers": (0, 1)},
}


def tensors_of(reference: nn.Module) -> dict[str, Tensor]:
    randomise(reference, seed=2)
    return dict(reference.eval().state_dict())


@pytest.mark.parametrize("case", UNETS)
def test_a_unet_of_diffusers(case: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    family, config = UNETS[case]
    reference = UNet2DConditionModel(**UNET, **config)
    model = load_unet(tiny.save(tmp_path / "x.safetensors", tensors_of(reference)), CPU)
    assert model.family == family
    x, t = torch.randn(2, config.get("in_channels", 4), 8, 12), torch.tensor([999.0, 3.25])
    context, y, added = torch.randn(2, 7, config["cross_attention_dim"]), None, None
    if "addition_embed_type" in config:
        pooled = torch.randn(2, 1280)
        sizes = torch.rand(2, (config["projection_class_embeddings_input_dim"] - 1280) // 256) * 1000
        added = {"text_embeds": pooled, "time_ids": sizes}
        y = torch.cat((pooled, timestep_embedding(sizes.flatten(), 256).view(2, -1)), dim=1)
    with torch.no_grad():
        expected = reference(x, t, context, added_cond_kwargs=added).sample
        assert relative_error(model.output(x, t, context, y), expected) <= TOLERANCE


def mmdit_pair(case: str, path: Path) -> tuple[SD3Transformer2DModel, Model]:
    torch.manual_seed(0)
    reference = SD3Transformer2DModel(**MMDITS[case])
    return reference, load_mmdit(tiny.save(path, tensors_of(reference)), CPU)


@pytest.mark.parametrize("case", MMDITS)
def test_an_mmdit_of_diffusers(case: str, tmp_path: Path) -> None:
    reference, model = mmdit_pair(case, tmp_path / "x.safetensors")
    assert model.family == "sd3"
    x, t = torch.randn(2, 16, 8, 12), torch.tensor([987.6, 37.5])
    context, y = torch.randn(2, 7, 96), torch.randn(2, 80)
    with torch.no_grad():
        expected = reference(x, context, y, t, return_dict=False)[0]
        assert relative_error(model.output(x, t, context, y), expected) <= TOLERANCE


@pytest.mark.parametrize("family", ["dit", "pixart_alpha", "pixart_sigma"])
def test_a_dit_of_diffusers(family: str, tmp_path: Path) -> None:
    """The same network under either names; diffusers' files have no table of positions and no text for none."""
    params = {
        "dit": replace(tiny.DIT, positions=None),
        "pixart_alpha": replace(tiny.PIXART_ALPHA, tokens=None, told_size=True),
        "pixart_sigma": replace(tiny.PIXART_SIGMA, tokens=None),
    }[family]
    network = tiny.network_of(params)
    theirs = dit_names(network) if isinstance(network, DiT) else pixart_names(network)
    alone = {name: tensor.clone() for name, tensor in theirs.items()}
    model = load_dit(tiny.save(tmp_path / "x.safetensors", alone), CPU)
    assert model.family == family
    assert set(model.network.state_dict()) == set(network.state_dict())
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor)


def test_positions_a_dit_does_not_bring_are_those_of_its_authors() -> None:
    network = tiny.network_of(replace(tiny.DIT, positions=None))
    given = torch.randn(1, 4, 8, 8), torch.tensor([5.0]), digits(3)
    whole = DiT(tiny.DIT)
    whole.load_state_dict({**network.state_dict(), "pos_embed": position_table(4, tiny.DIT.width)})
    with torch.no_grad():
        assert torch.equal(network(*given), whole(*given))
    with pytest.raises(ValueError, match=r"trained on 8 x 8 cells, .* got 8 x 10"):
        network(torch.randn(1, 4, 8, 10), *given[1:])


@pytest.mark.parametrize("prefix", ["", "unet.", "model.diffusion_model.", "diffusion_model."])
def test_prefixes_before_the_names_of_diffusers(prefix: str, tmp_path: Path) -> None:
    tensors = tiny.prefixed(prefix, tensors_of(UNet2DConditionModel(**UNET, **SD1)))
    assert load_unet(tiny.save(tmp_path / "x.safetensors", tensors), CPU).family == "sd15"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_any_precision_arrives_in_the_layout_of_diffusers_too(dtype: torch.dtype, tmp_path: Path) -> None:
    tensors = {name: tensor.to(dtype) for name, tensor in tensors_of(SD3Transformer2DModel(**SD3)).items()}
    network = load_mmdit(tiny.save(tmp_path / "x.safetensors", tensors), CPU).network.state_dict()
    names = (f"transformer_blocks.0.attn.to_{letter}.weight" for letter in "qkv")
    expected = torch.cat([tensors[name].float() for name in names])
    assert torch.equal(network["joint_blocks.0.x_block.attn.qkv.weight"], expected)


def test_scaled_float8_in_the_layout_of_diffusers(tmp_path: Path) -> None:
    tensors = tensors_of(SD3Transformer2DModel(**SD3))
    plain = dict(tensors)
    for letter in "qkv":
        name = f"transformer_blocks.0.attn.to_{letter}.weight"
        scale = tensors[name].abs().max() / 448
        tensors[name] = (tensors[name] / scale).to(torch.float8_e4m3fn)
        tensors[name.removesuffix("weight") + "scale_weight"] = scale
        plain[name] = tensors[name].float() * scale
    network = load_mmdit(tiny.save(tmp_path / "x.safetensors", tensors), CPU).network.state_dict()
    expected = torch.cat([plain[f"transformer_blocks.0.attn.to_{letter}.weight"] for letter in "qkv"])
    assert torch.equal(network["joint_blocks.0.x_block.attn.qkv.weight"], expected)


def test_what_is_missing_in_the_layout_of_diffusers_is_named(tmp_path: Path) -> None:
    tensors = tensors_of(SD3Transformer2DModel(**SD3))
    absent = "transformer_blocks.1.attn.to_k.weight"
    del tensors[absent]
    with pytest.raises(BadWeights, match=f"expected a tensor '{absent}'"):
        load_mmdit(tiny.save(tmp_path / "x.safetensors", tensors), CPU)
    tensors[absent] = torch.zeros(128, 64)
    with pytest.raises(BadWeights, match=r"to_k\.weight, .* their shapes do not go together"):
        load_mmdit(tiny.save(tmp_path / "x.safetensors", tensors), CPU)
    unet = tensors_of(UNet2DConditionModel(**UNET, **SD1))
    del unet["conv_out.bias"]
    unet["mystery.weight"] = torch.zeros(1)
    with pytest.raises(BadWeights, match=r"missing tensors \(1\): out\.2\.bias; unexpected tensors \(1\): mystery"):
        load_unet(tiny.save(tmp_path / "x.safetensors", unet), CPU)
