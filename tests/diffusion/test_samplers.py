"""Samplers against an exact denoiser: data from two Gaussians, whose clean estimate has a closed form."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from diffusion import samplers
from diffusion.noise import Noise, per_item
from diffusion.prediction import Alpha, Eps, Flow, Prediction, V
from diffusion.samplers import Denoiser, Guided, GuidedDenoiser, Step, ddim
from diffusion.schedules import Sigmas, sigmas, without_penultimate

EPS, VELOCITY, FLOW = Eps(), V(), Flow(3.0)
PREDICTIONS = pytest.mark.parametrize("prediction", [EPS, FLOW], ids=["eps", "flow"])
KINDS = pytest.mark.parametrize("prediction", [EPS, VELOCITY, FLOW], ids=["eps", "v", "flow"])
STD, DIM = 0.5, 16
ORDERS = [("euler", 1), ("ddim", 1), ("heun", 2), ("dpm_2", 2), ("lms", 2), ("dpmpp_2m", 2)]
ORDERS += [
    ("deis", 2),
    ("ipndm", 2),
    ("res_multistep", 2),
    ("gradient_estimation", 1),
    ("uni_pc", 2),
    ("uni_pc_bh2", 2),
    ("euler_cfg_pp", 1),
    ("dpmpp_2m_cfg_pp", 2),
    ("exp_heun_2_x0", 2),
]
DROPPING = {"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"}
SAME_PROCESS = ["ddim", "ddpm", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m_sde", "lcm"]
SAME_PROCESS += [
    "er_sde",
    "exp_heun_2_x0",
    "res_multistep",
    "res_multistep_ancestral",
    "sa_solver",
    "sa_solver_pece",
    "seeds_2",
    "seeds_3",
    "uni_pc",
    "uni_pc_bh2",
]
MODE = torch.linspace(-1, 1, DIM, dtype=torch.float64)


def mixture(alpha: Alpha) -> Denoiser:
    """E[x0 | x] for x0 from one half N(MODE, STD^2) and one half N(-MODE, STD^2), x = alpha * x0 + sigma * noise."""

    def denoise(x_ND: Tensor, sigma: float) -> Tensor:
        a = alpha(sigma)
        variance = (a * STD) ** 2 + sigma**2
        means = [sign * MODE + a * STD**2 / variance * (x_ND - a * sign * MODE) for sign in (1, -1)]
        nearer_N1 = torch.sigmoid(2 * a / variance * (x_ND @ MODE))[:, None]
        return nearer_N1 * means[0] + (1 - nearer_N1) * means[1]

    return denoise


def said(prediction: Prediction, x: Tensor, clean: Tensor, sigma: float) -> Tensor:
    """What a network says that knows what is clean."""
    noise = (x - prediction.alpha(sigma) * clean) / sigma
    if isinstance(prediction, Flow):
        return noise - clean
    return noise if isinstance(prediction, Eps) else (noise - sigma * clean) / math.sqrt(sigma**2 + 1)


def by_network(prediction: Prediction) -> Denoiser:
    """The exact denoiser by way of what a network of that kind says."""
    exact = mixture(prediction.alpha)
    return lambda x, sigma: prediction.denoised(x, said(prediction, x, exact(x, sigma), sigma), sigma)


def guided(denoise: Denoiser) -> GuidedDenoiser:
    """Guided nowhere: away from what it is."""

    def both(x: Tensor, sigma: float, _both: bool) -> Guided:
        estimate = denoise(x, sigma)
        return Guided(estimate, estimate)

    return both


def start(prediction: Prediction, count: int = 8) -> Tensor:
    return per_item(0, (count, DIM))(0).double() * prediction.sigma_max


def even(prediction: Prediction, steps: int) -> Sigmas:
    """Levels as smooth in the step number as convergence needs, down to a level above 0."""
    low = 0.05
    if prediction is FLOW:
        return tuple(torch.linspace(1, low, steps + 1, dtype=torch.float64).tolist())
    return tuple(torch.linspace(math.log(10), math.log(low), steps + 1, dtype=torch.float64).exp().tolist())


def top_of(prediction: Prediction) -> Tensor:
    return start(prediction) / prediction.sigma_max * even(prediction, 1)[0]


def quick_noise(shape: tuple[int, ...]) -> Noise:
    return lambda number: torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(number))


def run(
    name: str, prediction: Prediction, levels: Sigmas, x: Tensor, rule: Callable[[tuple[int, ...]], Noise] = quick_noise
) -> Tensor:
    noise = rule(tuple(x.shape))
    return samplers.get(name).run(
        guided(mixture(prediction.alpha)), x, levels, prediction.alpha, lambda n: noise(n).double(), lambda step: None
    )


@functools.cache
def reference(prediction: Prediction) -> Tensor:
    """The ODE from `start` down the levels of `even`, by the classical fourth-order Runge-Kutta method."""
    denoise, x = mixture(prediction.alpha), top_of(prediction)

    def slope(x: Tensor, sigma: float) -> Tensor:
        return (x - denoise(x, sigma)) / sigma

    for sigma, target in pairwise(even(prediction, 320)):
        h = target - sigma
        a = slope(x, sigma)
        b = slope(x + h / 2 * a, sigma + h / 2)
        c = slope(x + h / 2 * b, sigma + h / 2)
        x = x + h / 6 * (a + 2 * b + 2 * c + slope(x + h * c, target))
    return x


@KINDS
@pytest.mark.parametrize(("name", "order"), ORDERS)
def test_converges_with_its_order_or_better(name: str, order: int, prediction: Prediction) -> None:
    x, exact, denoise = top_of(prediction), reference(prediction), guided(by_network(prediction))

    def after(steps: int) -> Tensor:
        levels = even(prediction, steps)
        return samplers.get(name).run(denoise, x, levels, prediction.alpha, quick_noise(tuple(x.shape)), lambda _: None)

    errors = [float((after(steps) - exact).norm()) for steps in (40, 80, 160)]
    observed = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert all(o > order - 0.25 for o in observed), observed


@PREDICTIONS
def test_ddim_is_euler(prediction: Prediction) -> None:
    levels = sigmas("normal", prediction, 12)
    x = start(prediction)
    difference = run("ddim", prediction, levels, x) - run("euler", prediction, levels, x)
    assert float(difference.abs().max()) < 1e-12


@PREDICTIONS
def test_dpmpp_2m_is_the_formula_of_the_paper(prediction: Prediction) -> None:
    """Algorithm 2 of arXiv 2211.01095, with its own variables and in its own time."""
    levels = even(prediction, 9)[1:]
    x = mine = start(prediction) * levels[0]
    alpha, denoise = prediction.alpha, mixture(prediction.alpha)
    lambdas = [math.log(alpha(s) / s) for s in levels]
    seen: list[Tensor] = []
    for i in range(1, len(levels)):
        seen.append(denoise(mine, levels[i - 1]))
        h = lambdas[i] - lambdas[i - 1]
        d = seen[-1]
        if i > 1:
            r = (lambdas[i - 1] - lambdas[i - 2]) / h
            d = (1 + 1 / (2 * r)) * seen[-1] - 1 / (2 * r) * seen[-2]
        mine = levels[i] / levels[i - 1] * mine - alpha(levels[i]) * math.expm1(-h) * d
    assert float((run("dpmpp_2m", prediction, levels, x) - mine).abs().max()) < 1e-12


@pytest.mark.parametrize("name", SAME_PROCESS)
def test_a_flow_is_the_same_process_at_another_scale(name: str) -> None:
    """x / alpha of a flow walks down sigma / alpha as an eps model's x does."""
    levels = (0.95, 0.9, 0.7, 0.6, 0.35, 0.2, 0.05, 0.0)
    x = start(EPS) / EPS.sigma_max
    flow = run(name, FLOW, levels, x * 0.95)
    eps = run(name, EPS, tuple(s / (1 - s) for s in levels), x * 0.95 / 0.05)
    assert float((flow - eps).abs().max()) < 1e-11


@PREDICTIONS
@pytest.mark.parametrize("name", samplers.names())
def test_a_single_step_to_zero_is_the_estimate(name: str, prediction: Prediction) -> None:
    x = start(prediction)
    top = prediction.sigma_max
    expected = mixture(prediction.alpha)(x, top)
    assert float((run(name, prediction, (top, 0.0), x) - expected).abs().max()) < 1e-9


@PREDICTIONS
@pytest.mark.parametrize("name", samplers.names())
def test_a_level_given_twice_changes_nothing(name: str, prediction: Prediction) -> None:
    x = start(prediction) / prediction.sigma_max
    twice = run(name, prediction, (0.9, 0.7, 0.7, 0.3), x)
    assert twice.isfinite().all()
    if name in ("euler", "ddim"):
        assert float((twice - run(name, prediction, (0.9, 0.7, 0.3), x)).abs().max()) < 1e-12


@pytest.mark.parametrize("name", samplers.names())
def test_a_level_that_rounding_keeps_from_pure_noise_counts_as_pure_noise(name: str) -> None:
    nearly, pure = ((top, 0.8, 0.5, 0.2, 0.0) for top in (1 - 2**-53, 1.0))
    found, expected = (run(name, FLOW, levels, start(FLOW)) for levels in (nearly, pure))
    assert float((found - expected).abs().max()) < 1e-9


@PREDICTIONS
@pytest.mark.parametrize("name", [name for name in samplers.names() if samplers.get(name).upwards])
def test_upwards_the_noise_is_found_that_leads_down_here(name: str, prediction: Prediction) -> None:
    upwards = tuple(reversed(even(prediction, 160)))
    found, expected = run(name, prediction, upwards, reference(prediction)), top_of(prediction)
    assert float((found - expected).norm() / expected.norm()) < 0.05


@pytest.mark.parametrize("name", samplers.names())
def test_reports_each_step(name: str) -> None:
    steps: list[Step] = []
    x = start(FLOW)
    noise = per_item(1, tuple(x.shape))
    result = samplers.get(name).run(guided(mixture(FLOW.alpha)), x, (1.0, 0.5, 0.0), FLOW.alpha, noise, steps.append)
    assert [(s.number, s.total) for s in steps] == [(1, 2), (2, 2)]
    assert steps[-1].x is result
    assert torch.equal(steps[0].denoised, mixture(FLOW.alpha)(x, 1.0))


def test_ancestral_step_for_eps() -> None:
    """The form it was published in: sigma_down and sigma_up with sigma_down^2 + sigma_up^2 = target^2."""
    x, (sigma, target) = start(EPS), (3.0, 2.0)
    up = min(target, math.sqrt(target**2 * (sigma**2 - target**2) / sigma**2))
    down = math.sqrt(target**2 - up**2)
    slope = (x - mixture(EPS.alpha)(x, sigma)) / sigma
    expected = x + slope * (down - sigma) + up * quick_noise(tuple(x.shape))(1)
    assert float((run("euler_ancestral", EPS, (sigma, target), x) - expected).abs().max()) < 1e-12


def test_ancestral_step_for_flow() -> None:
    """Down to `down`, rescaled to the target's signal, noise up to the target's level."""
    x, (sigma, target) = start(FLOW), (0.8, 0.6)
    down = target * (1 + (target / sigma - 1))
    slope = (x - mixture(FLOW.alpha)(x, sigma)) / sigma
    scale = (1 - target) / (1 - down)
    expected = scale * (x + slope * (down - sigma))
    expected = expected + math.sqrt(target**2 - down**2 * scale**2) * quick_noise(tuple(x.shape))(1)
    assert float((run("euler_ancestral", FLOW, (sigma, target), x) - expected).abs().max()) < 1e-12


@pytest.mark.parametrize("name", samplers.names())
def test_noise_is_drawn_once_and_by_its_step(name: str) -> None:
    asked: list[tuple[int, int]] = []
    done: list[Step] = []

    def noise(number: int) -> Tensor:
        asked.append((len(done), number))
        return torch.zeros(8, DIM, dtype=torch.float64)

    way = samplers.get(name)
    way.run(guided(mixture(EPS.alpha)), start(EPS), (10.0, 5.0, 1.0, 0.0), EPS.alpha, noise, done.append)
    numbers = [number for _, number in asked]
    assert len(set(numbers)) == len(numbers)
    assert all(step == (number - 1) // way.draws for step, number in asked)
    assert not asked or numbers[-1] == 2 * way.draws


def test_names_are_the_files() -> None:
    folder = Path(samplers.__file__).parent
    assert samplers.names() == sorted(path.stem for path in folder.glob("[!_]*.py"))


def test_samplers_that_look_ahead_drop_the_last_small_step() -> None:
    assert {name for name in samplers.names() if samplers.get(name).adapt is without_penultimate} == DROPPING


def test_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"expected one of ddim, .*got '../euler'"):
        samplers.get("../euler")


@PREDICTIONS
def test_ddim_with_eta_between_none_and_all_of_the_noise(prediction: Prediction) -> None:
    x, levels = start(prediction), sigmas("normal", prediction, 5)
    noise = quick_noise(tuple(x.shape))

    def with_eta(eta: float) -> Tensor:
        return ddim.sample(mixture(prediction.alpha), x, levels, prediction.alpha, noise, lambda step: None, eta)

    assert torch.equal(with_eta(0.0), run("ddim", prediction, levels, x))
    assert float((with_eta(1.0) - run("ddpm", prediction, levels, x)).abs().max()) < 1e-12
    distances = [float((with_eta(eta) - with_eta(0.0)).norm()) for eta in (0.0, 0.3, 1.0)]
    assert distances == sorted(set(distances))
