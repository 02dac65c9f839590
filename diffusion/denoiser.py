"""A model as what samplers rely on: (noisy latent, sigma) -> clean estimate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion.conditioning import Conditioning, Sizes
from diffusion.controls import Control, residuals
from diffusion.hooks import NO_HOOKS, Hooks
from diffusion.model import Model
from diffusion.picture_prompts import PicturePrompt, beside
from diffusion.prediction import Prediction
from diffusion.regions import Part, part
from diffusion.unfit import Unfit


class Estimate(NamedTuple):
    """Of a clean latent; `spread_BCHW` as in `Prediction.spread`, as large as the latent."""

    clean_BCHW: Tensor
    spread_BCHW: Tensor | None


@dataclass(frozen=True)
class _Ask:
    """What a network is asked for one part: its latents, unscaled, and its text, for the whole batch. `place`: of the
    conditioning it is of."""

    place: int
    part: Part
    x_BCHW: Tensor
    context_BLD: Tensor
    y_BD: Tensor | None
    extra_BCHW: Tensor | None

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for what can go through the network together."""
        tensors = (self.x_BCHW, self.context_BLD, self.y_BD, self.extra_BCHW)
        controls = tuple(id(control) for control in self.part.entry.controls)
        window = self.part.window if controls else None
        pictures = tuple(picture.kind for picture in self.part.entry.pictures)
        return (*(None if tensor is None else tensor.shape for tensor in tensors), controls, window, pictures)


def denoise(
    model: Model,
    x_BCHW: Tensor,
    sigma: float,
    conditionings: Sequence[Conditioning],
    hooks: Hooks = NO_HOOKS,
) -> list[Estimate]:
    """What the model makes of `x` under each conditioning, in its dtype.

    Of the entries of a conditioning those at work at `sigma` are blended: the sum of weight * estimate over the sum of
    weights, 0 where nothing has a weight. Entries of one shape go through the network as one batch, whichever
    conditioning they are of. Texts of different lengths take a call each: a padded text would change the picture where
    text and image attend to each other. `hooks` go into every call; what ControlNets add is added to theirs, what
    attentions see of pictures is beside the text. Unfit for what does not go with the model.
    """
    asked: list[list[_Ask]] = []
    for place, conditioning in enumerate(conditionings):
        with _of(place):
            asked.append([_ask(model, x_BCHW, place, part) for part in _at_work(model, x_BCHW, sigma, conditioning)])
    batches: dict[tuple[object, ...], list[_Ask]] = {}
    for ask in (ask for asks in asked for ask in asks):
        batches.setdefault(ask.kind, []).append(ask)
    estimates: dict[int, Estimate] = {}
    for asks in batches.values():
        with _of(asks[0].place):
            answers = zip(asks, _answers(model, sigma, asks, hooks), strict=True)
        estimates |= {id(ask): answer for ask, answer in answers}
    blended: list[Estimate] = []
    for place, asks in enumerate(asked):
        with _of(place):
            blended.append(_blended(x_BCHW, [(ask.part, estimates[id(ask)]) for ask in asks]))
    return blended


def _at_work(model: Model, x_BCHW: Tensor, sigma: float, conditioning: Conditioning) -> list[Part]:
    level, downscale = model.prediction.level, model.latent_format.downscale
    active = [e for e in conditioning.entries if level(e.end) <= sigma <= level(e.start)]
    return [found for entry in active if (found := part(entry, x_BCHW, downscale)) is not None]


@contextmanager
def _of(place: int) -> Iterator[None]:
    """Within, what does not fit is of the conditioning at that place."""
    try:
        yield
    except Unfit as error:
        raise Unfit(str(error), place) from error


def _ask(model: Model, x_BCHW: Tensor, place: int, part: Part) -> _Ask:
    entry, batch, downscale = part.entry, x_BCHW.shape[0], model.latent_format.downscale
    height, width = (side * downscale for side in x_BCHW.shape[2:])
    pooled_BD = entry.pooled_BD
    context_BLD, y_BD = model.fit(
        entry.context_BLD.to(model.device, model.dtype),
        None if pooled_BD is None else pooled_BD.to(model.device, model.dtype),
        entry.sizes or Sizes.of(height, width),
    )
    extra_BCHW = None if model.extra_channels is None else part.window.of(model.extra_channels(entry.reference, x_BCHW))
    return _Ask(
        place,
        part,
        part.window.of(x_BCHW),
        _for_batch(context_BLD, batch, "text"),
        None if y_BD is None else _for_batch(y_BD, batch, "text"),
        extra_BCHW,
    )


def _answers(model: Model, sigma: float, asks: Sequence[_Ask], hooks: Hooks) -> Sequence[Estimate]:
    """The estimates of parts of one kind, from one call of the network."""
    prediction = model.prediction
    x_BCHW = torch.cat([prediction.scale_input(ask.x_BCHW, sigma).to(model.dtype) for ask in asks])
    t_B = torch.full((len(x_BCHW),), prediction.timestep(sigma), device=model.device)
    context_BLD = torch.cat([ask.context_BLD for ask in asks])
    y = [ask.y_BD for ask in asks if ask.y_BD is not None]
    y_BD = torch.cat(y) if y else None
    steering = _steering(prediction, sigma, asks[0].part)
    if added := residuals(steering, model.network, x_BCHW, t_B, context_BLD, y_BD):
        hooks = replace(hooks, residuals=added if hooks.residuals is None else hooks.residuals.plus(added))
    if any(pictures := [_looking(prediction, sigma, ask.part) for ask in asks]):
        hooks = replace(hooks, beside=beside(model.network, pictures, len(asks[0].x_BCHW), model.dtype))
    extra = [ask.extra_BCHW for ask in asks if ask.extra_BCHW is not None]
    if extra:
        x_BCHW = torch.cat((x_BCHW, torch.cat(extra).to(model.device, model.dtype)), dim=1)
    output_BCHW = model.output(x_BCHW, t_B, context_BLD, y_BD, hooks)
    outputs = output_BCHW.to(asks[0].x_BCHW.dtype).chunk(len(asks))
    return [
        Estimate(prediction.denoised(ask.x_BCHW, output, sigma), prediction.spread(output))
        for ask, output in zip(asks, outputs, strict=True)
    ]


def _steering(prediction: Prediction, sigma: float, part: Part) -> list[Control]:
    """The controls at work on a part, cut to its window."""
    level = prediction.level
    return [c.window(*part.window) for c in part.entry.controls if level(c.end) <= sigma <= level(c.start)]


def _looking(prediction: Prediction, sigma: float, part: Part) -> list[PicturePrompt]:
    level = prediction.level
    return [p for p in part.entry.pictures if level(p.end) <= sigma <= level(p.start)]


def _blended(x_BCHW: Tensor, estimates: Sequence[tuple[Part, Estimate]]) -> Estimate:
    clean_BCHW = _blend(x_BCHW, [(at, estimate.clean_BCHW) for at, estimate in estimates])
    spreads = [(at, estimate.spread_BCHW) for at, estimate in estimates if estimate.spread_BCHW is not None]
    return Estimate(clean_BCHW, _blend(x_BCHW, spreads) if spreads else None)


def _blend(x_BCHW: Tensor, estimates: Sequence[tuple[Part, Tensor]]) -> Tensor:
    if len(estimates) == 1 and not isinstance(estimates[0][0].weight, Tensor) and estimates[0][1].shape == x_BCHW.shape:
        return estimates[0][1]
    total_BCHW, weights_B1HW = torch.zeros_like(x_BCHW), torch.zeros_like(x_BCHW[:, :1])
    for at, estimate in estimates:
        weight = _for_batch(at.weight, len(x_BCHW), "mask") if isinstance(at.weight, Tensor) else at.weight
        at.window.of(total_BCHW).add_(weight * estimate)
        at.window.of(weights_B1HW).add_(weight)
    return total_BCHW / (weights_B1HW + 1e-37)


def _for_batch(tensor: Tensor, batch: int, what: str) -> Tensor:
    """One item for all pictures, or one each."""
    if tensor.shape[0] not in (1, batch):
        raise Unfit(f"{what}: expected 1 or {batch} items for {batch} latents, got {tensor.shape[0]}")
    return tensor.expand(batch, *tensor.shape[1:])
