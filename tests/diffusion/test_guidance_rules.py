"""What a model may bring to guidance, and guides of more than two conditionings, against their references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from diffusers.guiders.classifier_free_zero_star_guidance import cfg_zero_star_scale
from diffusers.guiders.guider_utils import rescale_noise_cfg
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from diffusion.conditioning import combined
from diffusion.guidance.rules import (
    WHOLE,
    Ask,
    Guidance,
    Join,
    Moment,
    Span,
    Term,
    on_first_channels,
    plain,
    progress,
    projected,
    rescaled,
    zero_star,
)
from diffusion.guidance.terms import PerturbedAttention, SelfAttention, SkippedLayers, blocks_of, blurred
from diffusion.guides import Guide, classifier_free, dual, nested, perpendicular, unguided
from diffusion.hooks import Hooks, Site, probabilities
from diffusion.latents import SD3, SD15
from diffusion.networks.layers import attention
from diffusion.prediction import Eps, Flow, LearnedEps, Prediction, V
from tests.diffusion import tiny
from tests.diffusion.test_guidance import Recorder, model_of, text

PREDICTIONS: tuple[Prediction, ...] = (Eps(), V(), Flow(), LearnedEps())
KINDS = pytest.mark.parametrize("prediction", PREDICTIONS, ids=["eps", "v", "flow", "learned"])
SIGMA = 0.7
X, C, U = torch.randn(3, 2, 4, 6, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def joined(make: Callable[[Prediction], Join], prediction: Prediction, scale: float = 5.0) -> Tensor:
    """What a rule makes of the network's outputs C and U, as an output again."""
    towards, away = (prediction.denoised(X, output, SIGMA) for output in (C, U))
    estimate = make(prediction)(Moment(X, SIGMA, prediction.alpha(SIGMA)), towards, away, scale)
    nothing = prediction.denoised(X, torch.zeros_like(X), SIGMA)
    return (estimate - nothing) / (prediction.denoised(X, torch.ones_like(X), SIGMA) - nothing)


@KINDS
def test_plain_guidance_is_the_same_in_every_space(prediction: Prediction) -> None:
    assert torch.allclose(joined(plain, prediction), U + 5 * (C - U), atol=1e-12)


@KINDS
@pytest.mark.parametrize("amount", [0.0, 0.7, 1.0])
def test_rescaled_as_in_diffusers(prediction: Prediction, amount: float) -> None:
    expected = rescale_noise_cfg(U + 5 * (C - U), C, guidance_rescale=amount)
    assert torch.allclose(joined(rescaled(amount), prediction), expected, atol=1e-12)


@KINDS
def test_zero_star_as_in_diffusers(prediction: Prediction) -> None:
    fitted = cfg_zero_star_scale(C.flatten(1), U.flatten(1)).double()[:, :, None, None] * U
    assert torch.allclose(joined(zero_star(zero_start=False), prediction), fitted + 5 * (C - fitted), atol=1e-5)


@KINDS
def test_zero_star_begins_with_no_output(prediction: Prediction) -> None:
    assert float(joined(zero_star(zero_start=True), prediction).abs().max()) < 1e-12
    join = zero_star(zero_start=True)(prediction)
    at = Moment(X, SIGMA, prediction.alpha(SIGMA))
    assert torch.equal(join(at, C, U, 5.0), join(at, U, C, 2.0))
    later = join(at._replace(sigma=SIGMA / 2), C, U, 5.0)
    without = zero_star(zero_start=False)(prediction)(at._replace(sigma=SIGMA / 2), C, U, 5.0)
    assert torch.equal(later, without)


@pytest.mark.parametrize("momentum", [0.0, -0.5, 0.3])
@pytest.mark.parametrize("most", [0.0, 1.5, 100.0])
def test_projected_as_in_diffusers_step_after_step(momentum: float, most: float) -> None:
    join, buffer = projected(0.2, most, momentum)(Flow()), MomentumBuffer(momentum)
    for step in range(4):
        towards, away = C * (1 + step), U - step
        expected = normalized_guidance(towards, away, 4.0, buffer, 0.2, most, use_original_formulation=True)
        assert torch.allclose(join(Moment(X, SIGMA, 0.3), towards, away, 5.0), expected, atol=1e-9)


def test_projected_with_all_of_both_parts_is_plain_guidance() -> None:
    expected = joined(plain, Flow())
    assert torch.allclose(joined(projected(1.0, 0.0, 0.0), Flow()), expected, atol=1e-9)


@KINDS
def test_guidance_of_the_first_channels_leaves_the_others_to_the_positive(prediction: Prediction) -> None:
    found = joined(on_first_channels(3), prediction)
    assert torch.allclose(found[:, :3], (U + 5 * (C - U))[:, :3], atol=1e-12)
    assert torch.allclose(found[:, 3:], C[:, 3:], atol=1e-12)


@KINDS
@settings(deadline=None)
@given(share=st.floats(0.001, 0.999))
def test_progress_is_the_inverse_of_level(prediction: Prediction, share: float) -> None:
    assert progress(prediction, prediction.level(share)) == pytest.approx(share, abs=2e-3)


@KINDS
def test_rescaled_guidance_of_nothing_is_nothing(prediction: Prediction) -> None:
    nothing, join = torch.zeros(1, 4, 2, 2), rescaled(0.7)(prediction)
    assert torch.equal(join(Moment(nothing, SIGMA, prediction.alpha(SIGMA)), nothing, nothing, 7.0), nothing)


def scales(guidance: Guidance, shares: Sequence[float]) -> list[float]:
    return [guidance.scale(7.0, Flow(), Flow().level(share)) for share in shares]


def test_outside_its_span_guidance_counts_one() -> None:
    assert scales(Guidance(span=Span(0.2, 0.6)), [0.1, 0.3, 0.59, 0.7]) == [1, 7, 7, 1]


def test_a_curve_takes_the_place_of_the_scale() -> None:
    found = scales(Guidance(curve=((0.2, 8.0), (0.6, 4.0), (0.6, 2.0))), [0.1, 0.4, 0.8])
    assert found == pytest.approx([8.0, 6.0, 2.0], abs=1e-3)


@pytest.mark.parametrize("span", [(-0.1, 1), (0.6, 0.5), (0, 1.1)])
def test_a_span_out_of_range_is_refused(span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="start <= end"):
        Span(*span)


def estimate(guide: Guide, x: Tensor, sigma: float = SIGMA) -> Tensor:
    with torch.no_grad():
        return guide.denoiser(x)(x, sigma, False).estimate


def test_outside_the_span_the_negative_prompt_is_not_computed() -> None:
    network = Recorder()
    model = replace(model_of(network, Flow()), guidance=Guidance(span=Span(0.5, 1)))
    estimate(classifier_free(model, text(0.2), text(0.1), 7.0), X.float(), 0.95)
    assert [len(call.x) for call in network.calls] == [2]
    estimate(classifier_free(model, text(0.2), text(0.1), 7.0), X.float(), 0.2)
    assert [len(call.x) for call in network.calls] == [2, 4]


def test_samplers_that_read_both_estimates_get_both_at_scale_1() -> None:
    model = model_of(Recorder(), Eps())
    guide = classifier_free(model, text(0.2), text(0.1), 1.0)
    both = guide.denoiser(X.float())(X.float(), SIGMA, True)
    assert torch.equal(both.estimate, estimate(unguided(model, text(0.2)), X.float()))
    assert torch.allclose(both.away, estimate(unguided(model, text(0.1)), X.float()))


def alone(value: float) -> Tensor:
    return estimate(unguided(model_of(Recorder(), Eps()), text(value)), X.float())


def test_dual_and_nested() -> None:
    model = model_of(Recorder(), Eps())
    one, two, three = text(0.3), text(0.2), text(0.1)
    a, b, c = alone(0.3), alone(0.2), alone(0.1)
    regular, inner = (make(model, one, two, three, (4.0, 3.0)) for make in (dual, nested))
    assert torch.allclose(estimate(regular, X.float()), c + 3 * (b - c) + 4 * (a - b), atol=1e-5)
    assert torch.allclose(estimate(inner, X.float()), c + 3 * (b + 4 * (a - b) - c), atol=1e-5)


class Turned(Recorder):
    """Says for each text something of its own."""

    def forward(self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None) -> Tensor:
        turns = (context_BLD.mean((1, 2)) * 10).round().int().tolist()
        return torch.stack([x.roll(turn, -1) for x, turn in zip(x_BCHW, turns, strict=True)])


def test_perpendicular_leaves_out_what_the_negative_shares_with_the_positive() -> None:
    model, x = model_of(Turned(), Flow()), X.float()
    towards, against, away = (estimate(unguided(model, text(value)), x) for value in (0.1, 0.2, 0.0))
    found = estimate(perpendicular(model, text(0.1), text(0.2), text(0.0), 6.0, 1.5), x)
    wanted, unwanted = towards - away, against - away
    left = (away + 6 * wanted - found) / (6 * 1.5)
    assert torch.allclose((left * wanted).sum((1, 2, 3)), torch.zeros(2), atol=1e-3)
    share = (unwanted - left).flatten(1) / wanted.flatten(1)
    assert torch.allclose(share, share[:, :1].expand_as(share), atol=1e-2)
    same = perpendicular(model, text(0.1), text(0.1), text(0.0), 6.0, 1.5)
    assert torch.allclose(estimate(same, x), away + 6 * wanted, atol=1e-4)


UNET, MMDIT = tiny.network_of(tiny.SD15), tiny.network_of(tiny.SD3)


def with_term(network: nn.Module, term: Term, span: Span = WHOLE) -> Guide:
    prediction, latent_format, width = (Eps(), SD15, 768) if network is UNET else (Flow(), SD3, 64)
    y_BD = None if network is UNET else torch.full((1, 64), 0.2)
    words = [torch.full((1, 5, width), value) for value in (0.3, 0.1)]
    model = model_of(network, prediction, latent_format)
    conditionings = [replace(text(0.0).entries[0], context_BLD=w, pooled_BD=y_BD) for w in words]
    positive, negative = (text(0.0).each(lambda _, entry=entry: entry) for entry in conditionings)
    return classifier_free(replace(model, guidance=Guidance(terms=((term, span),))), positive, negative, 1.0)


def latent(network: nn.Module) -> Tensor:
    channels = 4 if network is UNET else 16
    return torch.randn(2, channels, 8, 8, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("network", [UNET, MMDIT], ids=["unet", "mmdit"])
def test_perturbed_attention_and_skipped_layers_change_the_chosen_blocks_alone(network: nn.Module) -> None:
    x = latent(network)
    blocks = blocks_of(network, "middle")
    plain_one = estimate(with_term(network, PerturbedAttention(0.0, blocks)), x)
    for term in (PerturbedAttention(3.0, blocks), SkippedLayers(3.0, blocks)):
        guided = estimate(with_term(network, term), x)
        assert float((guided - plain_one).abs().max()) > 1e-3
        assert torch.equal(estimate(with_term(network, term, Span(0.9, 1)), x), plain_one)
        half = replace(term, scale=1.5)
        assert torch.allclose(estimate(with_term(network, half), x) * 2 - plain_one, guided, atol=1e-4)


def test_a_token_of_the_picture_looks_at_the_text_and_itself() -> None:
    q, k, v = torch.randn(3, 2, 9, 4, 8, generator=torch.Generator().manual_seed(1))
    site = Site("joint_blocks.1.attn", "joint", text=3)
    seen = torch.ones(9, 9, dtype=torch.bool)
    seen[3:, 3:] = torch.eye(6, dtype=torch.bool)
    expected = F.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v)), attn_mask=seen)
    attend = attend_of(PerturbedAttention(1.0, frozenset(("joint_blocks.1",))))
    assert torch.allclose(attend(site, q, k, v), expected.transpose(1, 2).flatten(2), atol=1e-5)
    assert torch.equal(attend(site._replace(name="joint_blocks.10.attn"), q, k, v), attention(q, k, v))
    assert torch.equal(attend(site._replace(kind="self"), q, k, v), v.flatten(2))


def attend_of(term: PerturbedAttention) -> Callable[[Site, Tensor, Tensor, Tensor], Tensor]:
    given: list[Hooks] = []

    def ask(_at: Moment, _places: Sequence[int], hooks: Hooks = Hooks(), /) -> list[Tensor]:  # noqa: B008
        given.append(hooks)
        return [X]

    asked: Ask = ask
    term(asked, Moment(X, SIGMA, 1.0), X, None)
    assert given[0].attend is not None
    return given[0].attend


def test_self_attention_guidance_is_the_formula_of_the_paper() -> None:
    """In noise: the prediction plus scale times its distance to that for the degraded latent (equation 16)."""
    x, sigma, scale = latent(UNET), 2.0, 0.75
    guide = with_term(UNET, SelfAttention.of(UNET, scale, 1.5))
    negative = unguided(guide.model, guide.conditionings[1])
    seen: list[Tensor] = []

    def watch(site: Site, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if site.name == "middle_block.1.transformer_blocks.0.attn1":
            seen.append(probabilities(q, k).mean(1).sum(1))
        return attention(q, k, v)

    d = estimate(negative, x, sigma)
    with torch.no_grad():
        t = torch.full((2,), Eps().timestep(sigma))
        words = guide.conditionings[1].entries[0].context_BLD.expand(2, -1, -1)
        UNET(Eps().scale_input(x, sigma), t, words, None, Hooks(attend=watch))
    mask = (seen[0] > 1).reshape(2, 1, 4, 4).repeat_interleave(2, -1).repeat_interleave(2, -2)
    noise = (x - d) / sigma
    degraded = torch.where(mask, blurred(d, 1.5), d) + sigma * noise
    noise_of_degraded = (degraded - estimate(negative, degraded, sigma)) / sigma
    expected = x - sigma * (noise + scale * (noise - noise_of_degraded))
    positive_weighs_nothing = replace(guide, conditionings=(guide.conditionings[1], guide.conditionings[1]))
    found = estimate(positive_weighs_nothing, x, sigma)
    assert 0 < float(mask.float().mean()) < 1
    assert torch.allclose(found, expected, atol=1e-4)
    several = combined([guide.conditionings[1], guide.conditionings[1]])
    assert torch.allclose(estimate(replace(guide, conditionings=(several, several)), x, sigma), expected, atol=1e-4)


def test_blurring_keeps_what_is_even_and_its_sum() -> None:
    assert torch.allclose(blurred(torch.full((1, 3, 8, 9), 2.5), 2.0), torch.full((1, 3, 8, 9), 2.5))
    point = torch.zeros(1, 1, 21, 21)
    point[0, 0, 10, 10] = 1
    spread = blurred(point, 1.0)
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    assert float(spread[0, 0, 10, 10] / spread[0, 0, 10, 11]) == pytest.approx(torch.exp(torch.tensor(0.5)).item())


def test_blocks_by_number_name_and_middle() -> None:
    assert blocks_of(MMDIT, "0, joint_blocks.1") == {"joint_blocks.0", "joint_blocks.1"}
    assert blocks_of(UNET, "middle") == {"middle_block.1"}
    for wrong in ("7", "joint_blocks.9", "", "-1"):
        with pytest.raises(ValueError, match="blocks: expected"):
            blocks_of(MMDIT, wrong)
    with pytest.raises(ValueError, match="model: expected one whose blocks"):
        blocks_of(Recorder(), "0")


@pytest.mark.parametrize("family", tiny.NETWORKS)
def test_blocks_of_every_family_can_be_left_out_and_look_at_less(family: str) -> None:
    params: Any = tiny.NETWORKS[family]
    network = tiny.network_of(params)
    blocks = blocks_of(network, "0")
    x, t = torch.randn(2, params.in_channels, 8, 8), torch.full((2,), 0.5)
    context = torch.tensor([[[0.0, 3.0]]]).expand(2, 1, 2) if family == "dit" else torch.randn(2, 3, params.context_dim)
    told = (getattr(params, "y_dim", None) or 0) + getattr(params, "guided", 0)
    y = torch.ones(2, told) if told else None
    with torch.no_grad():
        plain = network(x, t, context, y)
        without = network(x, t, context, y, Hooks(skipped=blocks))
        looking = network(x, t, context, y, Hooks(attend=attend_of(PerturbedAttention(1.0, blocks))))
    assert not torch.allclose(without, plain, atol=1e-3)
    assert not torch.allclose(looking, plain, atol=1e-3)
