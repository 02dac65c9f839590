"""Numbers that go wrong are traced to the layer they come from."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from diffusion.alarm import NotFinite, watched
from diffusion.latents import SD15
from diffusion.prediction import Flow
from tests.diffusion.test_guidance import model_of
from tests.diffusion.test_sampling import PULLS, generate


class Breaks(nn.Module):
    """Three layers, of which the middle one overflows below a level of time."""

    def __init__(self, below: float) -> None:
        super().__init__()
        self.first, self.inner, self.last = nn.Identity(), nn.Sequential(nn.Identity(), Overflows()), nn.Identity()
        self.below = below

    def forward(self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None) -> Tensor:
        factor = torch.where(t_B[0] < self.below, torch.inf, 1.0)
        self.inner[1].factor = factor
        return self.last(self.inner(self.first(x_BCHW)))


class Overflows(nn.Module):
    factor: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def test_the_step_and_the_layer_are_named() -> None:
    network = Breaks(below=600)
    with pytest.raises(NotFinite, match=r"step 3: layer inner\.1 \(Overflows\) gave values that are not finite"):
        generate(model_of(network, Flow(1.0), SD15), steps=4, schedule="sgm_uniform")
    assert not any(layer._forward_hooks for layer in network.modules())


def test_what_is_finite_is_painted() -> None:
    assert generate(model_of(Breaks(below=0), Flow(1.0), SD15)).isfinite().all()


def test_without_a_layer_the_sampler_is_blamed() -> None:
    with pytest.raises(NotFinite, match="step 1: nothing in the network"):
        generate(PULLS[1], cfg=1e38 * 10)


def test_a_layer_that_is_given_nonsense_is_not_blamed() -> None:
    with watched(nn.Sequential(nn.Identity())) as _:
        nn.Sequential(nn.Identity())(torch.tensor(torch.nan))
