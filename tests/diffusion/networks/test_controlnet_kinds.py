"""ControlNets of several kinds of pictures, for Stable Diffusion 3.5 large, and that paint into pictures, against
those of diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers.models.controlnets.controlnet_sd3 import SD3ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from torch import Tensor, nn

from diffusion.controls import Control, ControlNet, residuals
from diffusion.header import BadWeights
from diffusion.hooks import Hooks
from diffusion.latents import SD3 as SD3_LATENTS
from diffusion.model import VAE
from diffusion.networks.controlnet import ControlMMDiT, ControlTokens, ControlUnion
from diffusion.networks.mmdit import MMDiT
from diffusion.steering import LARGE_KINDS, UNION_KINDS, AsLatents, AsPicture, load_controlnet, preparation
from tests.diffusion import keymaps, tiny
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error
from tests.diffusion.networks.test_controlnet import LATENT, SD3, given, in_ldm, sd3_config
from tests.diffusion.networks.test_unet import SDXL

P = replace(SDXL, channels=64)


def union_of(kinds: int) -> ControlNetUnionModel:
    torch.manual_seed(0)
    reference = ControlNetUnionModel(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        block_out_channels=(64, 128, 256),
        layers_per_block=P.res_blocks[0],
        transformer_layers_per_block=(1, 1, 2),
        cross_attention_dim=P.context_dim,
        attention_head_dim=(1, 2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=16,
        projection_class_embeddings_input_dim=P.y_dim,
        conditioning_embedding_out_channels=(16, 32, 96, 256),
        num_control_type=kinds,
        num_trans_channel=64,
        num_proj_channel=64,
    )
    randomise(reference, seed=4)
    return reference.eval()


@pytest.mark.parametrize(("kinds", "layout"), [(6, "LDM"), (8, "diffusers")])
@torch.no_grad()
def test_a_union_equals_the_reference(kinds: int, layout: str, tmp_path: Path) -> None:
    """Of one picture: what the reference makes of several pictures at once mixes them."""
    reference = union_of(kinds)
    tensors = reference.state_dict() if layout == "diffusers" else in_ldm(reference, P)
    net = load_controlnet(tiny.save(tmp_path / "c.safetensors", tensors), "cpu")
    assert isinstance(net.network, ControlUnion)
    assert net.kinds == UNION_KINDS[:kinds]
    (x, t, context), added, y = given(P)
    assert added is not None
    assert y is not None
    hint = torch.rand(2, 3, *(8 * side for side in LATENT))
    for kind, item in ((1, 0), (5, 1)):
        one = slice(item, item + 1)
        marks = torch.zeros(1, kinds)
        marks[0, kind] = 1
        theirs = reference(
            x[one],
            t[one],
            context[one],
            [hint[one]],
            marks,
            [kind],
            added_cond_kwargs={name: value[one] for name, value in added.items()},
            return_dict=False,
        )
        ours = net.network(x[one], t[one], context[one], y[one], net.network.embed(hint[one]), kind)
        assert ours.middle is not None
        for got, expected in zip((*ours.blocks, ours.middle), (*theirs[0], theirs[1]), strict=True):
            assert relative_error(got, expected) <= TOLERANCE
        # An item of a batch is what it is alone.
        both = net.network(x, t, context, y, net.network.embed(hint), kind)
        assert relative_error(both.blocks[3][one], ours.blocks[3]) <= TOLERANCE


def test_a_union_has_to_be_told_the_kind(tmp_path: Path) -> None:
    net = load_controlnet(tiny.save(tmp_path / "c.safetensors", union_of(6).state_dict()), "cpu")
    (x, t, context), _, y = given(P)
    assert isinstance(net.network, ControlUnion)
    with pytest.raises(ValueError, match="6 kinds of pictures; say which"):
        net.network(x, t, context, y, torch.zeros(2, 64, *LATENT))
    assert net.of_kind("edges").kind == "edges"
    with pytest.raises(ValueError, match=r"knows pose, depth, .*, got 'repaint'"):
        net.of_kind("repaint")


def large_of(depth: int) -> SD3ControlNetModel:
    config = sd3_config(SD3, depth) | {"joint_attention_dim": None, "caption_projection_dim": 40}
    torch.manual_seed(0)
    reference = SD3ControlNetModel(
        **config, pos_embed_type=None, use_pos_embed=False, force_zeros_for_pooled_projection=False
    )
    randomise(reference, seed=4)
    return reference.eval()


def as_published(reference: nn.Module) -> dict[str, Tensor]:
    """The names in the files of Stability AI."""
    names = {
        "attn.to_out.0": "attn.proj",
        "ff.net.0.proj": "mlp.fc1",
        "ff.net.2": "mlp.fc2",
        "norm1.linear": "adaLN_modulation.1",
    }
    state, result = reference.state_dict(), {}
    for name, tensor in state.items():
        if ".to_k." in name or ".to_v." in name:
            continue
        if ".to_q." in name:
            tensor = torch.cat([state[name.replace(".to_q.", f".to_{letter}.")] for letter in "qkv"])
            name = name.replace(".to_q.", ".qkv.")
        for theirs, published in names.items():
            name = name.replace(theirs, published)
        result[name] = tensor
    return result


@pytest.mark.parametrize("layout", ["diffusers", "published"])
@torch.no_grad()
def test_for_the_large_one_equals_the_reference(layout: str, tmp_path: Path) -> None:
    """It gets the picture's tokens from the network it steers, no text, and the pooled text as it is."""
    torch.manual_seed(0)
    reference, base = large_of(2), SD3Transformer2DModel(**sd3_config(SD3, 4), out_channels=16)
    randomise(base, seed=2)
    mmdit = MMDiT(SD3)
    mmdit.load_state_dict(keymaps.mmdit(base.state_dict()))
    tensors = reference.state_dict() if layout == "diffusers" else as_published(reference)
    net = load_controlnet(tiny.save(tmp_path / "c.safetensors", tensors), "cpu")
    assert isinstance(net.network, ControlTokens)
    x, hint, t = torch.randn(2, 16, 8, 6), torch.randn(2, 16, 8, 6), torch.tensor([900.0, 30.0])
    context, y = torch.randn(2, 7, 48), torch.randn(2, 40)
    theirs = reference(base.pos_embed(x), hint, 0.7, None, y, t, return_dict=False)[0]
    control = Control(net, hint, lambda image, _height, _width: image, strength=0.7).fitted(8, 6)
    ours = residuals((control,), mmdit, x, t, context, y)
    assert ours is not None
    for got, expected in zip(ours.blocks, theirs, strict=True):
        assert relative_error(got, expected) <= TOLERANCE
    expected = base(x, context, y, t, block_controlnet_hidden_states=theirs).sample
    assert relative_error(mmdit(x, t, context, y, Hooks(residuals=ours)), expected) <= TOLERANCE


def test_for_the_large_one_is_for_nothing_else(tmp_path: Path) -> None:
    net = load_controlnet(tiny.save(tmp_path / "c.safetensors", large_of(1).state_dict()), "cpu")
    control = Control(net, torch.zeros(1, 16, 4, 4), lambda image, _height, _width: image).fitted(4, 4)
    x, t, text, y = torch.zeros(1, 16, 4, 4), torch.zeros(1), torch.zeros(1, 7, 48), torch.zeros(1, 40)
    with pytest.raises(ValueError, match=r"is for Stable Diffusion 3\.5"):
        residuals((control,), nn.Identity(), x, t, text, y)
    with pytest.raises(ValueError, match="for networks 128 wide that read pooled text, got one 64 wide"):
        residuals((control,), MMDiT(replace(SD3, width=64)), x, t, text, y)


@pytest.mark.parametrize("number", range(3))
def test_the_large_one_says_what_it_follows(number: int, tmp_path: Path) -> None:
    """Blurred pictures as they are, edges brightened and depths turned over, before the autoencoder sees them."""
    tensors = {**as_published(large_of(1)), "control_type": torch.tensor([float(number)])}
    net = load_controlnet(tiny.save(tmp_path / "c.safetensors", tensors), "cpu")
    assert net.kind == LARGE_KINDS[number]
    image, vae = torch.rand(1, 3, 32, 32), vae_of()
    seen = {"blur": 2 * image - 1, "edges": 127.5 * image + 0.5, "depth": 1 - 2 * image}[LARGE_KINDS[number]]
    with torch.no_grad():
        expected = SD3_LATENTS.process_in(vae.network.encode(seen))
        assert torch.allclose(preparation(net, vae)(image, 4, 4), expected, rtol=1e-4, atol=1e-4)
    tensors["control_type"] = torch.tensor([3.0])
    with pytest.raises(BadWeights, match="'control_type': expected a number from 0 to 2"):
        load_controlnet(tiny.save(tmp_path / "c.safetensors", tensors), "cpu")


def vae_of() -> VAE:
    return VAE(tiny.autoencoder_of(tiny.VAE16), 16, 8, torch.device("cpu"), torch.float32, "test")


@torch.no_grad()
def test_one_that_paints_into_pictures_equals_the_reference(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = SD3ControlNetModel(**sd3_config(SD3, 2), extra_conditioning_channels=1)
    randomise(reference, seed=4)
    net = load_controlnet(tiny.save(tmp_path / "c.safetensors", reference.state_dict()), "cpu")
    assert isinstance(net.network, ControlMMDiT)
    image, mask, vae = torch.rand(1, 3, 48, 64), torch.zeros(1, 48, 64), vae_of()
    mask[:, 8:24, 16:40] = 1
    hint = preparation(net, vae, mask)(image, 6, 8)
    masked = torch.where(mask[:, None] > 0.5, -1.0, 2 * image - 1)
    expected = SD3_LATENTS.process_in(vae.network.encode(masked))
    assert torch.allclose(hint[:, :16], expected, atol=1e-5)
    assert torch.equal(hint[:, 16], 1 - mask[:, 4::8, 4::8])
    x, t, context = torch.randn(1, 16, 6, 8), torch.tensor([700.0]), torch.randn(1, 7, 48)
    theirs = reference(x, hint, 1.0, context, torch.zeros(1, 40), t, return_dict=False)[0]
    ours = net.network(x, t, context, torch.randn(1, 40), net.network.embed(hint))
    for got, wanted in zip(ours.blocks, theirs, strict=True):
        assert relative_error(got, wanted) <= TOLERANCE
    with pytest.raises(ValueError, match="mask: this ControlNet paints into pictures; connect one"):
        preparation(net, vae)


def test_masks_for_the_others(tmp_path: Path) -> None:
    plain = SD3ControlNetModel(**sd3_config(SD3, 1)).state_dict()
    net = load_controlnet(tiny.save(tmp_path / "c.safetensors", plain), "cpu")
    with pytest.raises(ValueError, match="mask: this ControlNet takes none"):
        preparation(net, vae_of(), torch.zeros(1, 8, 8))
    with pytest.raises(ValueError, match="vae: this ControlNet reads latents of 16 channels, got a VAE of 4"):
        preparation(net, replace(vae_of(), channels=4))
    vae = vae_of()
    assert preparation(net, vae) == AsLatents(vae)
    hint = AsPicture(torch.tensor([[[1.0, 0.0]]]))(torch.full((1, 3, 16, 16), 0.25), 2, 2)
    assert torch.equal(hint[..., :8], torch.full((1, 3, 16, 8), -1.0))
    assert torch.equal(hint[..., 8:], torch.full((1, 3, 16, 8), 0.25))


def test_shuffled_pictures_count_everywhere_alike(tmp_path: Path) -> None:
    """As diffusers' `global_pool_conditions`."""
    reference = union_of(6)
    net = load_controlnet(tiny.save(tmp_path / "sd15_shuffle.safetensors", reference.state_dict()), "cpu")
    assert isinstance(net, ControlNet)
    (x, t, context), _, y = given(P)
    image = torch.rand(1, 3, 64, 96)
    control = Control(net.of_kind("pose"), image, AsPicture())
    with torch.no_grad():
        found = residuals((control.fitted(8, 12),), nn.Identity(), x, t, context, y)
        assert isinstance(net.network, ControlUnion)
        plain = net.network(x, t, context, y, net.network.embed(image), 0)
    assert found is not None
    for got, whole in zip(found.blocks, plain.blocks, strict=True):
        assert torch.allclose(got, whole.mean((2, 3), keepdim=True), atol=1e-5)
