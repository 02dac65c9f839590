"""Conditionings of several entries: where, when and how much each counts, and what the network is asked for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from diffusion.conditioning import (
    Conditioning,
    Entry,
    Rectangle,
    Reference,
    Sizes,
    combined,
    continued,
    mixed,
    silenced,
)
from diffusion.controls import Control, ControlNet, residuals
from diffusion.hooks import NO_HOOKS, Hooks, Residuals
from diffusion.latents import SD15
from diffusion.prediction import EdmV, Eps, Flow, FluxFlow, Prediction
from diffusion.regions import Window, aligned, bounds, placed, window
from tests.diffusion.test_guidance import Recorder, denoise, model_of, text

X = torch.randn(2, 4, 12, 16, generator=torch.Generator().manual_seed(0))
SIGMA = 2.0


def entry(value: float, **facts: object) -> Entry:
    return replace(text(value).entries[0], **facts)  # type: ignore[arg-type]


def estimates(*entries: Entry, x: Tensor = X) -> Tensor:
    (estimate,) = denoise(model_of(Recorder(), Eps()), x, SIGMA, [Conditioning(entries)])
    return estimate


def alone(value: float) -> Tensor:
    return estimates(entry(value))


def test_one_text_for_all_is_what_it_is_bit_by_bit() -> None:
    network = Recorder()
    model = model_of(network, Eps())
    (strong,) = denoise(model, X, SIGMA, [Conditioning((entry(0.3, strength=0.7),))])
    assert torch.equal(strong, alone(0.3))
    assert torch.equal(alone(0.3), X - SIGMA * (Eps().scale_input(X, SIGMA) * network.calls[0].context.mean((1, 2))[0]))


def test_texts_are_blended_by_strength_in_one_call() -> None:
    network = Recorder()
    both = Conditioning((entry(0.2, strength=1.0), entry(0.4, strength=3.0)))
    away = text(0.1)
    towards, other = denoise(model_of(network, Eps()), X, SIGMA, [both, away])
    assert torch.allclose(towards, (alone(0.2) + 3 * alone(0.4)) / 4, atol=1e-6)
    assert torch.allclose(other, alone(0.1))
    (call,) = network.calls
    assert call.context.mean((1, 2)).tolist() == pytest.approx([0.2, 0.2, 0.4, 0.4, 0.1, 0.1])


def test_nothing_without_weight_is_computed() -> None:
    network = Recorder()
    model = model_of(network, Eps())
    idle = [entry(0.9, strength=0.0), entry(0.9, mask_BHW=torch.zeros(1, 8, 8)), entry(0.9, start=0.99)]
    (estimate,) = denoise(model, X, SIGMA, [Conditioning((entry(0.3), *idle))])
    assert torch.equal(estimate, alone(0.3))
    assert [len(call.x) for call in network.calls] == [2]
    (nothing,) = denoise(model, X, SIGMA, [Conditioning(tuple(idle))])
    assert not nothing.any()
    assert len(network.calls) == 1


def test_a_mask_says_where() -> None:
    left = torch.zeros(1, 12, 16)
    left[:, :, :8] = 1
    estimate = estimates(entry(0.2, mask_BHW=left), entry(0.4, mask_BHW=1 - left))
    assert torch.allclose(estimate[..., :8], alone(0.2)[..., :8], atol=1e-6)
    assert torch.allclose(estimate[..., 8:], alone(0.4)[..., 8:], atol=1e-6)
    soft = estimates(entry(0.2, mask_BHW=left * 0.25), entry(0.4))
    assert torch.allclose(soft[..., :8], ((0.25 * alone(0.2) + alone(0.4)) / 1.25)[..., :8], atol=1e-6)


def test_masks_are_stretched_over_the_picture() -> None:
    large = torch.zeros(1, 96, 128)
    large[:, :48] = 1
    small = torch.nn.functional.interpolate(large[:, None], (12, 16), mode="bilinear")[:, 0]
    assert torch.equal(
        estimates(entry(0.2, mask_BHW=large), entry(0.4)), estimates(entry(0.2, mask_BHW=small), entry(0.4))
    )
    where = Conditioning((entry(0.2, mask_BHW=large),))
    assert torch.equal(placed([where], X)[0].entries[0].mask_BHW, small)  # type: ignore[arg-type]


def test_a_mask_for_each_picture() -> None:
    masks = torch.stack([torch.ones(12, 16), torch.zeros(12, 16)])
    estimate = estimates(entry(0.2, mask_BHW=masks), entry(0.4))
    assert torch.allclose(estimate[0], (alone(0.2)[0] + alone(0.4)[0]) / 2, atol=1e-6)
    assert torch.allclose(estimate[1], alone(0.4)[1], atol=1e-6)
    with pytest.raises(ValueError, match="mask: expected 1 or 2 items for 2 latents, got 3"):
        estimates(entry(0.2, mask_BHW=torch.ones(3, 12, 16)))


def test_an_area_is_painted_by_itself_and_fades_into_the_rest() -> None:
    network = Recorder()
    corner = Rectangle(64, 0, 64, 96)  # the right half, all of its height
    both = Conditioning((entry(0.4, area=corner), entry(0.2)))
    (estimate,) = denoise(model_of(network, Eps()), X, SIGMA, [both])
    assert [tuple(call.x.shape[2:]) for call in network.calls] == [(12, 8), (12, 16)]
    assert torch.equal(network.calls[0].x, Eps().scale_input(X[..., 8:], SIGMA))
    assert torch.equal(estimate[..., :8], alone(0.2)[..., :8])
    ramp = torch.tensor([0.5, 1.0, 1, 1, 1, 1, 1, 1])
    expected = (ramp * alone(0.4)[..., 8:] + alone(0.2)[..., 8:]) / (ramp + 1)
    assert torch.allclose(estimate[..., 8:], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("rectangle", "cells"),
    [
        (Rectangle(8, 16, 24, 32), Window(2, 1, 4, 3)),
        (Rectangle(0.5, 0.25, 0.5, 0.5, "fractions"), Window(3, 8, 6, 8)),
        (Rectangle(0.99, 0.99, 0.5, 0.5, "fractions"), Window(11, 15, 1, 1)),
        (Rectangle(0, 0, 0, 0), Window(0, 0, 1, 1)),
        (Rectangle(100, 5000, 5000, 5000), Window(11, 12, 1, 4)),
        (None, Window(0, 0, 12, 16)),
    ],
)
def test_rectangles_in_latent_cells(rectangle: Rectangle | None, cells: Window) -> None:
    assert window(rectangle, 12, 16, 8) == cells


def test_the_bounds_of_a_mask() -> None:
    mask = torch.zeros(2, 8, 16)
    mask[0, 2, 4] = mask[1, 5, 7] = 0.5
    assert bounds(mask) == Rectangle(0.25, 0.25, 0.25, 0.5, "fractions")
    assert bounds(torch.zeros(1, 4, 4)) is None


@pytest.mark.parametrize("prediction", [Eps(), Flow(3.0), FluxFlow(), EdmV()])
def test_levels_run_from_endless_to_none_even_in_time(prediction: Prediction) -> None:
    levels = [prediction.level(progress) for progress in (0, 0.001, 0.25, 0.5, 0.999, 1)]
    assert levels[0] == math.inf
    assert levels[-1] == 0
    assert levels == sorted(levels, reverse=True)
    assert levels[1] == pytest.approx(prediction.sigma_max, rel=0.02)


def test_the_middle_of_a_schedule() -> None:
    assert Eps().level(0.5) == pytest.approx(float(Eps().sigma(torch.tensor(499.5))))
    assert Flow(3.0).level(0.5) == pytest.approx(0.75)
    assert EdmV().level(0.5) == pytest.approx(math.sqrt(0.002 * 120))


def test_time_ranges_take_turns() -> None:
    model = model_of(Recorder(), Flow(1.0))
    turns = Conditioning((entry(0.2, end=0.5), entry(0.4, start=0.5)))
    for sigma, value in ((1.0, 0.2), (0.51, 0.2), (0.49, 0.4), (0.01, 0.4)):
        (estimate,) = denoise(model, X, sigma, [turns])
        assert torch.equal(estimate, denoise(model, X, sigma, [text(value)])[0])


def test_an_area_is_compared_with_the_same_window_of_the_other_prompt() -> None:
    area, around = Rectangle(64, 0, 32, 32), Rectangle(32, 0, 96, 96)
    positive = Conditioning((entry(0.2), entry(0.4, area=area, strength=0.5)))
    negative = Conditioning((entry(0.1), entry(0.3, area=around)))
    towards, away = aligned([positive, negative])
    assert [e.area for e in towards.entries] == [None, area, around]
    assert [e.area for e in away.entries] == [None, around, area]
    assert away.entries[2].strength == 0.5
    assert torch.equal(away.entries[2].context_BLD, negative.entries[1].context_BLD)
    assert torch.equal(towards.entries[2].context_BLD, positive.entries[0].context_BLD)
    assert aligned([positive, positive]) == [positive, positive]


def test_a_picture_to_start_from_goes_behind_the_latents() -> None:
    network = Recorder()

    def extra(reference: Reference | None, x_BCHW: Tensor) -> Tensor:
        assert reference is not None
        return reference.latent_BCHW[:, :2].expand(len(x_BCHW), -1, -1, -1) * 10

    model = replace(model_of(network, Eps()), extra_channels=extra)
    start = Reference(torch.rand(1, 4, 12, 16))
    part = entry(0.4, area=Rectangle(64, 0, 64, 96), reference=start)
    with pytest.raises(
        RuntimeError
    ):  # this network returns as many channels as it gets, so the estimate cannot be made
        denoise(model, X, SIGMA, [Conditioning((part,))])
    assert network.calls[0].x.shape == (2, 6, 12, 8)
    assert torch.equal(network.calls[0].x[1, 4:], start.latent_BCHW[0, :2, :, 8:] * 10)


def test_sizes_are_those_of_the_whole_picture_unless_told() -> None:
    seen: list[Sizes] = []

    def fit(context_BLD: Tensor, pooled_BD: Tensor | None, sizes: Sizes) -> tuple[Tensor, Tensor | None]:
        seen.append(sizes)
        return context_BLD, pooled_BD

    told = Sizes(1, 2, 3, 4, 5, 6, 2.5)
    model = replace(model_of(Recorder(), Eps()), fit=fit)
    denoise(model, X, SIGMA, [Conditioning((entry(0.2, area=Rectangle(0, 0, 64, 64)), entry(0.4, sizes=told)))])
    assert seen == [Sizes.of(12 * SD15.downscale, 16 * SD15.downscale), told]


def test_combining() -> None:
    assert combined([text(0.1), text(0.2), text(0.3)]).entries[2].context_BLD.mean() == pytest.approx(0.3)


def test_a_text_behind_another() -> None:
    both = continued(combined([text(0.1, tokens=2), text(0.2)]), text(0.3, tokens=4))
    assert [e.context_BLD[0, :, 0].tolist() for e in both.entries] == [
        pytest.approx([0.1] * 2 + [0.3] * 4),
        pytest.approx([0.2] * 3 + [0.3] * 4),
    ]
    with pytest.raises(ValueError, match="expected one text, got 2 combined ones"):
        continued(text(0.1), both)
    with pytest.raises(ValueError, match="one 5 wide and one 7 wide"):
        continued(text(0.1), Conditioning.of(torch.zeros(1, 3, 7)))


def test_between_two_texts() -> None:
    a, b = text(1.0, tokens=4, pooled=True), text(3.0, tokens=2, pooled=True)
    (middle,) = mixed(a, b, 0.25).entries
    assert middle.context_BLD[0, :, 0].tolist() == pytest.approx([1.5, 1.5, 0.75, 0.75])
    assert middle.pooled_BD is not None
    assert middle.pooled_BD.flatten().tolist() == pytest.approx([1.5, 1.5])
    assert torch.equal(mixed(a, b, 0.0).entries[0].context_BLD, a.entries[0].context_BLD)
    assert mixed(b, a, 1.0).entries[0].context_BLD.shape == (1, 2, 5)


def test_silence() -> None:
    (entry,) = silenced(text(1.0, pooled=True)).entries
    assert not entry.context_BLD.any()
    assert entry.pooled_BD is not None
    assert not entry.pooled_BD.any()


class Adds:
    """A ControlNet whose residual is what it is shown, as a middle one."""

    def __init__(self) -> None:
        self.calls: list[Tensor] = []

    def embed(self, hint_BCHW: Tensor) -> Tensor:
        self.calls.append(hint_BCHW)
        return hint_BCHW

    def __call__(
        self, x: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None, embedded_BCHW: Tensor, kind: int | None
    ) -> Residuals:
        return Residuals((), embedded_BCHW)


class Listens(Recorder):
    """A recorder that adds the residual to its output."""

    def forward(
        self,
        x_BCHW: Tensor,
        t_B: Tensor,
        context_BLD: Tensor,
        y_BD: Tensor | None,
        hooks: Hooks = NO_HOOKS,
    ) -> Tensor:
        output = super().forward(x_BCHW, t_B, context_BLD, y_BD)
        if hooks.residuals is None or hooks.residuals.middle is None:
            return output
        return output + hooks.residuals.middle


def control_of(network: Adds, **facts: object) -> Control:
    net = ControlNet(network, torch.device("cpu"), torch.float32, "test")
    image = torch.arange(12 * 16.0).view(1, 1, 12, 16)
    return replace(Control(net, image, lambda image, height, width: image[..., :height, :width]), **facts)  # type: ignore[arg-type]


def test_a_control_steers_both_prompts_in_one_call() -> None:
    network, adds = Listens(), Adds()
    control = control_of(adds, strength=0.5)
    asked = [Conditioning((entry(value, controls=(control,)),)) for value in (0.2, 0.1)]
    model = model_of(network, Eps())
    estimates = denoise(model, X, SIGMA, placed(asked, X))
    assert len(adds.calls) == len(network.calls) == 1
    for estimate, value in zip(estimates, (0.2, 0.1), strict=True):
        assert torch.allclose(estimate, alone(value) - SIGMA * 0.5 * control.image_B3HW, atol=1e-4)


def test_a_control_sees_the_window_of_its_entry_and_its_time() -> None:
    network = Listens()
    control = control_of(Adds(), start=0.5)
    corner = Conditioning((entry(0.2, area=Rectangle(64, 32, 64, 64), controls=(control,)), entry(0.4)))
    late, early = 0.1, 14.0
    model = model_of(network, Eps())
    (estimate,) = denoise(model, X, late, placed([corner], X))
    (bare,) = denoise(model, X, late, [corner.each(lambda e: replace(e, controls=()))])
    steered = (bare - estimate).abs().amax((0, 1)) > 0
    assert steered[4:, 8:].all()
    assert not steered[:4].any()
    assert not steered[:, :8].any()
    (untouched,) = denoise(model, X, early, placed([corner], X))
    (expected,) = denoise(model, X, early, [corner.each(lambda e: replace(e, controls=()))])
    assert torch.equal(untouched, expected)


class Cramped(Adds):
    """In whose memory one row has room."""

    def embed(self, hint_BCHW: Tensor) -> Tensor:
        return super().embed(self._if_alone(hint_BCHW))

    def __call__(
        self, x: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None, embedded_BCHW: Tensor, kind: int | None
    ) -> Residuals:
        return Residuals((self._if_alone(x) * t_B[:, None, None, None],), embedded_BCHW)

    def _if_alone(self, rows: Tensor) -> Tensor:
        if len(rows) > 1:
            raise torch.OutOfMemoryError("injected")
        return rows


def test_a_control_runs_in_less_memory() -> None:
    images = torch.arange(2 * 12 * 16.0).view(2, 1, 12, 16)
    control = replace(control_of(Cramped(), strength=0.5), image_B3HW=images).fitted(12, 16)
    x = torch.cat([X] * 2)
    times = torch.arange(1.0, 1 + len(x))
    added = residuals((control,), Listens(), x, times, torch.zeros(len(x), 1, 5), None)
    assert added is not None
    assert torch.allclose(added.blocks[0], 0.5 * x * times[:, None, None, None])
    assert added.middle is not None
    assert torch.allclose(added.middle, 0.5 * images.repeat(len(x) // 2, 1, 1, 1))
