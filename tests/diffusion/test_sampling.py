"""A whole generation, with networks that know where it must end."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from diffusion import samplers
from diffusion.latents import SD3, SD15, LatentFormat
from diffusion.model import Model
from diffusion.noise import per_item
from diffusion.prediction import Eps, Flow, Prediction
from diffusion.samplers import Step
from diffusion.sampling import sample
from tests.diffusion.test_guidance import model_of, text

TWICE = ("heun", "dpm_2", "dpm_2_ancestral", "dpmpp_2s_ancestral", "dpmpp_sde", "exp_heun_2_x0", "sa_solver_pece")
CALLS: dict[str, int] = dict.fromkeys((*TWICE, "seeds_2"), 2) | {"seeds_3": 3}
"""How often a sampler asks the network in a step, where not once; the first or the last step is one call."""

EMPTY = torch.zeros(1, 4, 8, 8)


class Knows(nn.Module):
    """Predicts the one clean latent there is, in the model's scale, whatever the noise."""

    def __init__(self, prediction: Prediction, clean_CHW: Tensor) -> None:
        super().__init__()
        self.prediction, self.clean_CHW = prediction, clean_CHW
        self.times: list[float] = []

    def forward(self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None) -> Tensor:
        self.times.append(float(t_B[0]))
        sigma = float(self.prediction.sigmas[int(t_B[0])]) if isinstance(self.prediction, Eps) else float(t_B[0]) / 1000
        unscaled = x_BCHW / self.prediction.scale_input(torch.ones(()), sigma)
        return (unscaled - self.clean_CHW) / sigma


class Pulls(nn.Module):
    """Mixes each picture's own pixels, and nothing else, into a bounded output."""

    def forward(self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None) -> Tensor:
        return torch.tanh(x_BCHW + x_BCHW.mean((1, 2, 3), keepdim=True)) * context_BLD.mean((1, 2))[:, None, None, None]


def generate(model: Model, latent: Tensor = EMPTY, **settings: object) -> Tensor:
    defaults: dict[str, object] = {"seed": 5, "steps": 4, "cfg": 2.0}
    return sample(model, text(1.0), text(0.5), latent, **(defaults | settings))  # type: ignore[arg-type]


PULLS = [model_of(Pulls(), Eps(), SD15), model_of(Pulls(), Flow(), SD15)]
KINDS = pytest.mark.parametrize("model", PULLS, ids=["eps", "flow"])


@pytest.mark.parametrize("name", samplers.names())
@pytest.mark.parametrize(("prediction", "latent_format"), [(Eps(), SD15), (Flow(), SD3)], ids=["eps", "flow"])
def test_ends_at_what_the_network_knows(name: str, prediction: Prediction, latent_format: LatentFormat) -> None:
    """On levels of the table, with the start, the scaling and the latent format all in the way."""
    raw = torch.randn(latent_format.channels, 8, 8, generator=torch.Generator().manual_seed(1))
    network = Knows(prediction, latent_format.process_in(raw))
    latent = generate(model_of(network, prediction, latent_format), sampler=name, schedule="simple")
    assert latent.shape == (1, latent_format.channels, 8, 8)
    assert torch.allclose(latent[0], raw, atol=1e-3)
    if name != "dpm_adaptive":
        # Where lambda is infinite, in pure noise of a flow, there is no step that could be corrected.
        spared = name in ("exp_heun_2_x0", "sa_solver_pece") and isinstance(prediction, Flow)
        assert len(network.times) == 3 * CALLS.get(name, 1) + 1 - spared


@KINDS
def test_a_seed_is_a_picture(model: Model) -> None:
    for name in samplers.names():
        assert torch.equal(generate(model, sampler=name), generate(model, sampler=name))
    assert not torch.allclose(generate(model), generate(model, seed=6))


@KINDS
@pytest.mark.parametrize("name", [name for name in samplers.names() if name != "dpm_adaptive"])
def test_a_picture_does_not_depend_on_the_batch_it_is_in(model: Model, name: str) -> None:
    alone = generate(model, sampler=name)
    together = generate(model, torch.zeros(3, 4, 8, 8), sampler=name)
    assert torch.allclose(together[:1], alone, atol=1e-5)
    assert not torch.allclose(together[1:2], alone, atol=1e-2)


def test_an_empty_latent_takes_the_number_of_channels_of_the_model() -> None:
    for denoise in (0.0, 0.5, 1.0):
        assert generate(model_of(Pulls(), Flow(), SD3), denoise=denoise).shape == (1, 16, 8, 8)


def test_a_latent_of_another_kind_of_model_is_refused() -> None:
    with pytest.raises(ValueError, match="works on 16 channels, got 4"):
        generate(model_of(Pulls(), Flow(), SD3), EMPTY + 1)


@KINDS
def test_denoise_says_how_much_of_the_latent_goes(model: Model) -> None:
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2)) * 5
    distances = [float((generate(model, latent, denoise=d) - latent).norm()) for d in (0.0, 0.1, 0.5, 1.0)]
    assert distances[0] == 0
    assert distances == sorted(distances)


def test_partial_denoise_starts_from_the_scaled_latent() -> None:
    seen: list[Tensor] = []

    class Looks(Pulls):
        def forward(self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None) -> Tensor:
            seen.append(x_BCHW)
            return super().forward(x_BCHW, t_B, context_BLD, y_BD)

    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    generate(model_of(Looks(), Flow(1.0), SD15), latent, denoise=0.5, schedule="sgm_uniform", cfg=1.0)
    start = Flow(1.0).sigma(torch.tensor(500.5)).item()
    expected = (1 - start) * latent * SD15.scale + start * per_item(5, (1, 4, 8, 8))(0)
    assert torch.allclose(seen[0], expected, atol=2e-3)


def test_reports_steps_and_stops_when_told() -> None:
    steps: list[Step] = []

    def stop_at_2(step: Step) -> None:
        steps.append(step)
        if step.number == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        generate(PULLS[1], on_step=stop_at_2)
    assert [(s.number, s.total) for s in steps] == [(1, 4), (2, 4)]


def test_result_is_a_plain_float32_tensor() -> None:
    latent = generate(PULLS[0])
    assert latent.dtype == torch.float32
    assert not latent.requires_grad
    assert not latent.is_inference()
