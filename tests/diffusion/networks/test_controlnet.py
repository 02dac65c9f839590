"""ControlNets against those of diffusers: their residuals, and what a network makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.controlnet_sd3 import SD3ControlNetModel
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from torch import Tensor, nn

from diffusion.controls import ControlNet
from diffusion.header import BadWeights
from diffusion.hooks import Hooks, Residuals
from diffusion.networks.controlnet import ControlMMDiT, ControlUNet
from diffusion.networks.layers import timestep_embedding
from diffusion.networks.mmdit import MMDiT, MMDiTParams
from diffusion.networks.unet import UNet, UNetParams
from diffusion.steering import load_controlnet
from tests.diffusion import keymaps, tiny
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error
from tests.diffusion.networks.test_unet import SD1, SDXL, reference_of

DEPTHS = {"SD1": (1, 1, 0), "SDXL": (0, 1, 2)}
PARAMS = {"SD1": SD1, "SDXL": SDXL}
LATENT = (8, 12)


def diffusers_controlnet(p: UNetParams, depths: tuple[int, ...]) -> ControlNetModel:
    reference = ControlNetModel.from_unet(reference_of(p, depths))
    randomise(reference, seed=4)
    return reference


def in_ldm(reference: nn.Module, p: UNetParams) -> dict[str, Tensor]:
    """The names of the authors of ControlNet, made here of those of diffusers once more."""
    state, result = reference.state_dict(), {}
    for name, tensor in keymaps.unet({k: v for k, v in state.items() if not k.startswith("controlnet_")}).items():
        result[name] = tensor
    for n in range(1 + sum(p.res_blocks) + len(p.widths) - 1):
        result[f"zero_convs.{n}.0.weight"] = state[f"controlnet_down_blocks.{n}.weight"]
        result[f"zero_convs.{n}.0.bias"] = state[f"controlnet_down_blocks.{n}.bias"]
    for kind in ("weight", "bias"):
        result[f"middle_block_out.0.{kind}"] = state[f"controlnet_mid_block.{kind}"]
        hint = ["conv_in", *(f"blocks.{n}" for n in range(6)), "conv_out"]
        for n, name in enumerate(hint):
            result[f"input_hint_block.{2 * n}.{kind}"] = state[f"controlnet_cond_embedding.{name}.{kind}"]
    return {f"control_model.{name}": tensor for name, tensor in result.items()}


def given(p: UNetParams) -> tuple[tuple[Tensor, ...], dict[str, Tensor] | None, Tensor | None]:
    torch.manual_seed(0)
    inputs = torch.randn(2, 4, *LATENT), torch.tensor([999.0, 3.25]), torch.randn(2, 7, p.context_dim)
    if not p.y_dim:
        return inputs, None, None
    pooled, sizes = torch.randn(2, 40), torch.tensor([[1024.0, 768, 0, 8, 512, 640]]).expand(2, -1)
    y = torch.cat((pooled, timestep_embedding(sizes.flatten(), 16).view(2, -1)), dim=1)
    return inputs, {"text_embeds": pooled, "time_ids": sizes}, y


@pytest.mark.parametrize("layout", ["diffusers", "LDM"])
@pytest.mark.parametrize("family", PARAMS)
@torch.no_grad()
def test_for_u_nets_equals_the_reference(family: str, layout: str, tmp_path: Path) -> None:
    p, depths = replace(PARAMS[family], channels=64), DEPTHS[family]
    reference = diffusers_controlnet(p, depths)
    tensors = reference.state_dict() if layout == "diffusers" else in_ldm(reference, p)
    net = load_controlnet(tiny.save(tmp_path / "c.safetensors", tensors), "cpu")
    assert isinstance(net.network, ControlUNet)
    (x, t, context), added, y = given(p)
    hint = torch.rand(2, 3, *(8 * side for side in LATENT))
    theirs = reference(x, t, context, hint, added_cond_kwargs=added, return_dict=False)
    ours = net.network(x, t, context, y, net.network.embed(hint))
    assert ours.middle is not None
    assert len(ours.blocks) == len(theirs[0])
    for got, expected in zip((*ours.blocks, ours.middle), (*theirs[0], theirs[1]), strict=True):
        assert relative_error(got, expected) <= TOLERANCE

    network = reference_of(p, depths)
    randomise(network, seed=2)
    unet = UNet(p)
    unet.load_state_dict(keymaps.unet(network.state_dict()))
    expected = network(
        x,
        t,
        context,
        added_cond_kwargs=added,
        down_block_additional_residuals=theirs[0],
        mid_block_additional_residual=theirs[1],
    ).sample
    assert relative_error(unet(x, t, context, y, Hooks(residuals=ours)), expected) <= TOLERANCE
    assert relative_error(unet(x, t, context, y), expected) > 0.01


SD3 = MMDiTParams(depth=4, width=128, context_dim=48, y_dim=40, positions=16)


def sd3_config(p: MMDiTParams, depth: int) -> dict[str, Any]:
    return {
        "sample_size": 8,
        "patch_size": 2,
        "in_channels": 16,
        "num_layers": depth,
        "num_attention_heads": p.heads,
        "joint_attention_dim": p.context_dim,
        "caption_projection_dim": p.width,
        "pooled_projection_dim": p.y_dim,
        "pos_embed_max_size": p.positions,
        "qk_norm": "rms_norm" if p.qk_norm else None,
        "dual_attention_layers": p.dual_blocks,
    }


@pytest.mark.parametrize("params", [SD3, replace(SD3, qk_norm=True, dual_blocks=(0,))], ids=["3", "3.5"])
@pytest.mark.parametrize("size", [(8, 6), (6, 6)])
@torch.no_grad()
def test_for_sd3_equals_the_reference(params: MMDiTParams, size: tuple[int, int], tmp_path: Path) -> None:
    """Two blocks, whose residuals are stretched over the four of the network; its last takes none."""
    torch.manual_seed(0)
    reference = SD3ControlNetModel(**sd3_config(params, 2))
    randomise(reference, seed=4)
    net = load_controlnet(tiny.save(tmp_path / "c.safetensors", reference.state_dict()), "cpu")
    assert isinstance(net.network, ControlMMDiT)
    x, hint, t = torch.randn(2, 16, *size), torch.randn(2, 16, *size), torch.tensor([900.0, 30.0])
    context, y = torch.randn(2, 7, 48), torch.randn(2, 40)
    theirs = reference(x, hint, 1.0, context, torch.zeros(2, 40), t, return_dict=False)[0]
    ours = net.network(x, t, context, y, net.network.embed(hint))
    for got, expected in zip(ours.blocks, theirs, strict=True):
        assert relative_error(got, expected) <= TOLERANCE

    network = SD3Transformer2DModel(**sd3_config(params, 4), out_channels=16)
    randomise(network, seed=2)
    mmdit = MMDiT(params)
    mmdit.load_state_dict(keymaps.mmdit(network.state_dict()))
    expected = network(x, context, y, t, block_controlnet_hidden_states=theirs).sample
    assert relative_error(mmdit(x, t, context, y, Hooks(residuals=ours)), expected) <= TOLERANCE
    assert relative_error(mmdit(x, t, context, y), expected) > 0.01


def test_residuals_of_another_network_are_refused() -> None:
    (x, t, context), _, _ = given(SD1)
    wrong = Residuals((torch.zeros(1),), torch.zeros(1))
    with pytest.raises(ValueError, match="takes 9 residuals and one for the middle, got 1"):
        UNet(SD1)(x, t, context, None, Hooks(residuals=wrong))
    with pytest.raises(ValueError, match="takes 1 to 4 residuals and none for a middle, got 1"):
        MMDiT(SD3)(torch.zeros(1, 16, 4, 4), t[:1], torch.zeros(1, 7, 48), torch.zeros(1, 40), Hooks(residuals=wrong))


def test_text_of_another_family_is_refused() -> None:
    (x, t, context), _, _ = given(SD1)
    net = ControlUNet(SD1, 3)
    with pytest.raises(ValueError, match="takes text 48 wide, got 40"):
        net(x, t, context[..., :40], None, torch.zeros(1))


def test_files_that_are_no_controlnet_are_refused(tmp_path: Path) -> None:
    for params in (tiny.SD15, tiny.FLUX):
        network = tiny.save(tmp_path / "network.safetensors", tiny.network_of(params).state_dict())
        with pytest.raises(BadWeights, match=r"expected a ControlNet$"):
            load_controlnet(network, "cpu")
    more = SD3ControlNetModel(**sd3_config(SD3, 1), extra_conditioning_channels=2).state_dict()
    with pytest.raises(BadWeights, match="hints of 18 channels"):
        load_controlnet(tiny.save(tmp_path / "more.safetensors", more), "cpu")
    flux = {"double_blocks.0.img_mlp.0.weight": torch.zeros(2, 2), "input_hint_block.0.weight": torch.zeros(2)}
    with pytest.raises(BadWeights, match="a ControlNet for Flux, which cannot be used"):
        load_controlnet(tiny.save(tmp_path / "flux.safetensors", flux), "cpu")
    for marker, told in (("lora_controlnet", "Control-LoRA"), ("difference", "its difference from a model")):
        partial = tiny.save(tmp_path / "partial.safetensors", {marker: torch.zeros(0), "a.weight": torch.zeros(1)})
        with pytest.raises(BadWeights, match=told):
            load_controlnet(partial, "cpu")


def test_a_controlnet_is_a_value(tmp_path: Path) -> None:
    path = tiny.save(
        tmp_path / "c.safetensors", diffusers_controlnet(replace(SD1, channels=64), (1, 1, 0)).state_dict()
    )
    net = load_controlnet(path, "cpu")
    assert isinstance(net, ControlNet)
    assert net.origin == load_controlnet(path, "cpu").origin
    assert isinstance(net.network, ControlUNet)
    assert not any(parameter.requires_grad for parameter in net.network.parameters())
