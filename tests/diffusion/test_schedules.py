"""Schedules against values recorded from ComfyUI and against diffusers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_utils import AysSchedules

from diffusion import schedules
from diffusion.prediction import LINEAR, SCALED_LINEAR, EdmV, Eps, Flow, FluxFlow, Prediction, V
from diffusion.schedules import SCHEDULES, beta_quantile, sigmas, without_penultimate

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("sigmas.json").read_text())
PREDICTIONS: dict[str, Prediction] = {
    "eps": Eps(),
    "v_zsnr": V(replace(SCALED_LINEAR, ends_in_noise=True)),
    "pixart_linear(sqrt_linear)": Eps(LINEAR),
    "edm_v(.002,120)": EdmV(),
    "flow1": Flow(1.0),
    "flow3": Flow(3.0),
    "flux1.15": FluxFlow(1.15),
}

EPS = Eps()
UNEVEN = ("beta", "ddim_uniform")


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("golden", "prediction"), PREDICTIONS.items())
def test_equals_the_recorded_levels(golden: str, prediction: Prediction, name: str) -> None:
    # Recorded in float32, whose tangents near a right angle are coarse.
    rel = 2e-7 * prediction.sigma_max + 2e-6 if name == "kl_optimal" else 2e-6
    for steps in (1, 4, 8, 20, 28):
        recorded = GOLDEN[golden][f"{name}/{steps}"]
        if (name, steps) == ("kl_optimal", 1):
            recorded = [prediction.sigma_max, 0]  # the recorded one divides by zero
        assert sigmas(name, prediction, steps) == pytest.approx(recorded, rel=rel)


@pytest.mark.parametrize(("golden", "prediction"), PREDICTIONS.items())
def test_ends_of_the_table_equal_the_recorded_ones(golden: str, prediction: Prediction) -> None:
    recorded = GOLDEN[golden]
    assert prediction.sigma_min == pytest.approx(recorded["sigma_min"], rel=1e-6)
    assert prediction.sigma_max == pytest.approx(recorded["sigma_max"], rel=1e-6)
    assert len(prediction.sigmas) == recorded["n_sigmas"]


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 7, 28])
def test_normal_is_diffusers_flow_schedule(shift: float, steps: int) -> None:
    reference = FlowMatchEulerDiscreteScheduler(shift=shift)
    reference.set_timesteps(steps)
    assert torch.allclose(torch.tensor(sigmas("normal", Flow(shift), steps)), reference.sigmas, atol=1e-6)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("prediction", PREDICTIONS.values(), ids=PREDICTIONS.keys())
def test_falls_from_the_highest_level_to_zero(name: str, prediction: Prediction) -> None:
    for steps in (1, 2, 3, 17, 100, 1000):
        levels = sigmas(name, prediction, steps)
        if name not in UNEVEN:
            assert len(levels) == steps + 1
        if name != "ddim_uniform":
            assert levels[0] == pytest.approx(prediction.sigma_max, rel=1e-6)
        assert levels[-1] == 0
        assert all(high > low for high, low in pairwise(levels))


def test_without_penultimate_has_as_many_steps_down_to_the_level_above() -> None:
    for denoise in (1.0, 0.5):
        levels = sigmas("normal", Eps(), 10, denoise, without_penultimate)
        longer = sigmas("normal", Eps(), round(10 / denoise) + 1)
        assert levels == (*longer[:-2], 0.0)[-11:]


def test_denoise_keeps_the_end_of_a_longer_schedule() -> None:
    assert sigmas("normal", Eps(), 10, denoise=0.5) == sigmas("normal", Eps(), 20)[-11:]
    assert sigmas("simple", Flow(), 7, denoise=0.3) == sigmas("simple", Flow(), 23)[-8:]
    assert sigmas("karras", Eps(), 10, denoise=1.0) == sigmas("karras", Eps(), 10)
    assert sigmas("normal", Eps(), 10, denoise=0.0) == ()


@pytest.mark.parametrize("name", ["beta", "ddim_uniform"])
def test_denoise_counts_where_a_schedule_has_fewer_levels_than_asked_for(name: str) -> None:
    for denoise in (0.5, 0.01):
        assert sigmas(name, Eps(), 1000, denoise)[0] == pytest.approx(Eps().level(1 - denoise), rel=0.3)


@pytest.mark.parametrize(
    ("name", "steps", "denoise", "message"),
    [
        ("karas", 4, 1.0, "expected one of normal, karras, simple, sgm_uniform, .*, got 'karas'"),
        ("normal", 0, 1.0, "steps: expected 1 or more, got 0"),
        ("normal", 4, 1.5, "denoise: expected 0..1, got 1.5"),
        ("normal", 4, float("nan"), "denoise: expected 0..1, got nan"),
    ],
)
def test_refuses_what_is_out_of_range(name: str, steps: int, denoise: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sigmas(name, Eps(), steps, denoise)


@pytest.mark.parametrize("prediction", PREDICTIONS.values(), ids=PREDICTIONS)
def test_a_straight_curve_is_even_and_a_bent_one_is_steep_where_it_is(prediction: Prediction) -> None:
    straight, bent = ((0.0, 1.0), (1.0, 0.0)), ((0.0, 1.0), (0.25, 0.2), (1.0, 0.0))
    even = schedules.along(prediction, 10, straight)
    assert even == pytest.approx(SCHEDULES["sgm_uniform"](prediction, 10), rel=1e-6)
    assert schedules.along(prediction, 8, bent)[2] == pytest.approx(even[8], rel=1e-6)
    with pytest.raises(ValueError, match="noise that falls at each of 8 steps"):
        schedules.along(prediction, 8, ((0.0, 1.0), (0.5, 1.0), (1.0, 0.0)))


def test_quantiles_of_the_beta_distribution() -> None:
    """Of (1/2, 1/2), the arcsine distribution, and (1, 1), the even one."""
    shares = torch.linspace(0, 1, 21, dtype=torch.float64)
    assert torch.allclose(beta_quantile(shares, 0.5), (torch.pi / 2 * shares).sin() ** 2, atol=1e-12)
    assert torch.allclose(beta_quantile(shares, 1.0), shares, atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "reference"),
    [("SD1", "StableDiffusionSigmas"), ("SDXL", "StableDiffusionXLSigmas"), ("SVD", "StableDiffusionVideoSigmas")],
)
def test_align_your_steps(kind: str, reference: str) -> None:
    assert schedules.align_your_steps(kind, 10)[:-1] == pytest.approx(AysSchedules[reference][:-1], rel=1e-6)
    twenty = schedules.align_your_steps(kind, 20)
    assert len(twenty) == 21
    assert twenty[-1] == 0
    assert twenty[::2][:-1] == pytest.approx(schedules.align_your_steps(kind, 10)[:-1])
    assert twenty[1] == pytest.approx(math.sqrt(twenty[0] * twenty[2]))


@pytest.mark.parametrize("steps", [1, 2, 7, 20])
def test_levels_by_formula(steps: int) -> None:
    """As k-diffusion writes them."""
    top, low = EPS.sigma_max, EPS.sigma_min
    ramp = torch.linspace(1, 0, steps, dtype=torch.float64)
    poly = torch.exp(ramp**2 * (math.log(top) - math.log(low)) + math.log(low))
    assert schedules.polyexponential(EPS, steps, 2.0)[:-1] == pytest.approx(poly.tolist())
    t = torch.linspace(1, 1e-3, steps, dtype=torch.float64)
    vp = torch.sqrt(torch.exp(19.9 * t**2 / 2 + 0.1 * t) - 1)
    assert schedules.variance_preserving(steps)[:-1] == pytest.approx(vp.tolist())
    x = torch.linspace(0, 1, steps, dtype=torch.float64)
    spread = 0.2 - 0.7 * torch.sign(0.5 - x) * torch.log(1 - 2 * torch.abs(0.5 - x) + 1e-5)
    laplace = torch.clamp(torch.exp(spread), min=low, max=top)
    assert schedules.laplace(EPS, steps, 0.2, 0.7)[:-1] == pytest.approx(laplace.tolist())
    assert schedules.polyexponential(EPS, steps) == pytest.approx(schedules.SCHEDULES["exponential"](EPS, steps))


def test_turbo_levels_are_those_of_its_scheduler() -> None:
    """Timesteps 999, 899, ... as SD-Turbo was trained; of a part of the way the last ones."""
    table = Eps().sigmas
    assert schedules.turbo(Eps(), 3) == (*(float(table[t]) for t in (999, 899, 799)), 0.0)
    assert schedules.turbo(Eps(), 2, denoise=0.5) == (*(float(table[t]) for t in (499, 399)), 0.0)
    assert len(schedules.turbo(Eps(), 10)) == 11
    assert len(schedules.turbo(Eps(), 10, denoise=0.3)) == 4
    assert schedules.turbo(Eps(), 1, denoise=0.0) == ()
