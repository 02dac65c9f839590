"""SA-Solver (Xue et al., arXiv 2309.05019, algorithm 1): stochastic Adams steps in lambda, a predictor of third order
and a corrector of fourth that reuses the next step's call of the network, on the reverse SDE with tau = 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from torch import Tensor

from diffusion.noise import Noise
from diffusion.prediction import Alpha
from diffusion.samplers import Denoiser, OnStep, Sampler, Step
from diffusion.schedules import Sigmas
from diffusion.steps import Remembered, diffusion, integral, lagrange, log_snr, remembered

ORDER = 3


def sample(
    denoise: Denoiser, x: Tensor, sigmas: Sigmas, alpha: Alpha, noise: Noise, on_step: OnStep, again: bool = False
) -> Tensor:
    """With `again` what was corrected is estimated anew."""
    history: Remembered = ()
    correct: Callable[[Tensor], Tensor] | None = None
    for number, (sigma, target) in enumerate(pairwise(sigmas), 1):
        denoised = denoise(x, sigma)
        if correct is not None:
            x = correct(denoised)
            denoised = denoise(x, sigma) if again else denoised
        now, end = log_snr(alpha, sigma), log_snr(alpha, target)
        history = remembered(history, now, denoised, ORDER)
        weights, correct = diffusion(alpha, sigma, target), None
        held = weights.x * x + (weights.noise * noise(number) if target > 0 else 0.0)
        if 0 < end - now < math.inf:
            used = history[: max(1, len(sigmas) - 1 - number)]  # fewer towards the end, where a mistake stays
            correct = partial(_corrected, held, used, now, end, alpha(target))
            x = held + alpha(target) * adams(used, now, end)
        else:
            x = held + weights.estimate * denoised
        on_step(Step(number, len(sigmas) - 1, x, denoised))
    return x


def adams(history: Remembered, now: float, end: float) -> Tensor:
    """The integral of the estimate, as a polynomial in lambda through what is remembered, with the weight the SDE gives
    it: 2 exp(-2 (end - lambda)) from `now` to `end`."""
    places = [place for place, _ in history]

    def weight(index: int) -> float:
        return integral(lambda at: 2 * math.exp(-2 * (end - at)) * lagrange(places, index, at), now, end)

    first, *others = [weight(index) * value for index, (_, value) in enumerate(history)]
    return sum(others, first)


def _corrected(held: Tensor, history: Remembered, now: float, end: float, alpha: float, ahead: Tensor) -> Tensor:
    """The step once more, with the same noise, knowing the estimate `ahead` at its end."""
    return held + alpha * adams(((end, ahead), *history), now, end)


SAMPLER = Sampler(sample)
