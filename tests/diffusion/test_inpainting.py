"""Painting a part of a latent: what is masked out stays, bit by bit, and what is masked in is painted freely."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from diffusion import samplers
from diffusion.inpainting import growing
from diffusion.latents import SD15
from diffusion.model import Model
from diffusion.prediction import Eps, Flow
from tests.diffusion.test_guidance import model_of
from tests.diffusion.test_sampling import KINDS, PULLS, Pulls, generate

LATENT = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(3)) * 5
LEFT = torch.zeros(1, 8, 8)
LEFT[..., :4] = 1


@KINDS
@pytest.mark.parametrize("name", samplers.names())
def test_what_is_masked_out_stays_bit_by_bit(model: Model, name: str) -> None:
    painted = generate(model, LATENT, mask_BHW=LEFT, sampler=name)
    assert torch.equal(painted[..., 4:], LATENT[..., 4:])
    assert not torch.allclose(painted[..., :4], LATENT[..., :4], atol=0.1)


@KINDS
def test_a_mask_of_everything_is_none_and_one_of_nothing_returns_the_latent(model: Model) -> None:
    everything, nothing = torch.ones(1, 8, 8), torch.zeros(1, 64, 64)
    assert torch.equal(generate(model, LATENT, mask_BHW=everything), generate(model, LATENT))
    assert torch.equal(generate(model, LATENT, mask_BHW=nothing), LATENT)


def test_a_mask_for_each_picture_of_any_size() -> None:
    masks = torch.stack([torch.ones(64, 64), torch.zeros(64, 64)])
    painted = generate(PULLS[0], LATENT, mask_BHW=masks)
    assert torch.equal(painted[1], LATENT[1])
    assert torch.allclose(painted[0], generate(PULLS[0], LATENT)[0], atol=1e-5)
    with pytest.raises(ValueError, match="mask: expected 1 or 2 items for 2 latents, got 3"):
        generate(PULLS[0], LATENT, mask_BHW=torch.ones(3, 8, 8))


@pytest.mark.parametrize("prediction", [Eps(), Flow()], ids=["eps", "flow"])
def test_the_model_sees_the_picture_under_the_noise_of_the_start(prediction: Eps | Flow) -> None:
    """Where all is kept, latents at any level are what the same noise made of them at the start."""
    network = Pulls()
    model = model_of(network, prediction, SD15)
    seen = []
    network.register_forward_pre_hook(lambda _module, given: seen.append((given[0], given[1])))
    generate(model, LATENT[:1], mask_BHW=torch.zeros(1, 8, 8), cfg=1.0, steps=3)
    (first, _), (later, _) = seen[0], seen[-1]
    clean = LATENT[:1] * SD15.scale
    noise = [_noise_in(x, clean, t, prediction) for x, t in ((first, seen[0][1]), (later, seen[-1][1]))]
    assert torch.allclose(noise[0], noise[1], atol=0.05)


def _noise_in(x: torch.Tensor, clean: torch.Tensor, t: torch.Tensor, prediction: Eps | Flow) -> torch.Tensor:
    sigma = float(prediction.sigmas[int(t[0])]) if isinstance(prediction, Eps) else float(t[0]) / 1000
    unscaled = x / prediction.scale_input(torch.ones(()), sigma)
    return (unscaled - prediction.alpha(sigma) * clean) / sigma


@KINDS
def test_masks_that_grow_paint_the_more_the_more_is_marked(model: Model) -> None:
    """As the threshold of the paper has it, level by level; what is not marked stays."""
    ramp = torch.linspace(0, 1, 8).expand(1, 8, 8).clone()
    growing_model = replace(model, grows_masks=True)
    painted = generate(growing_model, LATENT, mask_BHW=ramp)
    changed = (painted - LATENT).abs().mean((0, 1, 2))
    assert torch.equal(painted[..., 0], LATENT[..., 0])
    assert changed[7] > changed[2] > 0
    prediction = model.prediction
    for share in (0.1, 0.5, 0.9):
        marked = growing(prediction, ramp[:, None], prediction.sigma_max)(prediction.level(1 - share))[0, 0, 0]
        assert torch.equal(marked, (ramp[0, 0] >= share).float())
    hard = generate(growing_model, LATENT, mask_BHW=LEFT)
    assert torch.allclose(hard, generate(model, LATENT, mask_BHW=LEFT), atol=1e-5)
