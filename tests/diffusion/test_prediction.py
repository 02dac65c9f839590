"""Predictions: the published tables, and the round trip clean -> noisy -> clean."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler

from diffusion.prediction import (
    COSINE,
    LINEAR,
    SCALED_LINEAR,
    Betas,
    EdmV,
    Eps,
    Flow,
    FluxFlow,
    Prediction,
    V,
    flux_shift,
)

Z, NOISE = torch.randn(2, 2, 4, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_eps_table_is_that_of_latent_diffusion() -> None:
    kept = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod.double()
    assert torch.allclose(Eps().sigmas, ((1 - kept) / kept).sqrt(), rtol=1e-4, atol=0)
    assert Eps().sigma_min == pytest.approx(0.0291671, rel=1e-5)
    assert Eps().sigma_max == pytest.approx(14.6146, rel=1e-5)


@pytest.mark.parametrize(
    ("betas", "config"),
    [
        (LINEAR, {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear"}),
        (COSINE, {"beta_schedule": "squaredcos_cap_v2"}),
    ],
)
def test_other_tables_are_those_of_diffusers(betas: Betas, config: dict[str, Any]) -> None:
    kept = torch.cumprod(1 - DDIMScheduler(**config).betas.double(), 0)
    assert torch.allclose(betas.sigmas(), ((1 - kept) / kept).sqrt(), rtol=1e-4, atol=0)
    marked = replace(betas, ends_in_noise=True).sigmas()
    assert float(marked[-1]) == pytest.approx(4518.76, rel=1e-3)
    assert float(marked[0]) == pytest.approx(float(betas.sigmas()[0]))


def test_eps_time_is_the_index_of_the_nearest_level() -> None:
    eps = Eps()
    assert [eps.timestep(float(eps.sigmas[i])) for i in (0, 1, 500, 999)] == [0, 1, 500, 999]
    between = math.sqrt(float(eps.sigmas[500] * eps.sigmas[501]))
    assert eps.timestep(between * 1.0001) == 501
    assert eps.timestep(between * 0.9999) == 500
    assert eps.timestep(1e9) == 999


def test_eps_level_at_a_time_between_two_entries() -> None:
    eps = Eps()
    assert torch.allclose(eps.sigma(torch.arange(1000)), eps.sigmas, rtol=1e-12)
    assert float(eps.sigma(torch.tensor(500.5))) == pytest.approx(
        math.sqrt(float(eps.sigmas[500] * eps.sigmas[501])), rel=1e-12
    )


def test_flow_shift() -> None:
    assert float(Flow(1.0).sigma(torch.tensor(250.0))) == 0.25
    assert float(Flow(3.0).sigma(torch.tensor(250.0))) == pytest.approx(0.5)
    assert Flow(3.0).sigma_min == pytest.approx(3 * 0.001 / (1 + 2 * 0.001))
    assert Flow(3.0).timestep(0.25) == 250


@pytest.mark.parametrize(
    ("prediction", "sigma", "output"),
    [
        (Eps(), 3.0, NOISE),
        (Eps(), 0.03, NOISE),
        (V(), 3.0, (NOISE - 3 * Z) / math.sqrt(10)),
        (EdmV(), 0.5, (NOISE - 0.5 * Z) / math.sqrt(1.25)),
        (Flow(), 0.7, NOISE - Z),
        (FluxFlow(), 0.01, NOISE - Z),
    ],
)
def test_a_perfect_output_gives_the_clean_latent(prediction: Prediction, sigma: float, output: torch.Tensor) -> None:
    x = prediction.noised(Z, NOISE, sigma)
    assert torch.allclose(x, prediction.alpha(sigma) * Z + sigma * NOISE, rtol=1e-12)
    assert torch.allclose(prediction.denoised(x, output, sigma), Z, atol=1e-12)


def test_eps_input_has_unit_variance_at_every_level() -> None:
    for sigma in (0.03, 1.0, 14.0):
        x = Eps().noised(Z, NOISE, sigma)
        assert float(Eps().scale_input(x, sigma).std()) == pytest.approx(1, abs=0.06)


def test_eps_start_at_the_highest_level_has_the_variance_seen_in_training() -> None:
    eps = Eps()
    empty = torch.zeros_like(NOISE)
    top = eps.sigma_max
    assert torch.allclose(eps.noised(empty, NOISE, top), NOISE * math.sqrt(1 + top**2))
    assert torch.allclose(eps.noised(empty, NOISE, top * (1 - 5e-6)), NOISE * math.sqrt(1 + top**2), rtol=1e-5)
    assert torch.allclose(eps.noised(empty, NOISE, top * 0.999), NOISE * top * 0.999)


def test_stopping_above_zero_keeps_the_scale_of_clean_latents() -> None:
    empty_noise = torch.zeros_like(NOISE)
    for prediction in (Eps(), Flow()):
        assert torch.allclose(prediction.finish(prediction.noised(Z, empty_noise, 0.4), 0.4), Z)


def test_zero_terminal_noise_ratio_moves_the_end_and_keeps_the_beginning() -> None:
    usual, ending = V(), V(replace(SCALED_LINEAR, ends_in_noise=True))
    assert ending.sigma_max == pytest.approx(4518.76, rel=1e-5)
    assert ending.sigma_min == pytest.approx(usual.sigma_min, rel=1e-9)
    assert bool((ending.sigmas.diff() > 0).all())


def test_network_times_of_edm_and_flux() -> None:
    assert EdmV().timestep(math.e) == 0.25
    assert float(EdmV().sigma(torch.tensor(0.25))) == pytest.approx(math.e)
    assert FluxFlow().timestep(0.3) == 0.3
    assert float(FluxFlow(0.0).sigma(torch.tensor(0.3))) == pytest.approx(0.3)
    assert float(FluxFlow(math.log(3)).sigma(torch.tensor(0.25))) == pytest.approx(
        float(Flow().sigma(torch.tensor(250)))
    )
    assert [flux_shift(256), flux_shift(4096)] == pytest.approx([0.5, 1.15])


def test_predictions_are_values() -> None:
    assert V() != Eps()
    assert Eps() == Eps()
    assert Flow(3.0) != Flow(1.0)
    assert hash(Flow(3.0)) == hash(Flow(3.0))
