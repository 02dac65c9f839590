"""The arithmetic under the samplers."""

from __future__ import annotations

import math

import pytest
import torch

from diffusion.prediction import Eps, Flow, Prediction
from diffusion.steps import between, diffusion, integral, lagrange, level, log_snr, remembered

PREDICTIONS = pytest.mark.parametrize("prediction", [Eps(), Flow()], ids=["eps", "flow"])


@PREDICTIONS
def test_levels_and_lambdas(prediction: Prediction) -> None:
    alpha = prediction.alpha
    for sigma in (0.9, 0.3, 0.01):
        assert level(alpha, log_snr(alpha, sigma)) == pytest.approx(sigma, rel=1e-12)
    middle = between(alpha, 0.9, 0.2, 0.5)
    assert 2 * log_snr(alpha, middle) == pytest.approx(log_snr(alpha, 0.9) + log_snr(alpha, 0.2))
    assert log_snr(alpha, 0.0) == math.inf


def test_halfway_from_pure_noise_is_half_of_the_signal() -> None:
    middle = between(Flow().alpha, 1.0, 0.5, 0.5)
    assert Flow().alpha(middle) / middle == pytest.approx(0.5)


@PREDICTIONS
def test_a_diffusion_step_keeps_signal_and_variance(prediction: Prediction) -> None:
    """With the estimate exact, x = alpha * x0 + sigma * noise becomes the same at the target."""
    weights = diffusion(prediction.alpha, 0.8, 0.3)
    assert weights.x * prediction.alpha(0.8) + weights.estimate == pytest.approx(prediction.alpha(0.3))
    assert math.hypot(weights.x * 0.8, weights.noise) == pytest.approx(0.3)


def test_memory_is_short_and_of_distinct_places() -> None:
    a, b, c = torch.arange(3.0)
    history = remembered((), -math.inf, a, 2)
    assert history == ((-math.inf, a),)
    history = remembered(history, 1.0, b, 2)
    assert history == ((1.0, b),)
    assert remembered(history, 1.0, c, 2) == ((1.0, c),)
    assert remembered(remembered(history, 2.0, a, 2), 3.0, c, 2) == ((3.0, c), (2.0, a))


def test_integral_of_a_cubic_is_exact() -> None:
    assert integral(lambda s: 4 * s**3 - 1, 1.0, 3.0, pieces=2) == pytest.approx(78)
    places = (3.0, 2.0, 0.5)
    assert [lagrange(places, 1, at) for at in places] == [0, 1, 0]
