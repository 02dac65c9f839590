"""What a network predicts, and how that becomes a clean estimate: everything that differs between eps and flow models.

A noisy latent is `x = alpha(sigma) * x0 + sigma * noise`. Samplers and schedules know nothing else of a model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

Alpha = Callable[[float], float]
"""How much of the clean latent is in a noisy one at a level."""


class Prediction(Protocol):
    """How a family of networks was trained; sigmas are plain floats, one noise level for the whole batch."""

    @property
    def sigmas(self) -> Tensor:
        """The levels the network was trained on, ascending, float64."""
        ...

    @property
    def sigma_min(self) -> float: ...

    @property
    def sigma_max(self) -> float: ...

    def alpha(self, sigma: float) -> float:
        """How much of the clean latent is in a noisy one."""
        ...

    def sigma(self, t: Tensor) -> Tensor:
        """The level at time `t`, in 0..1000, of the training schedule."""
        ...

    def timestep(self, sigma: float) -> float:
        """What the network takes as its time input."""
        ...

    def scale_input(self, x: Tensor, sigma: float) -> Tensor:
        """What the network takes as its noisy latent."""
        ...

    def denoised(self, x: Tensor, output: Tensor, sigma: float) -> Tensor:
        """The estimate of the clean latent, from the (unscaled) noisy latent and the network's output."""
        ...

    def noised(self, latent: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """The point where sampling starts: a clean latent brought to level `sigma` with unit noise."""
        ...

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        """The clean latent's scale, when sampling stopped at a level that may not be 0."""
        ...


@dataclass(frozen=True)
class Eps:
    """The network predicts the noise (DDPM, arXiv 2006.11239) on a table of 1000 levels, x = x0 + sigma * noise.

    The betas are linear in their square roots, as in latent diffusion (arXiv 2112.10752).
    """

    beta_start: float = 0.00085
    beta_end: float = 0.012

    @property
    def sigmas(self) -> Tensor:
        return self._sigmas

    @cached_property
    def _sigmas(self) -> Tensor:
        betas = torch.linspace(self.beta_start**0.5, self.beta_end**0.5, 1000, dtype=torch.float64) ** 2
        kept = torch.cumprod(1 - betas, 0)
        return ((1 - kept) / kept).sqrt()

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def alpha(self, sigma: float) -> float:
        return 1.0

    def sigma(self, t: Tensor) -> Tensor:
        """Between two entries of the table, the logarithm of sigma is linear in `t`."""
        t = t.to(torch.float64).clamp(0, len(self.sigmas) - 1)
        low, high = t.floor().long(), t.ceil().long()
        return torch.lerp(self.sigmas.log()[low], self.sigmas.log()[high], t - low).exp()

    def timestep(self, sigma: float) -> float:
        """The index of the nearest entry of the table, in log sigma."""
        return float((self.sigmas.log() - math.log(sigma)).abs().argmin())

    def scale_input(self, x: Tensor, sigma: float) -> Tensor:
        return x / math.sqrt(sigma**2 + 1)

    def denoised(self, x: Tensor, output: Tensor, sigma: float) -> Tensor:
        return x - sigma * output

    def noised(self, latent: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """At the highest level the noise gets the variance the network saw there, latent included."""
        is_highest = sigma >= self.sigma_max * (1 - 1e-5)
        return latent + noise * (math.sqrt(1 + sigma**2) if is_highest else sigma)

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        return x


@dataclass(frozen=True)
class Flow:
    """The network predicts noise - x0 on the straight path x = (1 - sigma) * x0 + sigma * noise (arXiv 2209.03003).

    `shift` moves the schedule towards noise for larger pictures (SD3, arXiv 2403.03206, section 5.3.2).
    """

    shift: float = 3.0

    @property
    def sigmas(self) -> Tensor:
        return self._sigmas

    @cached_property
    def _sigmas(self) -> Tensor:
        return self.sigma(torch.arange(1, 1001, dtype=torch.float64))

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return 1.0

    def alpha(self, sigma: float) -> float:
        return 1 - sigma

    def sigma(self, t: Tensor) -> Tensor:
        t = t.to(torch.float64) / 1000
        return self.shift * t / (1 + (self.shift - 1) * t)

    def timestep(self, sigma: float) -> float:
        return 1000 * sigma

    def scale_input(self, x: Tensor, sigma: float) -> Tensor:
        return x

    def denoised(self, x: Tensor, output: Tensor, sigma: float) -> Tensor:
        return x - sigma * output

    def noised(self, latent: Tensor, noise: Tensor, sigma: float) -> Tensor:
        return (1 - sigma) * latent + sigma * noise

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        return x / (1 - sigma)
