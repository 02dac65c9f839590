"""Schedules: which noise levels `sigma` to visit, from the highest down to 0.

A schedule is a function `(prediction, steps) -> sigmas` with steps + 1 entries; all of them are in `SCHEDULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from diffusion.prediction import Prediction

Sigmas = tuple[float, ...]
Schedule = Callable[[Prediction, int], Sigmas]


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


SCHEDULES: Mapping[str, Schedule] = MappingProxyType({f.__name__: f for f in (normal, karras, simple, sgm_uniform)})


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
    """The levels of `steps` steps; with `denoise` < 1 the last `steps` of a schedule of steps / denoise.

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
    return adapt(SCHEDULES[schedule])(prediction, int(steps / denoise))[-steps - 1 :]


def _at_times(prediction: Prediction, points: int, keep: int) -> Sigmas:
    """Levels at evenly spaced times, closed by 0.

    The ends are network times, read back as schedule times: a flow's shift acts on its lowest level twice. That is how
    SD3's own sampler and diffusers' FlowMatchEulerDiscreteScheduler do it.
    """
    first, last = prediction.timestep(prediction.sigma_max), prediction.timestep(prediction.sigma_min)
    return _down_to_zero(prediction.sigma(torch.linspace(first, last, points, dtype=torch.float64))[:keep])


def _down_to_zero(levels: Tensor) -> Sigmas:
    return (*levels.tolist(), 0.0)
