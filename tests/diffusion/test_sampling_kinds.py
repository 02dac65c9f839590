"""Every sampler on every kind of model, from noise to pictures, with a network that is exact in what its kind predicts.

The network is given scaled latents and its own time, as a trained one would be, and says noise, v or velocity of data
from two Gaussians. What comes out must be distributed as the data.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from diffusion import samplers
from diffusion.conditioning import Conditioning
from diffusion.latents import SD15
from diffusion.prediction import Betas, EdmV, Eps, Flow, FluxFlow, Prediction, V
from diffusion.sampling import sample
from tests.diffusion.test_guidance import model_of
from tests.diffusion.test_samplers import MODE, STD, mixture, said

COUNT, STEPS = 500, 100
TEXT = Conditioning.of(torch.zeros(1, 1, 1))


@dataclass(frozen=True)
class Kind:
    prediction: Prediction
    sigma_of: Callable[[float], float]
    """Of the network's time."""
    schedule: str = "karras"


def table(prediction: Eps | V) -> Kind:
    return Kind(prediction, lambda t: float(prediction.sigmas[int(t)]))


KINDS = {
    "eps": table(Eps()),
    "v": table(V()),
    "flow": Kind(Flow(3.0), lambda t: t / 1000, "normal"),
    "v to zero SNR": table(V(Betas(ends_in_noise=True))),
    "EDM v": Kind(EdmV(0.02, 80.0), lambda t: math.exp(4 * t)),
    "Flux": Kind(FluxFlow(), lambda t: t, "normal"),
}


class Exact(nn.Module):
    """What a network of some kind would say had it learned everything."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x_BCHW: Tensor, t_B: Tensor, _context_BLD: Tensor, _y: Tensor | None) -> Tensor:
        prediction, sigma = self.kind.prediction, self.kind.sigma_of(float(t_B[0]))
        x_ND = x_BCHW.flatten(1).double()
        if not isinstance(prediction, Flow):
            x_ND = x_ND * math.sqrt(sigma**2 + 1)
        clean_ND = mixture(prediction.alpha)(x_ND, sigma)
        return said(prediction, x_ND, clean_ND, sigma).view_as(x_BCHW).to(x_BCHW)


def around_the_modes(kind: Kind, sampler: str) -> tuple[float, float]:
    """How far pictures lie from the nearer mode, and which part more of them is at one."""
    model = model_of(Exact(kind), kind.prediction, SD15)
    empty, settings = torch.zeros(COUNT, 4, 2, 2), {"seed": 3, "steps": STEPS, "cfg": 1.0}
    made = sample(model, TEXT, TEXT, empty, sampler=sampler, schedule=kind.schedule, **settings)  # type: ignore[arg-type]
    x_ND = SD15.process_in(made).flatten(1).double()
    side_N1 = torch.sign(x_ND @ MODE)[:, None]
    return float((x_ND - side_N1 * MODE).std()), float(side_N1.mean())


@pytest.mark.parametrize("kind", ["eps", "v to zero SNR", "flow"])
@pytest.mark.parametrize("sampler", samplers.names())
def test_every_sampler_on_every_kind(sampler: str, kind: str) -> None:
    spread, balance = around_the_modes(KINDS[kind], sampler)
    # What LCM makes of networks that were not distilled is too smooth by design.
    assert spread == pytest.approx(0.35 if sampler == "lcm" else STD, abs=0.06)
    assert abs(balance) < 0.15


@pytest.mark.parametrize("kind", ["v", "EDM v", "Flux"])
@pytest.mark.parametrize("sampler", ["euler", "ddpm", "dpmpp_3m_sde", "res_multistep_ancestral"])
def test_the_other_kinds(sampler: str, kind: str) -> None:
    spread, balance = around_the_modes(KINDS[kind], sampler)
    assert spread == pytest.approx(STD, abs=0.06)
    assert abs(balance) < 0.15
