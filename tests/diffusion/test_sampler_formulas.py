"""Samplers against the formulas they were published in, for eps models and in those formulas' own variables."""

from __future__ import annotations

import math
from itertools import pairwise
from unittest import mock

import pytest
import torch
from diffusers.schedulers.scheduling_sasolver import SASolverScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from diffusion import samplers
from diffusion.dpm_solver import DPMSolver
from diffusion.prediction import Prediction
from diffusion.samplers import Guided, Step, ddpm, dpm_fast, er_sde, sa_solver, seeds_2, seeds_3
from diffusion.steps import diffusion, integral
from tests.diffusion.test_samplers import EPS, FLOW, even, guided, mixture, quick_noise, reference, run, start, top_of

LEVELS = (9.0, 5.0, 2.0, 1.1, 0.4)
D = mixture(EPS.alpha)
X = start(EPS) / EPS.sigma_max * LEVELS[0]
NOISE = quick_noise(tuple(X.shape))


def assert_follows(name: str, expected: Tensor, steps: int) -> None:
    assert float((run(name, EPS, LEVELS[: steps + 1], X) - expected).abs().max()) < 1e-11


def down_and_up(sigma: float, target: float) -> tuple[float, float]:
    up = math.sqrt(target**2 * (sigma**2 - target**2) / sigma**2)
    return math.sqrt(target**2 - up**2), up


def test_heun() -> None:
    sigma, target = LEVELS[:2]
    d = (X - D(X, sigma)) / sigma
    x2 = X + d * (target - sigma)
    assert_follows("heun", X + (d + (x2 - D(x2, target)) / target) / 2 * (target - sigma), 1)


def test_dpm_2_ancestral() -> None:
    sigma, target = LEVELS[:2]
    down, up = down_and_up(sigma, target)
    middle = math.exp((math.log(sigma) + math.log(down)) / 2)
    x2 = X + (X - D(X, sigma)) / sigma * (middle - sigma)
    x = X + (x2 - D(x2, middle)) / middle * (down - sigma)
    assert_follows("dpm_2_ancestral", x + up * NOISE(1), 1)


def test_lms_on_even_levels_is_adams_bashforth() -> None:
    x, levels, seen = X, (9.0, 8.0, 7.0, 6.0, 5.0), list[Tensor]()
    weights = [[1], [3 / 2, -1 / 2], [23 / 12, -16 / 12, 5 / 12], [55 / 24, -59 / 24, 37 / 24, -9 / 24]]
    for sigma, row in zip(levels, weights, strict=False):
        seen.insert(0, (x - D(x, sigma)) / sigma)
        x = x - sum(w * d for w, d in zip(row, seen, strict=True))
    assert float((run("lms", EPS, levels, X) - x).abs().max()) < 1e-11


def test_dpmpp_2s_ancestral() -> None:
    sigma, target = LEVELS[:2]
    down, up = down_and_up(sigma, target)
    h = math.log(sigma / down)
    x2 = math.exp(-h / 2) * X - math.expm1(-h / 2) * D(X, sigma)
    x = down / sigma * X - math.expm1(-h) * D(x2, sigma * math.exp(-h / 2))
    assert_follows("dpmpp_2s_ancestral", x + up * NOISE(1), 1)


def test_dpmpp_sde() -> None:
    sigma, target = LEVELS[:2]
    middle = math.sqrt(sigma * target)
    brownian = math.sqrt(sigma - middle) * NOISE(1) + math.sqrt(middle - target) * NOISE(2)
    down, up = down_and_up(sigma, middle)
    x2 = down / sigma * X + (1 - down / sigma) * D(X, sigma) + up * NOISE(1)
    down, up = down_and_up(sigma, target)
    x = down / sigma * X + (1 - down / sigma) * D(x2, middle) + up * brownian / math.sqrt(sigma - target)
    assert_follows("dpmpp_sde", x, 1)


@pytest.mark.parametrize("order", [2, 3])
def test_dpmpp_multistep_sde(order: int) -> None:
    x, seen, hs = X, list[Tensor](), list[float]()
    for i in range(4):
        h = math.log(LEVELS[i] / LEVELS[i + 1])
        seen.insert(0, D(x, LEVELS[i]))
        x = math.exp(-2 * h) * x - math.expm1(-2 * h) * seen[0] + correction(order, seen, hs, h)
        x = x + NOISE(i + 1) * LEVELS[i + 1] * math.sqrt(-math.expm1(-2 * h))
        hs.insert(0, h)
    assert_follows(f"dpmpp_{order}m_sde", x, 4)


def correction(order: int, seen: list[Tensor], hs: list[float], h: float) -> Tensor | float:
    if len(seen) == 1:
        return 0.0
    phi_2 = math.expm1(-2 * h) / (2 * h) + 1
    slope = (seen[0] - seen[1]) / (hs[0] / h)
    if order == 2:
        return -0.5 * math.expm1(-2 * h) * slope
    if len(seen) == 2:
        return phi_2 * slope
    r0, r1 = hs[0] / h, hs[1] / h
    slope_before = (seen[1] - seen[2]) / r1
    d1 = slope + (slope - slope_before) * r0 / (r0 + r1)
    d2 = (slope - slope_before) / (r0 + r1)
    return phi_2 * d1 - (phi_2 / (2 * h) - 0.5) * d2


def test_ddpm() -> None:
    """Mean and smaller variance of the posterior, equations 6 and 7 of arXiv 2006.11239, on latents of variance 1."""
    sigma, target = LEVELS[:2]
    kept, kept_before = 1 / (1 + sigma**2), 1 / (1 + target**2)
    alpha = kept / kept_before
    x = math.sqrt(kept) * X
    mean = math.sqrt(kept_before) * (1 - alpha) / (1 - kept) * D(X, sigma)
    mean = mean + math.sqrt(alpha) * (1 - kept_before) / (1 - kept) * x
    std = math.sqrt((1 - kept_before) / (1 - kept) * (1 - alpha))
    assert_follows("ddpm", (mean + std * NOISE(1)) / math.sqrt(kept_before), 1)


def test_res_multistep_ancestral() -> None:
    """The reverse SDE solved for an estimate that goes on as over the step before, in lambda."""
    sigma, middle, target = LEVELS[:3]
    first, down_up = D(X, sigma), down_and_up(sigma, middle)
    x = first + (X - first) * down_up[0] / sigma + down_up[1] * NOISE(1)
    second, h, before = D(x, middle), math.log(middle / target), math.log(sigma / middle)
    gone = -math.expm1(-2 * h)
    mean = (1 - gone) * x + gone * second + (h - gone / 2) * (second - first) / before
    assert_follows("res_multistep_ancestral", mean + target * math.sqrt(gone) * NOISE(2), 2)


def test_exponential_heun() -> None:
    sigma, target = LEVELS[:2]
    h, first = math.log(sigma / target), D(X, sigma)
    phi_1, phi_2 = -math.expm1(-h) / h, (h + math.expm1(-h)) / h**2
    ahead = D(math.exp(-h) * X + h * phi_1 * first, target)
    assert_follows("exp_heun_2_x0", math.exp(-h) * X + h * ((phi_1 - phi_2) * first + phi_2 * ahead), 1)


def test_sa_solver_with_a_call_more_goes_on_from_what_was_corrected() -> None:
    calls: list[float] = []

    def counted(x: Tensor, sigma: float, _both: bool) -> Guided:
        calls.append(sigma)
        return Guided(D(x, sigma), D(x, sigma))

    samplers.get("sa_solver_pece").run(counted, X, LEVELS, EPS.alpha, NOISE, unheard)
    assert calls == [LEVELS[0], *(level for level in LEVELS[1:-1] for _ in range(2))]
    assert not torch.equal(run("sa_solver_pece", EPS, LEVELS, X), run("sa_solver", EPS, LEVELS, X))


def test_lcm() -> None:
    assert_follows("lcm", D(X, LEVELS[0]) + LEVELS[1] * NOISE(1), 1)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(("name", "kind"), [("uni_pc", "bh1"), ("uni_pc_bh2", "bh2")])
def test_uni_pc_is_that_of_diffusers(name: str, kind: str) -> None:
    """On levels of its own table, in its own scale x / sqrt(1 + sigma^2), down to a last level above 0."""
    scheduler = UniPCMultistepScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        solver_order=3,
        solver_type=kind,
        final_sigmas_type="sigma_min",
    )
    scheduler.set_timesteps(8)
    levels = tuple(float(s) for s in scheduler.sigmas)
    x = start(EPS) / EPS.sigma_max * levels[0]
    mine, theirs = run(name, EPS, levels, x), x / math.sqrt(1 + levels[0] ** 2)
    for t, sigma in zip(scheduler.timesteps, levels, strict=False):
        ve = theirs * math.sqrt(1 + sigma**2)
        theirs = scheduler.step((ve - D(ve, sigma)) / sigma, t, theirs, return_dict=False)[0]
    assert float((mine - theirs * math.sqrt(1 + levels[-1] ** 2)).abs().max()) < 1e-5


def test_ipndm_on_even_levels_is_lms() -> None:
    levels = (9.0, 7.5, 6.0, 4.5, 3.0)
    assert float((run("ipndm", EPS, levels, X) - run("lms", EPS, levels, X)).abs().max()) < 1e-11


def test_gradient_estimation() -> None:
    x, before = X, None
    for sigma, target in pairwise(LEVELS[:4]):
        d = (x - D(x, sigma)) / sigma
        x = x + (target - sigma) * (d if before is None else 2 * d - before)
        before = d
    assert_follows("gradient_estimation", x, 3)


def test_res_multistep() -> None:
    """Two steps, with phi_1 and phi_2 as the paper has them: of minus the step in lambda."""
    a, b, c = LEVELS[:3]
    first = D(X, a)
    x = b / a * X + (1 - b / a) * first
    h, c2 = math.log(b / c), math.log(b / a) / math.log(b / c)
    phi_1 = math.expm1(-h) / -h
    phi_2 = (phi_1 - 1) / -h
    second = D(x, b)
    assert_follows("res_multistep", c / b * x + h * ((phi_1 - phi_2 / c2) * second + phi_2 / c2 * first), 2)


def test_er_sde_of_first_order() -> None:
    a, b = LEVELS[:2]
    ratio = b * (math.exp(b**0.3) + 10) / (a * (math.exp(a**0.3) + 10))
    x = ratio * X + (1 - ratio) * D(X, a) + math.sqrt(b**2 - a**2 * ratio**2) * NOISE(1)
    assert_follows("er_sde", x, 1)


def test_er_sde_is_exact_for_an_estimate_that_is_linear_in_sigma() -> None:
    """dx = pace' / pace * (x - D) d sigma, solved by the variation of constants; noise left out."""
    levels, still = (3.0, 2.5, 2.2, 1.7), torch.zeros(1, dtype=torch.float64)

    def pace(s: float) -> float:
        return s * (math.exp(s**0.3) + 10)

    x = 4.0
    for high, low in pairwise(levels):
        over_pace = integral(lambda s: 1 / pace(s), low, high)
        if high == levels[0]:
            x = pace(low) / pace(high) * x + (1 - pace(low) / pace(high)) * (1 + high)
        else:
            x = 1 + low + pace(low) / pace(high) * (x - 1 - high) + pace(low) * over_pace
    reached = er_sde.sample(lambda _, s: still + 1 + s, still + 4.0, levels, EPS.alpha, lambda n: still, unheard)
    assert float(reached) == pytest.approx(x, abs=1e-9)


def unheard(_step: Step) -> None:
    pass


def test_seeds_2_noises_are_one_path() -> None:
    """With an estimate that never changes the two half steps are one whole step, whatever the level between."""
    sigma, target = LEVELS[:2]
    zero = X * 0
    whole = seeds_2.sample(lambda x, s: zero, X, (sigma, target), EPS.alpha, NOISE, unheard)
    noise = NOISE
    middle = math.sqrt(sigma * target)
    halves = ddpm.sample(lambda x, s: Guided(zero, zero), X, (sigma, middle, target), EPS.alpha, noise, unheard)
    assert float((whole - halves).abs().max()) < 1e-12


@pytest.mark.parametrize("name", ["euler", "euler_ancestral", "dpmpp_2m"])
def test_cfg_pp_guided_nowhere_is_the_plain_sampler(name: str) -> None:
    assert float((run(f"{name}_cfg_pp", EPS, LEVELS, X) - run(name, EPS, LEVELS, X)).abs().max()) < 1e-11


def test_cfg_pp_takes_the_noise_of_what_is_guided_away_from() -> None:
    """Algorithm 2 of arXiv 2406.08070: denoise with guidance, renoise without."""
    sigma, target = LEVELS[:2]

    def both(x: Tensor, sigma: float, both: bool) -> Guided:
        assert both
        return Guided(D(x, sigma), 0.5 * D(x, sigma))

    def unheard(_step: Step) -> None:
        pass

    noise = (X - 0.5 * D(X, sigma)) / sigma
    found = samplers.get("euler_cfg_pp").run(both, X, (sigma, target), EPS.alpha, NOISE, unheard)
    assert float((found - (D(X, sigma) + target * noise)).abs().max()) < 1e-11


def test_eta_of_ddim() -> None:
    """Equation 16 of arXiv 2010.02502, on latents of variance 1."""
    sigma, target = LEVELS[:2]
    kept, kept_before = 1 / (1 + sigma**2), 1 / (1 + target**2)
    eta = 0.6
    fresh = eta * math.sqrt((1 - kept_before) / (1 - kept) * (1 - kept / kept_before))
    noise = (X - D(X, sigma)) / sigma
    x = math.sqrt(kept_before) * D(X, sigma) + math.sqrt(1 - kept_before - fresh**2) * noise + fresh * NOISE(1)
    way = samplers.with_eta("ddim", eta)
    found = way.run(guided(D), X, (sigma, target), EPS.alpha, NOISE, lambda step: None)
    assert float((found - x / math.sqrt(kept_before)).abs().max()) < 1e-11
    with pytest.raises(ValueError, match="take eta"):
        samplers.with_eta("euler", 0.5)
    assert [name for name in samplers.names() if getattr(samplers.get(name), "with_eta", None)] == ["ddim"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sa_solver() -> None:
    """As diffusers has it, on latents of variance 1, but for its steps of second order: there diffusers takes a weight
    that differs by a term of higher order."""
    levels = tuple(torch.linspace(math.log(6), math.log(0.4), 6, dtype=torch.float64).exp().tolist())
    scheduler = SASolverScheduler(
        predictor_order=3, corrector_order=4, tau_func=lambda t: 1, lower_order_final=False, beta_schedule="linear"
    )
    scheduler.set_timesteps(5)
    scheduler.sigmas = torch.tensor(levels, dtype=torch.float64)
    x = X / math.sqrt(1 + levels[0] ** 2)
    made = [NOISE(n) for n in range(1, 6)]
    with mock.patch("diffusers.schedulers.scheduling_sasolver.randn_tensor", side_effect=made):
        for sigma, t in zip(levels[:-1], scheduler.timesteps, strict=True):
            unscaled = x * math.sqrt(1 + sigma**2)
            noise = (unscaled - D(unscaled, sigma)) / sigma
            x = scheduler.step(noise, t, x, return_dict=False)[0]
    way = samplers.get("sa_solver")
    seen: list[Tensor] = []
    more = (*levels, 0.3, 0.2, 0.1)
    way.run(guided(D), X, more, EPS.alpha, NOISE, lambda step: seen.append(step.x))
    assert float((seen[4] / math.sqrt(1 + levels[-1] ** 2) - x).abs().max()) < 0.006


def test_adams_weights_are_exact_for_polynomials_in_lambda() -> None:
    places, (now, end) = (0.3, -0.4, -1.5), (0.3, 1.1)
    history = tuple((at, torch.tensor(2 + 3 * at - 0.7 * at**2, dtype=torch.float64)) for at in places)
    exact = integral(lambda at: 2 * math.exp(-2 * (end - at)) * (2 + 3 * at - 0.7 * at**2), now, end, 2000)
    assert float(sa_solver.adams(history, now, end)) == pytest.approx(exact, rel=1e-7)


def test_seeds_3_follows_an_estimate_that_rises_evenly_in_lambda() -> None:
    """Then its step is the exact solution of the SDE: here its mean, by fine integration."""
    sigma, target = 5.0, 0.7

    def rising(_x: Tensor, level: float) -> Tensor:
        return X * -math.log(level)

    def unheard(_step: Step) -> None:
        pass

    found = seeds_3.sample(rising, X, (sigma, target), EPS.alpha, lambda n: torch.zeros_like(X), unheard)
    now, end = -math.log(sigma), -math.log(target)
    mean = integral(lambda at: 2 * math.exp(-2 * (end - at)) * at, now, end, 2000)
    assert float((found - (math.exp(-2 * (end - now)) * X + mean * X)).abs().max()) < 1e-9


def test_noises_of_seeds_3_are_those_of_one_path() -> None:
    """With no estimate, three parts of a step leave what the whole step does."""
    sigma, target = 5.0, 0.7
    made = [torch.eye(3, dtype=torch.float64)[n] for n in range(3)]

    def nothing(x: Tensor, _level: float) -> Tensor:
        return torch.zeros_like(x)

    found = seeds_3.sample(
        nothing, torch.zeros(3, dtype=torch.float64), (sigma, target), EPS.alpha, lambda n: made[n - 1], lambda s: None
    )
    assert float(found.norm()) == pytest.approx(diffusion(EPS.alpha, sigma, target).noise)


def test_single_steps_of_dpm_solver() -> None:
    """Algorithms 1, 4 and 5 of arXiv 2206.00927 in the time t = -log(sigma), where they read as exponentials."""
    sigma, target = LEVELS[:2]
    h = math.log(sigma / target)

    def eps(x: Tensor, sigma: float) -> Tensor:
        return (x - D(x, sigma)) / sigma

    e = eps(X, sigma)
    solver = DPMSolver(D, EPS.alpha)
    at = solver.begin(X, sigma)
    assert torch.allclose(solver.first(at, target), X - target * math.expm1(h) * e)
    s1 = sigma * math.exp(-h / 2)
    u = X - s1 * math.expm1(h / 2) * e
    assert torch.allclose(
        solver.second(at, target)[0], X - target * math.expm1(h) * e - target * math.expm1(h) * (eps(u, s1) - e)
    )
    r1, r2 = 1 / 3, 2 / 3
    s1, s2 = sigma * math.exp(-r1 * h), sigma * math.exp(-r2 * h)
    e1 = eps(X - s1 * math.expm1(r1 * h) * e, s1)
    u2 = X - s2 * math.expm1(r2 * h) * e - s2 * (r2 / r1) * (math.expm1(r2 * h) / (r2 * h) - 1) * (e1 - e)
    x = X - target * math.expm1(h) * e - target / r2 * (math.expm1(h) / h - 1) * (eps(u2, s2) - e)
    assert torch.allclose(solver.third(solver.second(at, target, r1)[1], target), x)


def test_dpm_fast_converges_as_its_last_step_of_first_order_allows() -> None:
    x, exact = top_of(EPS), reference(EPS)
    errors = [float((run("dpm_fast", EPS, even(EPS, n), x) - exact).norm()) for n in (31, 61)]
    assert math.log2(errors[0] / errors[1]) > 1.9


def test_calls_of_dpm_fast() -> None:
    assert [dpm_fast.spent(n) for n in range(8)] == [
        [],
        [1],
        [2],
        [2, 1],
        [3, 1],
        [3, 2],
        [3, 2, 1],
        [3, 3, 1],
    ]


@pytest.mark.parametrize("prediction", [EPS, FLOW], ids=["eps", "flow"])
def test_dpm_adaptive_comes_as_near_as_its_tolerance(prediction: Prediction) -> None:
    levels = even(prediction, 20)[1:] if prediction is FLOW else even(prediction, 20)
    x = top_of(prediction)
    if prediction is FLOW:
        x = run("euler", prediction, even(prediction, 20)[:2], x)
    exact = run("dpm_2", prediction, tuple(torch.linspace(levels[0], levels[-1], 2001).tolist()), x)
    told: list[Step] = []
    found = samplers.get("dpm_adaptive").run(
        guided(mixture(prediction.alpha)), x, levels, prediction.alpha, NOISE, told.append
    )
    assert float((found - exact).abs().max()) < 0.05
    assert [step.number for step in told] == sorted(step.number for step in told)
    assert told[-1].number <= told[-1].total
