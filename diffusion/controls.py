"""Pictures that steer a generation through ControlNets (Zhang et al. 2023, arXiv:2302.05543)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from diffusion.hooks import Residuals
from diffusion.residency import within_memory


class ControlNetwork(Protocol):
    """A network beside the one that paints."""

    def embed(self, hint_BCHW: Tensor) -> Tensor:
        """What it makes of a hint that `Prepare` made, at the resolution of the latents; the same in every step."""
        ...

    def __call__(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None, embedded_BCHW: Tensor
    ) -> Residuals: ...


class Prepare(Protocol):
    """The hint a ControlNet takes, from a picture in 0..1, for latents of that height and width."""

    def __call__(self, image_B3HW: Tensor, height: int, width: int, /) -> Tensor: ...


@dataclass(frozen=True)
class ControlNet:
    """A ControlNet with what is known of it; `origin` stands for its content, as in a Model."""

    network: ControlNetwork
    architecture: str
    device: torch.device
    dtype: torch.dtype
    origin: str


@dataclass(frozen=True)
class Control:
    """One picture, 1 3 H W or one for each latent, steering through one ControlNet.

    It counts `strength` times, from `start` to `end`: fractions of the schedule, see `Prediction.level`.
    `embedded_BCHW` is there once the size of the latents is known, see `fitted`.
    """

    net: ControlNet
    image_B3HW: Tensor
    prepare: Prepare
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    embedded_BCHW: Tensor | None = None

    def fitted(self, height: int, width: int) -> Control:
        """For latents of that size, once for all steps. Raises ValueError for pictures the ControlNet cannot take."""
        hint_BCHW = self.prepare(self.image_B3HW, height, width).to(self.net.device, self.net.dtype)
        with torch.no_grad():
            embedded_BCHW = within_memory(
                self.net.network, hint_BCHW, lambda rows: self.net.network.embed(hint_BCHW[rows])
            )
        return replace(self, embedded_BCHW=embedded_BCHW)

    def window(self, top: int, left: int, height: int, width: int) -> Control:
        """For a part of the latents, once it is fitted."""
        return replace(self, embedded_BCHW=self._embedded[..., top : top + height, left : left + width])

    @property
    def _embedded(self) -> Tensor:
        if self.embedded_BCHW is None:
            raise ValueError("a control has to be fitted to the latents before it can steer")
        return self.embedded_BCHW


def residuals(
    controls: Sequence[Control], x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None
) -> Residuals | None:
    """What all of them add to a network that is called with these; None for none. All of them count now.

    ValueError for pictures that are neither one nor as many as the latents, or as one of several stacks of them.
    """
    total: Residuals | None = None
    for control in controls:
        added = _added(control, x_BCHW, t_B, context_BLD, y_BD).each(_scaled(control.strength, x_BCHW.dtype))
        total = added if total is None else total.plus(added)
    return total


def _added(control: Control, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None) -> Residuals:
    network, dtype = control.net.network, control.net.dtype
    embedded_BCHW = _stacked(control._embedded, len(x_BCHW))
    x, context, y = x_BCHW.to(dtype), context_BLD.to(dtype), None if y_BD is None else y_BD.to(dtype)

    def call(rows: slice) -> Residuals:
        return network(x[rows], t_B[rows], context[rows], None if y is None else y[rows], embedded_BCHW[rows])

    return within_memory(network, x, call, join=Residuals.joined)


def _scaled(strength: float, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    return lambda residual: (residual * strength).to(dtype)


def _stacked(embedded_BCHW: Tensor, batch: int) -> Tensor:
    if batch % len(embedded_BCHW):
        raise ValueError(f"ControlNet: expected 1 picture or one for each latent, got {len(embedded_BCHW)}")
    return embedded_BCHW.repeat(batch // len(embedded_BCHW), 1, 1, 1)
