"""Guides: a model, the conditionings it is asked with, and a way to join the answers into what samplers follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from diffusion.conditioning import Conditioning
from diffusion.denoiser import denoise
from diffusion.guidance.rules import Ask, Moment, dot
from diffusion.hooks import NO_HOOKS, Hooks
from diffusion.model import Model
from diffusion.regions import aligned, placed
from diffusion.samplers import Guided, GuidedDenoiser
from diffusion.unfit import Unfit


class Way(Protocol):
    """Joins what it asks for, first of all for the positive conditioning. With `both` it asks for what it guides away
    from even where that has no weight."""

    def __call__(self, ask: Ask, at: Moment, both: bool, /) -> Guided: ...


@dataclass(frozen=True)
class Guide:
    """`way` is made anew for each run, as it may remember the steps before. `names` of the conditionings are what
    errors call them."""

    model: Model
    conditionings: tuple[Conditioning, ...]
    way: Callable[[Model], Way]
    names: tuple[str, ...]

    def denoiser(self, clean_BCHW: Tensor) -> GuidedDenoiser:
        """For a run on latents such as this one, in the model's scale. Unfit for conditionings that do not go with the
        model."""
        model, way = self.model, self.way(self.model)
        prepared = aligned(placed(self.conditionings, clean_BCHW))

        def guided(x_BCHW: Tensor, sigma: float, both: bool) -> Guided:
            spreads: list[Tensor | None] = []

            def ask(at: Moment, places: Sequence[int], hooks: Hooks = NO_HOOKS, /) -> list[Tensor]:
                try:
                    found = denoise(model, at.x_BCHW, at.sigma, [prepared[place] for place in places], hooks)
                except Unfit as error:
                    raise Unfit(f"{self.names[places[error.place]]}: {error}") from error
                spreads.append(found[0].spread_BCHW)
                return [estimate.clean_BCHW for estimate in found]

            joined = way(ask, Moment(x_BCHW, sigma, model.prediction.alpha(sigma)), both)
            return joined._replace(spread=spreads[0])

        return guided


def unguided(model: Model, positive: Conditioning) -> Guide:
    """The estimate under one conditioning, as it is."""

    def way(ask: Ask, at: Moment, _both: bool) -> Guided:
        (estimate,) = ask(at, (0,))
        return Guided(estimate, estimate)

    return Guide(model, (positive,), lambda _: way, ("conditioning",))


def classifier_free(model: Model, positive: Conditioning, negative: Conditioning, scale: float) -> Guide:
    """Away from `negative`, towards `positive`, in the way the model's guidance says.

    Both estimates come from one batch. Where the scale is 1, `negative` is not computed.
    """

    def make(model: Model) -> Way:
        guidance, prediction = model.guidance, model.prediction
        join = guidance.join(prediction)

        def way(ask: Ask, at: Moment, both: bool) -> Guided:
            now = guidance.scale(scale, prediction, at.sigma)
            towards, *rest = ask(at, (0, 1) if both or now != 1 else (0,))
            away = rest[0] if rest else None
            estimate = towards if away is None or now == 1 else join(at, towards, away, now)
            for term, span in guidance.terms:
                if span.has(prediction, at.sigma):
                    estimate = estimate + term(ask, at, towards, away)
            return Guided(estimate, towards if away is None else away)

        return way

    return Guide(model, (positive, negative), make, ("positive", "negative"))


def dual(
    model: Model, first: Conditioning, second: Conditioning, negative: Conditioning, scales: tuple[float, float]
) -> Guide:
    """Away from `negative` towards `second` by the second scale, and from there towards `first` by the first: what
    InstructPix2Pix does with text and picture (Brooks et al., arXiv 2211.09800, equation 3)."""

    def way(ask: Ask, at: Moment, _both: bool) -> Guided:
        one, two, away = ask(at, (0, 1, 2))
        return Guided(away + scales[1] * (two - away) + scales[0] * (one - two), away)

    return Guide(model, (first, second, negative), lambda _: way, ("first", "second", "negative"))


def nested(
    model: Model, first: Conditioning, second: Conditioning, negative: Conditioning, scales: tuple[float, float]
) -> Guide:
    """Away from `second` towards `first` by the first scale, and away from `negative` towards that by the second."""

    def way(ask: Ask, at: Moment, _both: bool) -> Guided:
        one, two, away = ask(at, (0, 1, 2))
        return Guided(away + scales[1] * (two + scales[0] * (one - two) - away), away)

    return Guide(model, (first, second, negative), lambda _: way, ("first", "second", "negative"))


def perpendicular(
    model: Model, positive: Conditioning, negative: Conditioning, empty: Conditioning, scale: float, weight: float
) -> Guide:
    """Away from `empty` towards `positive`, less `weight` times what of `negative` is not along `positive`, picture by
    picture (Perp-Neg, Armandpour et al., arXiv 2304.04968, equation 9)."""

    def way(ask: Ask, at: Moment, _both: bool) -> Guided:
        towards, against, away = ask(at, (0, 1, 2))
        wanted, unwanted = towards - away, against - away
        share = dot(unwanted, wanted) / dot(wanted, wanted).clamp_min(1e-8)
        return Guided(away + scale * (wanted - weight * (unwanted - share * wanted)), away)

    return Guide(model, (positive, negative, empty), lambda _: way, ("positive", "negative", "empty"))
