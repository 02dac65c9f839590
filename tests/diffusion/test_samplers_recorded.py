"""Samplers against those of k-diffusion, as recorded by `golden/record_samplers.py` with the same levels and noise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from diffusion import samplers
from diffusion.prediction import Eps
from tests.diffusion.test_samplers import DIM, guided, mixture

LEVELS = (9.0, 6.0, 4.1, 2.6, 1.7, 1.0, 0.4, 0.15)
TO_ZERO = (*LEVELS, 0.0)
RECORDED = (
    "euler",
    "euler_ancestral",
    "heun",
    "dpm_2",
    "dpm_2_ancestral",
    "lms",
    "dpm_fast",
    "dpm_adaptive",
    "dpmpp_2s_ancestral",
    "dpmpp_sde",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "dpmpp_3m_sde",
)
GOLDEN = Path(__file__).with_name("golden") / "samplers.json"
ALPHA = Eps().alpha


def wave(number: int) -> Tensor:
    """Two items of numbers that are like noise and need no generator."""
    return 1.4 * torch.sin(torch.arange(1, 2 * DIM + 1, dtype=torch.float64) * (number + 0.37) * 2.3).view(2, DIM)


def begin() -> Tensor:
    return LEVELS[0] * wave(0)


@pytest.mark.parametrize("name", RECORDED)
def test_equals_k_diffusion(name: str) -> None:
    """`lms` on levels above 0, where its last step is not Euler's; `dpm_fast` and `dpm_adaptive` take the first and
    the last level."""
    levels = LEVELS if name in ("lms", "dpm_fast", "dpm_adaptive") else TO_ZERO
    found = samplers.get(name).run(guided(mixture(ALPHA)), begin(), levels, ALPHA, wave, lambda step: None)
    expected = torch.tensor(json.loads(GOLDEN.read_text())[name], dtype=torch.float64)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-12


def test_no_two_are_alike() -> None:
    made = [str(values) for values in json.loads(GOLDEN.read_text()).values()]
    assert len(set(made)) == len(made) == len(RECORDED)
