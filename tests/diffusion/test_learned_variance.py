"""DDPM of networks that say the variance of its steps: against diffusers' scheduler, and against the formulas."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Tensor

from diffusion import samplers
from diffusion.conditioning import Conditioning, combined
from diffusion.families.dit import FAMILY, conditioning
from diffusion.guidance.rules import Guidance, on_first_channels
from diffusion.guides import Guide, classifier_free
from diffusion.inpainting import keeping
from diffusion.loader import load_dit
from diffusion.model import Model
from diffusion.networks.dit import DiT, digits
from diffusion.prediction import LINEAR, Eps, Flow, LearnedEps
from diffusion.samplers import Guided, Step
from diffusion.schedules import Sigmas
from tests.diffusion import tiny
from tests.diffusion.test_guidance import model_of

SIDE = tiny.DIT.positions * tiny.DIT.patch
EVERY = torch.linspace(0, 999, 12).round().long().flip(0)
LEVELS: Sigmas = (*LINEAR.sigmas()[EVERY].tolist(), 0.0)
SCALE = 4.0


@pytest.fixture(scope="module")
def network() -> DiT:
    network = tiny.network_of(tiny.DIT)
    assert isinstance(network, DiT)
    return network.double()


@pytest.fixture(scope="module")
def model(network: DiT) -> Model:
    plain = model_of(network, LearnedEps())
    fit = FAMILY.fit({name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}, {})
    return replace(plain, dtype=torch.float64, fit=fit)


def unheard(_step: Step) -> None:
    pass


def noise(number: int) -> Tensor:
    generator = torch.Generator().manual_seed(number)
    return torch.randn(2, 4, SIDE, SIDE, dtype=torch.float64, generator=generator)


def painted(guide: Guide, levels: Sigmas = LEVELS) -> Tensor:
    x = noise(0) * math.sqrt(1 + levels[0] ** 2)
    with torch.no_grad():
        return samplers.get("ddpm").run(guide.denoiser(x), x, levels, LearnedEps().alpha, noise, unheard)


def guided_output(network: DiT, x: Tensor, t: int, channels: int) -> Tensor:
    """Noise guided on the first channels, the rest and the variance as under the class, as the authors' code has it."""
    times = torch.full((2,), float(t), dtype=torch.float64)
    with torch.no_grad():
        towards, away = (network(x, times, digits(label).double().expand(2, -1, -1)) for label in (3, 10))
    guided = away[:, :channels] + SCALE * (towards[:, :channels] - away[:, :channels])
    return torch.cat((guided, towards[:, channels:]), dim=1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("channels", [4, 3], ids=["all channels", "first three"])
def test_a_whole_way_as_diffusers_goes_it(channels: int, network: DiT, model: Model) -> None:
    scheduler = DDPMScheduler(
        beta_schedule="linear", beta_start=0.0001, beta_end=0.02, variance_type="learned_range", clip_sample=False
    )
    scheduler.alphas_cumprod = torch.cumprod(1 - torch.linspace(0.0001, 0.02, 1000, dtype=torch.float64), 0)
    scheduler.set_timesteps(timesteps=EVERY.tolist())
    expected, made = noise(0), iter(range(1, len(LEVELS)))
    with mock.patch(
        "diffusers.schedulers.scheduling_ddpm.randn_tensor", side_effect=lambda *_, **__: noise(next(made))
    ):
        for t in EVERY.tolist():
            expected = scheduler.step(guided_output(network, expected, t, channels), t, expected, return_dict=False)[0]
    if channels < 4:
        model = replace(model, guidance=Guidance(on_first_channels(channels)))
    found = painted(classifier_free(model, conditioning(3), conditioning(None), SCALE))
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-9


@pytest.mark.parametrize("said", [-1.0, 0.0, 1.0])
def test_the_variance_is_what_the_network_says(said: float) -> None:
    """-1 for that of the posterior, 1 for that of the step forward, their geometric mean between."""
    (sigma, target), x, clean = LEVELS[3:5], noise(0), torch.zeros_like(noise(0))
    spread = LearnedEps().spread(torch.full((2, 8, SIDE, SIDE), said, dtype=torch.float64))
    alpha = LearnedEps().alpha
    run = samplers.get("ddpm").run
    mean = run(lambda *_: Guided(clean, clean, spread), x, (sigma, target), alpha, lambda n: clean, unheard)
    drawn = run(lambda *_: Guided(clean, clean, spread), x, (sigma, target), alpha, noise, unheard)
    kept, before = 1 / (1 + sigma**2), 1 / (1 + target**2)
    forward = 1 - kept / before
    posterior = forward * (1 - before) / (1 - kept)
    variance = {-1.0: posterior, 0.0: math.sqrt(posterior * forward), 1.0: forward}[said]
    assert torch.allclose(drawn - mean, noise(1) * math.sqrt(variance / before), rtol=1e-10)


def test_only_ddpm_draws_with_it(model: Model) -> None:
    """Others follow the estimate, which knows nothing of the variance."""
    guide = classifier_free(model, conditioning(3), conditioning(None), SCALE)
    with torch.no_grad():
        guided = guide.denoiser(noise(0))(noise(0), 2.0, False)
    assert guided.spread is not None
    assert guided.spread.shape == guided.estimate.shape
    assert Flow().spread(noise(0)) is None


def test_texts_of_parts_of_a_picture_say_it_of_their_parts(model: Model) -> None:
    """Of two classes with equal weight the mean of what they say."""

    def spread(asked: Conditioning) -> Tensor:
        guide = classifier_free(model, asked, conditioning(None), 1.0)
        with torch.no_grad():
            found = guide.denoiser(noise(0))(noise(0), 2.0, False).spread
        assert found is not None
        return found

    both = combined((conditioning(3), conditioning(5)))
    assert torch.allclose(spread(both), (spread(conditioning(3)) + spread(conditioning(5))) / 2)


def test_what_is_kept_has_its_estimate_for_certain(model: Model) -> None:
    guide = classifier_free(model, conditioning(3), conditioning(None), 1.0)
    mask = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.float64)
    kept = keeping(guide.denoiser(noise(0)), model.prediction, noise(5), noise(6), lambda _: mask)
    x = noise(0) * LEVELS[0]
    with torch.no_grad():
        found = samplers.get("ddpm").run(kept, x, LEVELS, LearnedEps().alpha, noise, unheard)
    assert torch.allclose(found, noise(5))


def test_a_network_without_it_draws_with_the_smaller_one(tmp_path: Path) -> None:
    narrow = tiny.network_of(replace(tiny.DIT, out_channels=4)).state_dict()
    prediction = load_dit(tiny.save(tmp_path / "x.safetensors", narrow), "cpu").prediction
    assert prediction == Eps(LINEAR)
    assert prediction.spread(noise(0)) is None
