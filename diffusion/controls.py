"""Pictures that steer a generation through ControlNets (Zhang et al. 2023, arXiv:2302.05543)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from diffusion.hooks import Residuals
from diffusion.networks.mmdit import MMDiT
from diffusion.residency import within_memory
from diffusion.unfit import Unfit


class ControlNetwork(Protocol):
    """A network beside the one that paints. `kind`: the number of a kind of pictures, where it knows several."""

    def embed(self, hint_BCHW: Tensor) -> Tensor:
        """What it makes of a hint that `Prepare` made, at the resolution of the latents; the same in every step."""
        ...

    def __call__(
        self,
        x: Tensor,
        t_B: Tensor,
        context_BLD: Tensor,
        y_BD: Tensor | None,
        embedded_BCHW: Tensor,
        kind: int | None,
        /,
    ) -> Residuals: ...


class Prepare(Protocol):
    """The hint a ControlNet takes, from a picture in 0..1, for latents of that height and width."""

    def __call__(self, image_B3HW: Tensor, height: int, width: int, /) -> Tensor: ...


@dataclass(frozen=True)
class ControlNet:
    """A ControlNet with what is known of it; `origin` stands for its content, as in a Model.

    `kinds` of pictures it knows apart, `kind` the one it gets. `borrows`: it sees latents through the network it
    steers. `everywhere`: what it adds is the same all over the picture.
    """

    network: ControlNetwork
    device: torch.device
    dtype: torch.dtype
    origin: str
    kinds: tuple[str, ...] = ()
    kind: str | None = None
    borrows: bool = False
    everywhere: bool = False

    def of_kind(self, kind: str) -> ControlNet:
        """For pictures of that kind. ValueError for one it does not know."""
        if kind not in self.kinds:
            known = ", ".join(self.kinds) or "one kind of pictures only"
            raise Unfit(f"ControlNet: this one knows {known}, got {kind!r}")
        return replace(self, kind=kind)


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
    controls: Sequence[Control],
    steered: nn.Module,
    x_BCHW: Tensor,
    t_B: Tensor,
    context_BLD: Tensor,
    y_BD: Tensor | None,
) -> Residuals | None:
    """What all of them add to the network `steered` when it is called with these; None for none. All count now.

    Unfit for pictures that are neither one nor as many as the latents, or as one of several stacks of them.
    """
    total: Residuals | None = None
    for control in controls:
        x = _tokens(steered, x_BCHW) if control.net.borrows else x_BCHW
        added = _added(control, x, t_B, context_BLD, y_BD).each(_scaled(control, x_BCHW.dtype))
        total = added if total is None else total.plus(added)
    return total


def _tokens(steered: nn.Module, x_BCHW: Tensor) -> Tensor:
    if not isinstance(steered, MMDiT):
        raise Unfit("ControlNet: this one is for Stable Diffusion 3.5; use one made for this kind of model")
    return within_memory(steered, x_BCHW, lambda rows: steered.embedded(x_BCHW[rows]))


def _added(control: Control, x: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None) -> Residuals:
    net, network, dtype = control.net, control.net.network, control.net.dtype
    embedded_BCHW = _stacked(control._embedded, len(x))
    x, context, y = x.to(dtype), context_BLD.to(dtype), None if y_BD is None else y_BD.to(dtype)
    kind = None if net.kind is None else net.kinds.index(net.kind)

    def call(rows: slice) -> Residuals:
        return network(x[rows], t_B[rows], context[rows], None if y is None else y[rows], embedded_BCHW[rows], kind)

    return within_memory(network, x, call, join=Residuals.joined)


def _scaled(control: Control, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    def scaled(residual: Tensor) -> Tensor:
        mean = residual.mean((2, 3), keepdim=True) if control.net.everywhere else residual
        return (mean * control.strength).to(dtype)

    return scaled


def _stacked(embedded_BCHW: Tensor, batch: int) -> Tensor:
    if batch % len(embedded_BCHW):
        raise Unfit(f"ControlNet: expected 1 picture or one for each latent, got {len(embedded_BCHW)}")
    return embedded_BCHW.repeat(batch // len(embedded_BCHW), 1, 1, 1)
