"""Hooks: what a caller changes in one forward pass is what it says, and without any nothing is different."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from diffusion.hooks import NO_HOOKS, Hooks, Residuals, Site, probabilities
from diffusion.networks.layers import attention
from diffusion.networks.mmdit import MMDiT, MMDiTParams
from diffusion.networks.unet import CrossAttention, SelfAttention, SpatialTransformer
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import relative_error

UNET = tiny.network_of(tiny.SD15)
MMDIT = tiny.network_of(MMDiTParams(depth=3, width=128, context_dim=64, y_dim=64, positions=16, dual_blocks=(0,)))


def inputs(network: nn.Module) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    if isinstance(network, MMDiT):
        return torch.randn(2, 16, 4, 6), torch.tensor([5.0, 900.0]), torch.randn(2, 7, 64), torch.randn(2, 64)
    return torch.randn(2, 4, 4, 6), torch.tensor([5.0, 900.0]), torch.randn(2, 7, 768)


def run(network: nn.Module, hooks: Hooks | None = None) -> Tensor:
    with torch.no_grad():
        x, t, context, *y = inputs(network)
        given = (x, t, context, y[0] if y else None)
        return network(*given) if hooks is None else network(*given, hooks)


NETWORKS = pytest.mark.parametrize("network", [UNET, MMDIT], ids=["U-Net", "MMDiT"])


@NETWORKS
def test_an_attention_that_is_only_watched_is_the_same_to_the_bit(network: nn.Module) -> None:
    seen: list[tuple[Site, Tensor, Tensor, Tensor]] = []

    def watch(site: Site, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen.append((site, q, k, v))
        return attention(q, k, v)

    expected = run(network)
    assert torch.equal(run(network, Hooks(attend=watch)), expected)
    assert torch.equal(run(network, NO_HOOKS), expected)
    names = [site.name for site, *_ in seen]
    assert len(set(names)) == len(names)
    assert all(name.removesuffix(".attn") in dict(network.named_modules()) for name in names)
    kinds = {site.kind for site, *_ in seen}
    assert kinds == ({"joint", "self"} if isinstance(network, MMDiT) else {"self", "cross"})
    for site, q, k, v in seen:
        shares = probabilities(q, k)
        assert torch.allclose(shares.sum(-1), torch.ones(()), atol=1e-5)
        recomputed = (shares @ v.transpose(1, 2)).transpose(1, 2).flatten(2)
        assert relative_error(recomputed, attention(q, k, v)) <= 5e-6
        assert site.kind != "cross" or k.shape[1] == 7


def test_every_attention_of_a_unet_is_met_in_the_order_of_running() -> None:
    seen: list[str] = []

    def watch(site: Site, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen.append(site.name)
        return attention(q, k, v)

    run(UNET, Hooks(attend=watch))
    modules = [name for name, module in UNET.named_modules() if isinstance(module, SelfAttention | CrossAttention)]
    order = {"input_blocks": 0, "middle_block": 1, "output_blocks": 2}
    assert seen == sorted(modules, key=lambda name: order[name.split(".")[0]])


@NETWORKS
def test_an_attention_is_replaced_where_it_is_named(network: nn.Module) -> None:
    """Attention as the identity on values equals a network whose queries are such that it is one."""
    name = "joint_blocks.1.attn" if isinstance(network, MMDiT) else "middle_block.1.transformer_blocks.0.attn1"

    def perturb(site: Site, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return v.flatten(2) if site.name == name else attention(q, k, v)

    changed = run(network, Hooks(attend=perturb))
    assert not torch.equal(changed, run(network))
    if isinstance(network, MMDiT):
        return
    handle = UNET.get_submodule(name).register_forward_hook(values_alone)
    try:
        assert relative_error(run(UNET), changed) <= 5e-6
    finally:
        handle.remove()


def values_alone(module: nn.Module, args: tuple[Tensor, ...], _output: Tensor) -> Tensor:
    assert isinstance(module, SelfAttention)
    return module.to_out(module.to_v(args[0]))


@NETWORKS
def test_a_skipped_block_gives_back_what_it_gets(network: nn.Module) -> None:
    name = "joint_blocks.1" if isinstance(network, MMDiT) else "middle_block.1"
    block = network.get_submodule(name)
    assert isinstance(network, MMDiT) == (not isinstance(block, SpatialTransformer))

    def unchanged(_module: nn.Module, args: tuple[Tensor, ...], _output: object) -> object:
        return args[:2] if isinstance(network, MMDiT) else args[0]

    handle = block.register_forward_hook(unchanged)
    try:
        expected = run(network)
    finally:
        handle.remove()
    assert torch.equal(run(network, Hooks(skipped=frozenset({name}))), expected)
    assert not torch.equal(expected, run(network))


@NETWORKS
def test_residuals_of_nothing_change_nothing(network: nn.Module) -> None:
    sizes = [(64, 4, 6), (64, 4, 6), (64, 2, 3), (128, 2, 3)]
    blocks = [(6, 128)] * 2 if isinstance(network, MMDiT) else sizes
    middle = None if isinstance(network, MMDiT) else torch.zeros(2, 128, 2, 3)
    none = Residuals(tuple(torch.zeros(2, *size) for size in blocks), middle)
    assert torch.equal(run(network, Hooks(residuals=none)), run(network))
    some = none.each(lambda residual: residual + 0.1)
    assert not torch.equal(run(network, Hooks(residuals=some)), run(network))
    doubled = some.plus(some).each(lambda residual: residual / 2)
    assert torch.equal(run(network, Hooks(residuals=doubled)), run(network, Hooks(residuals=some)))


def test_residuals_for_networks_of_other_depths_do_not_add_up() -> None:
    one, two = (Residuals((torch.zeros(1),) * n) for n in (1, 2))
    with pytest.raises(ValueError, match="1 and 2 residuals"):
        one.plus(two)


@NETWORKS
def test_hooks_of_some_rows_are_those_of_the_rows(network: nn.Module) -> None:
    torch.manual_seed(3)
    sizes = [(6, 128)] * 2 if isinstance(network, MMDiT) else [(64, 4, 6), (64, 4, 6), (64, 2, 3), (128, 2, 3)]
    middle = None if isinstance(network, MMDiT) else torch.randn(2, 128, 2, 3)
    hooks = Hooks(residuals=Residuals(tuple(torch.randn(2, *size) for size in sizes), middle))
    whole = run(network, hooks)
    x, t, context, *y = (tensor[1:] for tensor in inputs(network))
    with torch.no_grad():
        row = network(x, t, context, y[0] if y else None, hooks.of(slice(1, 2)))
    assert relative_error(row, whole[1:]) <= 5e-6
