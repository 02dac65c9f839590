"""Schedules: which noise levels `sigma` to visit, from the highest down to 0.

A schedule is a function `(prediction, steps) -> sigmas`, with steps + 1 entries unless it says otherwise; all of them
are in `SCHEDULES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from diffusion.curve import Points, value_at
from diffusion.prediction import Prediction

Sigmas = tuple[float, ...]
Schedule = Callable[[Prediction, int], Sigmas]

TURBO_LEVELS = 10


def normal(prediction: Prediction, steps: int) -> Sigmas:
    """Even in the network's time, ending at the lowest trained level."""
    return _at_times(prediction, steps, keep=steps)


def sgm_uniform(prediction: Prediction, steps: int) -> Sigmas:
    """Even in the network's time, ending one step above the lowest trained level."""
    return _at_times(prediction, steps + 1, keep=steps)


def simple(prediction: Prediction, steps: int) -> Sigmas:
    """Every (1000 / steps)-th entry of the trained table, from the top."""
    count = len(prediction.sigmas)
    return _down_to_zero(prediction.sigmas[[-1 - int(i * count / steps) for i in range(steps)]])


def karras(prediction: Prediction, steps: int) -> Sigmas:
    """Even in sigma^(1/7), which spends most steps at low noise (Karras et al., arXiv 2206.00364, eq. 5)."""
    high, low = prediction.sigma_max ** (1 / 7), prediction.sigma_min ** (1 / 7)
    return _down_to_zero(torch.linspace(high, low, steps, dtype=torch.float64) ** 7)


def exponential(prediction: Prediction, steps: int) -> Sigmas:
    """Even in log sigma."""
    high, low = math.log(prediction.sigma_max), math.log(prediction.sigma_min)
    return _down_to_zero(torch.linspace(high, low, steps, dtype=torch.float64).exp())


def ddim_uniform(prediction: Prediction, steps: int) -> Sigmas:
    """Every (1000 // steps)-th entry of the trained table, from its second one up: begins below the highest level, and
    may hold a few levels more or fewer than asked for (DDIM, arXiv 2010.02502)."""
    stride = max(1, len(prediction.sigmas) // steps)
    return _down_to_zero(prediction.sigmas[1::stride].flip(0))


def beta(prediction: Prediction, steps: int) -> Sigmas:
    """Entries of the trained table at quantiles of the beta distribution, most near both ends (arXiv 2407.12173).

    Entries met twice count once, so there may be fewer levels than asked for.
    """
    quantiles = beta_quantile(1 - torch.arange(steps, dtype=torch.float64) / steps, 0.6)
    indices = (quantiles * (len(prediction.sigmas) - 1)).round().long()
    return _down_to_zero(prediction.sigmas[torch.unique_consecutive(indices)])


def linear_quadratic(prediction: Prediction, steps: int) -> Sigmas:
    """Half of the steps even and tiny, down to 1 - 0.025 of the highest level, the others growing (Movie Gen, arXiv
    2410.13720, section 3.4.2)."""
    done, even = 0.025, steps // 2
    slope = done / even if even else 0.0
    rest = steps - even
    curve = (1 - done - slope * rest) / rest**2 if even else 1.0
    linear = [slope * i for i in range(even)]
    quadratic = [(done if even else 0.0) + slope * i + curve * i**2 for i in range(rest)]
    return _down_to_zero((1 - torch.tensor(linear + quadratic, dtype=torch.float64)) * prediction.sigma_max)


def kl_optimal(prediction: Prediction, steps: int) -> Sigmas:
    """Even in atan sigma, which makes the bound on the divergence from the data smallest (Align Your Steps, arXiv
    2404.14507, appendix)."""
    high, low = math.atan(prediction.sigma_max), math.atan(prediction.sigma_min)
    return _down_to_zero(torch.linspace(high, low, steps, dtype=torch.float64).tan())


def polyexponential(prediction: Prediction, steps: int, rho: float = 1.0) -> Sigmas:
    """Even in log sigma to the power of 1 / rho: above 1 more steps at low noise (k-diffusion)."""
    high, low = math.log(prediction.sigma_max), math.log(prediction.sigma_min)
    share = torch.linspace(1, 0, steps, dtype=torch.float64) ** rho
    return _down_to_zero((low + share * (high - low)).exp())


def variance_preserving(steps: int, spread: float = 19.9, least: float = 0.1, end: float = 1e-3) -> Sigmas:
    """The continuous schedule of score SDEs, betas rising by `spread` from `least`, even in its time from 1 to `end`
    (Song et al., arXiv 2011.13456, appendix C). Levels are those of eps models."""
    t = torch.linspace(1, end, steps, dtype=torch.float64)
    return _down_to_zero(torch.expm1(spread * t**2 / 2 + least * t).sqrt())


def laplace(prediction: Prediction, steps: int, middle: float = 0.0, width: float = 0.5) -> Sigmas:
    """Quantiles of a Laplace distribution of log sigma: most steps near exp(middle) (Hang et al., arXiv 2407.03297)."""
    share = torch.linspace(0, 1, steps, dtype=torch.float64) - 0.5
    logs = middle - width * (-share).sign() * torch.log(1 - 2 * share.abs() + 1e-5)
    levels = logs.exp().clamp(prediction.sigma_min, prediction.sigma_max)
    return _down_to_zero(levels.sort(descending=True).values)


def along(prediction: Prediction, steps: int, points: Points) -> Sigmas:
    """Times along a curve: `points` say how much of the way to pure noise is left, 1 to 0, after a share of the steps.

    Raises ValueError where that does not fall from step to step.
    """
    left = torch.tensor([value_at(points, step / steps) for step in range(steps)], dtype=torch.float64)
    if not bool((left.diff() < 0).all()) or not bool((left > 0).all()):
        raise ValueError(f"points: expected noise that falls at each of {steps} steps, got {left.tolist()}")
    first, last = prediction.timestep(prediction.sigma_max), prediction.timestep(prediction.sigma_min)
    return _down_to_zero(prediction.sigma(last + left * (first - last)))


def turbo(prediction: Prediction, steps: int, denoise: float = 1.0) -> Sigmas:
    """The first `steps` of the ten levels SD-Turbo was distilled for, from 1 - `denoise` of the way down (Sauer et al.,
    arXiv 2311.17042): every hundredth entry of the trained table from the top. Fewer where there are no more."""
    count = len(prediction.sigmas)
    first = TURBO_LEVELS - round(TURBO_LEVELS * denoise)
    numbers = range(first, min(TURBO_LEVELS, first + steps))
    return _down_to_zero(prediction.sigmas[[-1 - n * count // TURBO_LEVELS for n in numbers]]) if numbers else ()


ALIGNED: Mapping[str, Sigmas] = MappingProxyType(
    {
        "SD1": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
        "SDXL": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
        "SVD": (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002),
    }
)
"""Levels of ten steps by model (Align Your Steps, arXiv 2404.14507)."""


def align_your_steps(model: str, steps: int) -> Sigmas:
    """The levels of `ALIGNED`, for another number of steps with log sigma straight between them."""
    logs = torch.tensor(ALIGNED[model], dtype=torch.float64).log()
    at = torch.linspace(0, len(logs) - 1, steps + 1, dtype=torch.float64)
    low = at.floor().long().clamp_max(len(logs) - 2)
    return _down_to_zero(torch.lerp(logs[low], logs[low + 1], at - low).exp()[:-1])


SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        f.__name__: f
        for f in (
            normal,
            karras,
            simple,
            sgm_uniform,
            exponential,
            beta,
            ddim_uniform,
            linear_quadratic,
            kl_optimal,
        )
    }
)


def beta_quantile(shares: Tensor, shape: float) -> Tensor:
    """Where the beta distribution with both parameters `shape` has a share of 0..1 below it, float64."""
    low, high = torch.zeros_like(shares), torch.ones_like(shares)
    for _ in range(52):
        middle = (low + high) / 2
        below = _beta_share(middle, shape) < shares
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return high


def _beta_share(x: Tensor, shape: float) -> Tensor:
    """The regularised incomplete beta function, by its power series below 1/2 and by symmetry above."""
    near = torch.minimum(x, 1 - x)
    term, total = torch.ones_like(x), torch.zeros_like(x)
    for n in range(56):
        total = total + term / (shape + n)
        term = term * near * (n + 1 - shape) / (n + 1)
    complete = math.exp(2 * math.lgamma(shape) - math.lgamma(2 * shape))
    share = near**shape * total / complete
    return torch.where(x > 0.5, 1 - share, share)


def unchanged(schedule: Schedule) -> Schedule:
    """The schedule as it is."""
    return schedule


def without_penultimate(schedule: Schedule) -> Schedule:
    """The levels of one step more without the last above 0, for samplers to which a small last step is a wasted one."""

    def levels(prediction: Prediction, steps: int) -> Sigmas:
        *kept, _, end = schedule(prediction, steps + 1)
        return (*kept, end)

    return levels


def sigmas(
    schedule: str,
    prediction: Prediction,
    steps: int,
    denoise: float = 1.0,
    adapt: Callable[[Schedule], Schedule] = unchanged,
) -> Sigmas:
    """The levels of `steps` steps; with `denoise` < 1 the last `steps` of a schedule of steps / denoise, fewer
    where the schedule has fewer levels.

    A denoise of 0 gives no levels at all. `adapt` makes of the schedule the one a sampler wants. Raises
    ValueError for an unknown schedule or values out of range.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule: expected one of {', '.join(SCHEDULES)}, got {schedule!r}")
    if steps < 1:
        raise ValueError(f"steps: expected 1 or more, got {steps}")
    if not 0 <= denoise <= 1:
        raise ValueError(f"denoise: expected 0..1, got {denoise}")
    if denoise == 0:
        return ()
    asked = int(steps / denoise)
    levels = adapt(SCHEDULES[schedule])(prediction, asked)
    there = len(levels) - 1
    kept = min(steps, math.ceil(there * steps / asked))  # of those that are there the same share
    return levels if denoise == 1 else levels[-kept - 1 :]


def _at_times(prediction: Prediction, points: int, keep: int) -> Sigmas:
    """Levels at evenly spaced times, closed by 0.

    The ends are network times, read back as schedule times: a flow's shift acts on its lowest level twice. That is how
    SD3's own sampler and diffusers' FlowMatchEulerDiscreteScheduler do it.
    """
    first, last = prediction.timestep(prediction.sigma_max), prediction.timestep(prediction.sigma_min)
    return _down_to_zero(prediction.sigma(torch.linspace(first, last, points, dtype=torch.float64))[:keep])


def _down_to_zero(levels: Tensor) -> Sigmas:
    return (*levels.tolist(), 0.0)
