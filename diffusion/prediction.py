"""What a network predicts, and how that becomes a clean estimate: everything that differs between eps and flow models.

A noisy latent is `x = alpha(sigma) * x0 + sigma * noise`. Samplers and schedules know nothing else of a model.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
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
        """The level at time `t` of the training schedule, in the unit of `timestep`."""
        ...

    def level(self, progress: float) -> float:
        """The level when that fraction of the schedule is past, even in its time: endless at 0, none at 1."""
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

    def spread(self, output: Tensor) -> Tensor | None:
        """Where between its two bounds the variance of a step of DDPM lies, 0..1, as the network's output says; None
        for a network that was not taught to say it."""
        ...

    def noised(self, latent: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """The point where sampling starts: a clean latent brought to level `sigma` with unit noise."""
        ...

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        """The clean latent's scale, when sampling stopped at a level that may not be 0."""
        ...

    def resumed(self, latent: Tensor, sigma: float) -> Tensor:
        """The point where sampling goes on, of a latent that `finish` made at that level."""
        ...


@dataclass(frozen=True)
class Betas:
    """How much noise each of 1000 steps of training added.

    `exponent` is the power of which the betas are evenly spaced: 1/2 for latent diffusion (arXiv 2112.10752), 1 for
    DDPM and DiT. With `ends_in_noise` the last level is all noise, or as good as (arXiv 2305.08891, algorithm 1).
    """

    start: float = 0.00085
    end: float = 0.012
    exponent: float = 0.5
    ends_in_noise: bool = False

    def sigmas(self) -> Tensor:
        """The levels, ascending, float64."""
        kept = torch.cumprod(1 - self._betas(), 0)
        if self.ends_in_noise:
            root = kept.sqrt()
            kept = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
            kept[-1] = 4.8973451890853435e-08
        return ((1 - kept) / kept).sqrt()

    def _betas(self) -> Tensor:
        ends = self.start**self.exponent, self.end**self.exponent
        return torch.linspace(*ends, 1000, dtype=torch.float64) ** (1 / self.exponent)


@dataclass(frozen=True)
class CosineBetas(Betas):
    """Betas after which a cosine of the time is left of the latent (arXiv 2102.09672, equation 17), at most `end`."""

    end: float = 0.999

    def _betas(self) -> Tensor:
        share = torch.linspace(0, 1, 1001, dtype=torch.float64)
        kept = torch.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2
        return (1 - kept[1:] / kept[:-1]).clamp_max(self.end)


SCALED_LINEAR = Betas()
LINEAR = Betas(0.0001, 0.02, exponent=1.0)
COSINE = CosineBetas()


class _Exploding(ABC):
    """x = x0 + sigma * noise, given to the network at variance 1."""

    @property
    @abstractmethod
    def sigmas(self) -> Tensor: ...

    @property
    def sigma_min(self) -> float:
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        return float(self.sigmas[-1])

    def alpha(self, sigma: float) -> float:
        return 1.0

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor: ...

    @abstractmethod
    def timestep(self, sigma: float) -> float: ...

    def level(self, progress: float) -> float:
        return _level(self.sigma, self.timestep(self.sigma_max), self.timestep(self.sigma_min), progress)

    def scale_input(self, x: Tensor, sigma: float) -> Tensor:
        return x / math.sqrt(sigma**2 + 1)

    def spread(self, output: Tensor) -> Tensor | None:
        return None

    def noised(self, latent: Tensor, noise: Tensor, sigma: float) -> Tensor:
        """At the highest level the noise gets the variance the network saw there, latent included."""
        is_highest = sigma >= self.sigma_max * (1 - 1e-5)
        return latent + noise * (math.sqrt(1 + sigma**2) if is_highest else sigma)

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        return x

    def resumed(self, latent: Tensor, sigma: float) -> Tensor:
        return latent


@dataclass(frozen=True)
class _Table(_Exploding):
    """A network that was trained on a table of 1000 levels and is told their index."""

    betas: Betas = SCALED_LINEAR

    @property
    def sigmas(self) -> Tensor:
        return self._sigmas

    @cached_property
    def _sigmas(self) -> Tensor:
        return self.betas.sigmas()

    def sigma(self, t: Tensor) -> Tensor:
        """Between two entries of the table, the logarithm of sigma is linear in `t`."""
        t = t.to(torch.float64).clamp(0, len(self.sigmas) - 1)
        low, high = t.floor().long(), t.ceil().long()
        return torch.lerp(self.sigmas.log()[low], self.sigmas.log()[high], t - low).exp()

    def timestep(self, sigma: float) -> float:
        """The index of the nearest entry of the table, in log sigma."""
        return float((self.sigmas.log() - math.log(sigma)).abs().argmin())


@dataclass(frozen=True)
class Eps(_Table):
    """The network predicts the noise (DDPM, arXiv 2006.11239)."""

    def denoised(self, x: Tensor, output: Tensor, sigma: float) -> Tensor:
        return x - sigma * output


@dataclass(frozen=True)
class LearnedEps(Eps):
    """The network predicts the noise and, in as many channels more, where between its bounds the variance of a step
    lies (arXiv 2102.09672, eq. 15). The clean estimate takes the noise alone."""

    betas: Betas = LINEAR

    def denoised(self, x: Tensor, output: Tensor, sigma: float) -> Tensor:
        return super().denoised(x, output[:, : x.shape[1]], sigma)

    def spread(self, output: Tensor) -> Tensor:
        """Of channels that say -1 for the lower bound, 1 for the upper."""
        return (output[:, output.shape[1] // 2 :] + 1) / 2


@dataclass(frozen=True)
class V(_Table):
    """The network predicts v, at variance 1 the noise less as much of the latent (arXiv 2202.00512, appendix D)."""

    def denoised(self, x: Tensor, output: Tensor, sigma: float) -> Tensor:
        return _from_v(x, output, sigma)


@dataclass(frozen=True)
class EdmV(_Exploding):
    """The network predicts v at any level and is told log(sigma) / 4 (arXiv 2206.00364, with data of variance 1)."""

    lowest: float = 0.002
    highest: float = 120.0

    @property
    def sigmas(self) -> Tensor:
        return self._sigmas

    @cached_property
    def _sigmas(self) -> Tensor:
        return torch.linspace(math.log(self.lowest), math.log(self.highest), 1000, dtype=torch.float64).exp()

    def sigma(self, t: Tensor) -> Tensor:
        return (4 * t.to(torch.float64)).exp()

    def timestep(self, sigma: float) -> float:
        return math.log(sigma) / 4

    def denoised(self, x: Tensor, output: Tensor, sigma: float) -> Tensor:
        return _from_v(x, output, sigma)


def _from_v(x: Tensor, output: Tensor, sigma: float) -> Tensor:
    return (x / math.sqrt(sigma**2 + 1) - sigma * output) / math.sqrt(sigma**2 + 1)


def _level(sigma: Callable[[Tensor], Tensor], first: float, last: float, progress: float) -> float:
    """The level at a fraction of the way from one time to another; all of it lies within 0 and 1."""
    if progress <= 0:
        return math.inf
    return 0.0 if progress >= 1 else float(sigma(torch.tensor(first + progress * (last - first), dtype=torch.float64)))


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

    def level(self, progress: float) -> float:
        return _level(self.sigma, self.timestep(1.0), 0.0, progress)

    def sigma(self, t: Tensor) -> Tensor:
        t = t.to(torch.float64) / 1000
        return self.shift * t / (1 + (self.shift - 1) * t)

    def timestep(self, sigma: float) -> float:
        return 1000 * sigma

    def scale_input(self, x: Tensor, sigma: float) -> Tensor:
        return x

    def denoised(self, x: Tensor, output: Tensor, sigma: float) -> Tensor:
        return x - sigma * output

    def spread(self, output: Tensor) -> Tensor | None:
        return None

    def noised(self, latent: Tensor, noise: Tensor, sigma: float) -> Tensor:
        return (1 - sigma) * latent + sigma * noise

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        """Pure noise, in which nothing of a latent is left, stays as it is."""
        return x / (1 - sigma or 1.0)

    def resumed(self, latent: Tensor, sigma: float) -> Tensor:
        return latent * (1 - sigma or 1.0)


@dataclass(frozen=True)
class FluxFlow(Flow):
    """A flow that is told sigma itself; `shift` is the logarithm of the odds by which levels move up (Flux)."""

    shift: float = 1.15

    @cached_property
    def _sigmas(self) -> Tensor:
        return self.sigma(torch.arange(1, 10001, dtype=torch.float64) / 10000)

    def sigma(self, t: Tensor) -> Tensor:
        t, odds = t.to(torch.float64), math.exp(self.shift)
        return odds * t / (1 + (odds - 1) * t)

    def timestep(self, sigma: float) -> float:
        return sigma


def flux_shift(tokens: int, least: float = 0.5, most: float = 1.15) -> float:
    """The shift of Flux for a picture of so many tokens (2 x 2 latents): `least` for 256, `most` for 4096, linear
    between and beyond."""
    return least + (most - least) * (tokens - 256) / (4096 - 256)
