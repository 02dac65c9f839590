"""Guidance and the denoiser: what the network is asked, and how its answers are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor, nn

from diffusion import denoiser
from diffusion.conditioning import Conditioning
from diffusion.guides import Guide, classifier_free
from diffusion.latents import SD15, LatentFormat
from diffusion.model import Model
from diffusion.prediction import Eps, Flow, Prediction


@dataclass
class Call:
    x: Tensor
    t: Tensor
    context: Tensor
    y: Tensor | None


@dataclass(eq=False)
class Recorder(nn.Module):
    """A network whose output is its input times the mean of its context."""

    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def forward(self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None) -> Tensor:
        self.calls.append(Call(x_BCHW, t_B, context_BLD, y_BD))
        return x_BCHW * context_BLD.mean((1, 2))[:, None, None, None]


def model_of(network: nn.Module, prediction: Prediction, latent_format: LatentFormat = SD15) -> Model:
    return Model(
        network=network,
        family="test",
        prediction=prediction,
        latent_format=latent_format,
        fit=lambda context, pooled, sizes: (context, pooled),
        device=torch.device("cpu"),
        dtype=torch.float32,
        origin="test",
    )


def text(value: float, tokens: int = 3, items: int = 1, pooled: bool = False) -> Conditioning:
    return Conditioning.of(torch.full((items, tokens, 5), value), torch.full((items, 2), value) if pooled else None)


def denoise(model: Model, x_BCHW: Tensor, sigma: float, conditionings: Sequence[Conditioning]) -> list[Tensor]:
    """The clean estimates alone."""
    return [estimate.clean_BCHW for estimate in denoiser.denoise(model, x_BCHW, sigma, conditionings)]


def estimate(guide: Guide, sigma: float = 2.0) -> Tensor:
    return guide.denoiser(X)(X, sigma, False).estimate


X = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("prediction", [Eps(), Flow()])
def test_estimate_is_that_of_the_prediction(prediction: Prediction) -> None:
    network = Recorder()
    (estimate,) = denoise(model_of(network, prediction), X, 0.5, [text(0.3, pooled=True)])
    (call,) = network.calls
    assert torch.equal(call.x, prediction.scale_input(X, 0.5))
    assert call.t.tolist() == [prediction.timestep(0.5)] * 2
    assert call.y is not None
    assert call.y.shape == (2, 2)
    assert torch.allclose(estimate, prediction.denoised(X, call.x * 0.3, 0.5))


def test_a_network_in_half_precision_gives_estimates_in_float32() -> None:
    network = Recorder()
    model = replace(model_of(network, Flow()), dtype=torch.bfloat16)
    (estimate,) = denoise(model, X, 0.5, [text(0.25, pooled=True)])
    (call,) = network.calls
    assert call.y is not None
    assert {call.x.dtype, call.context.dtype, call.y.dtype} == {torch.bfloat16}
    assert call.t.dtype == estimate.dtype == torch.float32
    assert torch.allclose(estimate, X - 0.5 * 0.25 * X, rtol=0.01)


def test_both_prompts_go_through_the_network_as_one_batch() -> None:
    network = Recorder()
    guided = estimate(classifier_free(model_of(network, Eps()), text(0.2), text(0.1), scale=4))
    (call,) = network.calls
    assert call.context.mean((1, 2)).tolist() == pytest.approx([0.2, 0.2, 0.1, 0.1])
    assert torch.equal(call.x[:2], call.x[2:])
    towards, away = (X - 2.0 * call.x[:2] * value for value in (0.2, 0.1))
    assert torch.allclose(guided, away + 4 * (towards - away), atol=1e-6)


def test_scale_1_never_computes_the_negative_prompt() -> None:
    network = Recorder()
    guided = estimate(classifier_free(model_of(network, Eps()), text(0.2), text(0.1), scale=1))
    (call,) = network.calls
    assert call.context.mean((1, 2)).tolist() == pytest.approx([0.2, 0.2])
    assert torch.allclose(guided, X - 2.0 * call.x * 0.2)


def test_prompts_of_different_lengths_are_not_padded() -> None:
    network = Recorder()
    guided = estimate(classifier_free(model_of(network, Eps()), text(0.2, tokens=7), text(0.1), scale=3))
    assert [tuple(call.context.shape) for call in network.calls] == [(2, 7, 5), (2, 3, 5)]
    same_length = estimate(classifier_free(model_of(Recorder(), Eps()), text(0.2), text(0.1), scale=3))
    assert torch.allclose(guided, same_length)


def test_a_prompt_for_each_picture() -> None:
    network = Recorder()
    each = Conditioning.of(torch.stack([torch.full((3, 5), 0.2), torch.full((3, 5), 0.4)]))
    denoise(model_of(network, Eps()), X, 2.0, [each])
    assert network.calls[0].context.mean((1, 2)).tolist() == pytest.approx([0.2, 0.4])


def test_refuses_a_number_of_prompts_that_fits_no_batch() -> None:
    with pytest.raises(ValueError, match="expected 1 or 2 items for 2 latents, got 3"):
        denoise(model_of(Recorder(), Eps()), X, 2.0, [text(0.2, items=3)])
