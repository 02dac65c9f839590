"""MMDiT against diffusers' SD3Transformer2DModel, its configuration from shapes, and its behaviour in training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import SD3Transformer2DModel
from diffusers.models.embeddings import get_2d_sincos_pos_embed

from diffusion.networks.mmdit import MMDiT, MMDiTParams, centre_of, position_table
from tests.diffusion import keymaps
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error, shapes_of

PLAIN = MMDiTParams(depth=3, width=192, context_dim=96, y_dim=80, positions=12)
SMALL = MMDiTParams(depth=2, width=64, context_dim=24, y_dim=16, in_channels=4, out_channels=4, positions=8)

VARIANTS = {
    "SD3": PLAIN,
    "SD3.5 large": replace(PLAIN, qk_norm=True),
    "SD3.5 medium": replace(PLAIN, qk_norm=True, dual_blocks=(0, 1)),
}


def inputs(p: MMDiTParams, height: int = 8, width: int = 8) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    assert p.y_dim is not None
    return (
        torch.randn(2, p.in_channels, height, width),
        torch.tensor([987.6, 37.5]),
        torch.randn(2, 7, p.context_dim),
        torch.randn(2, p.y_dim),
    )


@pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS.keys())
def test_equals_the_reference(params: MMDiTParams) -> None:
    torch.manual_seed(0)
    reference = SD3Transformer2DModel(
        sample_size=8,
        num_layers=params.depth,
        num_attention_heads=params.heads,
        joint_attention_dim=params.context_dim,
        caption_projection_dim=params.width,
        pooled_projection_dim=params.y_dim,
        pos_embed_max_size=params.positions,
        qk_norm="rms_norm" if params.qk_norm else None,
        dual_attention_layers=params.dual_blocks,
    )
    randomise(reference, seed=2)
    network = MMDiT(params)
    network.load_state_dict(keymaps.mmdit(reference.state_dict()))
    x, t, context, y = inputs(params, 12, 18)
    with torch.no_grad():
        expected = reference(x, context, y, t, return_dict=False)[0]
        assert relative_error(network(x, t, context, y), expected) <= TOLERANCE


@pytest.mark.parametrize(
    "params", [*VARIANTS.values(), replace(SMALL, y_dim=None, patch=4, out_channels=8, in_channels=3, time_dim=128)]
)
def test_shapes_tell_the_params(params: MMDiTParams) -> None:
    with torch.device("meta"):
        assert MMDiTParams.from_shapes(shapes_of(MMDiT(params))) == params


def test_a_missing_tensor_and_a_wrong_rank_are_named() -> None:
    shapes = shapes_of(MMDiT(SMALL))
    with pytest.raises(ValueError, match=r"context_embedder\.weight.*none of that name"):
        MMDiTParams.from_shapes({key: shape for key, shape in shapes.items() if key != "context_embedder.weight"})
    with pytest.raises(ValueError, match=r"pos_embed.*expected 3.*\[64\]"):
        MMDiTParams.from_shapes({**shapes, "pos_embed": (64,)})
    with pytest.raises(ValueError, match="multiple of 64, got depth 2, width 96"):
        replace(SMALL, width=96)


def test_position_table_equals_the_reference() -> None:
    expected = get_2d_sincos_pos_embed(128, 12, base_size=12, output_type="pt").float()
    assert torch.equal(position_table(12, 128)[0], expected)


def test_positions_are_the_centre_of_the_table() -> None:
    network = MMDiT(SMALL)
    rows, columns = 3, 6
    expected = network.pos_embed.view(8, 8, 64)[2:5, 1:7].reshape(1, rows * columns, 64)
    assert torch.equal(centre_of(network.pos_embed, network.params, rows, columns), expected)


def test_a_latent_larger_than_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match=r"latent: .* at most 16 x 16 cells .* got 18 x 8"):
        MMDiT(SMALL)(*inputs(SMALL, 17, 8))


def test_a_missing_pooled_vector_is_refused() -> None:
    with pytest.raises(ValueError, match="pooled text vector of 16 values"):
        MMDiT(SMALL)(*inputs(SMALL)[:3])


def test_an_odd_latent_is_repeated_at_its_edge_and_cut_back() -> None:
    network = MMDiT(SMALL)
    randomise(network, seed=3)
    x, t, context, y = inputs(SMALL, 7, 9)
    padded = torch.cat((x, x[:, :, -1:]), dim=2)
    padded = torch.cat((padded, padded[..., -1:]), dim=3)
    with torch.no_grad():
        assert torch.equal(network(x, t, context, y), network(padded, t, context, y)[..., :7, :9])


def test_tokens_lie_one_after_the_other_in_memory() -> None:
    """Otherwise every sum and norm on the way reads across rows, which costs a GPU time."""
    network = MMDiT(MMDiTParams(depth=2, width=64, context_dim=24, y_dim=16, positions=8))
    seen: list[bool] = []
    for block in network.joint_blocks:
        block.register_forward_pre_hook(
            lambda _, given: seen.append(given[0].is_contiguous() and given[1].is_contiguous())
        )
    with torch.no_grad():
        network(torch.randn(2, 16, 8, 8), torch.rand(2), torch.randn(2, 5, 24), torch.randn(2, 16))
    assert seen == [True, True]


def test_it_starts_at_zero_and_learns() -> None:
    torch.manual_seed(0)
    params = replace(SMALL, qk_norm=True, dual_blocks=(0,))
    network = MMDiT(params)
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, float("nan"))
    network.initialise(torch.Generator().manual_seed(5))
    x, t, context, y = inputs(params)
    assert not network(x, t, context, y).any()

    target = torch.randn_like(x)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        loss = (network(x, t, context, y) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_initialise_is_repeated_by_its_seed() -> None:
    first, second = MMDiT(SMALL), MMDiT(SMALL)
    for network in (first, second):
        network.initialise(torch.Generator().manual_seed(5))
    for key, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[key]), key


def test_half_precision_and_autocast_stay_near_fp32() -> None:
    params = replace(SMALL, qk_norm=True, dual_blocks=(0,))
    network = MMDiT(params)
    randomise(network, seed=4)
    x, t, context, y = inputs(params)
    with torch.no_grad():
        expected = network(x, t, context, y)
        with torch.autocast("cpu", torch.bfloat16):
            assert relative_error(network(x, t, context, y).float(), expected) < 5e-2
        network.bfloat16()
        half = network(x.bfloat16(), t, context.bfloat16(), y.bfloat16())
    assert half.dtype == torch.bfloat16
    assert relative_error(half.float(), expected) < 5e-2


def test_it_is_one_graph_for_the_compiler() -> None:
    params = replace(SMALL, qk_norm=True, dual_blocks=(0,))
    network = MMDiT(params)
    randomise(network, seed=4)
    given = inputs(params)
    with torch.no_grad():
        compiled = torch.compile(network, backend="eager", fullgraph=True)
        assert relative_error(compiled(*given), network(*given)) <= TOLERANCE
