"""PixArt against diffusers' PixArtTransformer2DModel."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import PixArtTransformer2DModel
from torch import Tensor

from diffusion.networks.pixart import PixArt, PixArtParams, positions
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error, shapes_of
from tests.diffusion.networks.published import PIXART_SIGMA

SMALL = PixArtParams(depth=2, width=144, context_dim=40, tokens=12, heads=2)
KINDS = {
    "Sigma": SMALL,
    "alpha 512": replace(SMALL, positions=32),
    "alpha 256": replace(SMALL, positions=16),
    "alpha 1024": replace(SMALL, told_size=True, positions=64),
}
INNER = {
    "attn.proj": "attn1.to_out.0",
    "cross_attn.q_linear": "attn2.to_q",
    "cross_attn.proj": "attn2.to_out.0",
    "mlp.fc1": "ff.net.0.proj",
    "mlp.fc2": "ff.net.2",
}
OUTER = {
    "x_embedder.proj": "pos_embed.proj",
    "t_embedder.mlp.0": "adaln_single.emb.timestep_embedder.linear_1",
    "t_embedder.mlp.2": "adaln_single.emb.timestep_embedder.linear_2",
    "csize_embedder.mlp.0": "adaln_single.emb.resolution_embedder.linear_1",
    "csize_embedder.mlp.2": "adaln_single.emb.resolution_embedder.linear_2",
    "ar_embedder.mlp.0": "adaln_single.emb.aspect_ratio_embedder.linear_1",
    "ar_embedder.mlp.2": "adaln_single.emb.aspect_ratio_embedder.linear_2",
    "t_block.1": "adaln_single.linear",
    "y_embedder.y_proj.fc1": "caption_projection.linear_1",
    "y_embedder.y_proj.fc2": "caption_projection.linear_2",
    "final_layer.linear": "proj_out",
}


def for_diffusers(network: PixArt) -> dict[str, Tensor]:
    ours = dict(network.state_dict())
    result = {"scale_shift_table": ours["final_layer.scale_shift_table"]}
    for n in range(network.params.depth):
        block = f"transformer_blocks.{n}"
        result[f"{block}.scale_shift_table"] = ours[f"blocks.{n}.scale_shift_table"]
        for kind in ("weight", "bias"):
            fused = (
                ours[f"blocks.{n}.attn.qkv.{kind}"].chunk(3),
                ours[f"blocks.{n}.cross_attn.kv_linear.{kind}"].chunk(2),
            )
            names = [*(f"attn1.to_{letter}" for letter in "qkv"), "attn2.to_k", "attn2.to_v"]
            result |= {f"{block}.{name}.{kind}": rows for name, rows in zip(names, sum(fused, ()), strict=True)}
            result |= {f"{block}.{theirs}.{kind}": ours[f"blocks.{n}.{name}.{kind}"] for name, theirs in INNER.items()}
    for name, theirs in OUTER.items():
        for kind in ("weight", "bias"):
            if f"{name}.{kind}" in ours:
                result[f"{theirs}.{kind}"] = ours[f"{name}.{kind}"]
    return result


@pytest.mark.parametrize("size", [(32, 32), (12, 20)], ids=["square", "wide"])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_reference(kind: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    params = KINDS[kind]
    side = 2 * (params.positions or 64)
    reference = PixArtTransformer2DModel(
        num_attention_heads=params.heads,
        attention_head_dim=params.width // params.heads,
        num_layers=params.depth,
        cross_attention_dim=params.width,
        caption_channels=params.context_dim,
        sample_size=side,
        use_additional_conditions=params.told_size,
    ).eval()
    network = PixArt(params)
    randomise(network, seed=2)
    reference.load_state_dict(for_diffusers(network))
    reference.double()
    x, t, context = torch.randn(2, 4, *size), torch.tensor([987.0, 3.0]), torch.randn(2, 7, params.context_dim)
    y, added = None, {"resolution": None, "aspect_ratio": None}
    if params.told_size:
        y = torch.tensor([[1024.0, 768.0, 4 / 3], [512.0, 640.0, 0.8]])
        added = {"resolution": y[:, :2].double(), "aspect_ratio": y[:, 2:].double()}
    with torch.no_grad():
        expected = reference(x.double(), context.double(), t, added_cond_kwargs=added, return_dict=False)[0]
        assert relative_error(network(x, t, context, y).double(), expected) <= TOLERANCE


@pytest.mark.parametrize("params", [*KINDS.values(), replace(SMALL, width=128, out_channels=4)])
def test_shapes_tell_the_params(params: PixArtParams) -> None:
    with torch.device("meta"):
        assert PixArtParams.from_shapes(shapes_of(PixArt(params))) == params


def test_published_size() -> None:
    with torch.device("meta"):
        network = PixArt(PIXART_SIGMA)
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6) == 611


def test_the_files_own_table_is_used_where_it_fits() -> None:
    torch.manual_seed(0)
    network = PixArt(replace(SMALL, positions=4))
    assert network.pos_embed is not None
    assert torch.equal(network.pos_embed, positions(4, 4, 144, 32.0))
    given = torch.randn(1, 4, 8, 8), torch.tensor([5.0]), torch.randn(1, 3, 40)
    randomise(network, seed=1)
    with torch.no_grad():
        before = network(*given)
        network.pos_embed += 1
        assert not torch.allclose(network(*given), before)


def test_an_odd_latent_is_repeated_at_its_edge_and_cut_back() -> None:
    torch.manual_seed(0)
    network = PixArt(SMALL)
    randomise(network, seed=1)
    x, t, context = torch.randn(1, 4, 8, 9), torch.tensor([5.0]), torch.randn(1, 3, 40)
    with torch.no_grad():
        padded = torch.cat((x, x[..., -1:]), dim=3)
        assert torch.equal(network(x, t, context), network(padded, t, context)[..., :9])


def test_sizes_that_do_not_come_are_missed() -> None:
    network = PixArt(replace(SMALL, told_size=True))
    with pytest.raises(ValueError, match="height, width and aspect, got none"):
        network(torch.zeros(1, 4, 8, 8), torch.zeros(1), torch.zeros(1, 3, 40))


@pytest.mark.parametrize("size", [(2, 2), (8, 8), (16, 6)])
def test_small_pictures_have_positions_too(size: tuple[int, int]) -> None:
    """Below 256 pixels; positions are finite and differ from place to place."""
    network = PixArt(SMALL)
    randomise(network, seed=2)
    with torch.no_grad():
        made = network(torch.zeros(1, 4, *size), torch.tensor([5.0]), torch.randn(1, 7, SMALL.context_dim))
    assert made.isfinite().all()
    assert float(made.std((2, 3)).min()) > 0
