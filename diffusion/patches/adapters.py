"""The kinds of adapters: each a small set of tensors that stands for a change of one weight.

Weights W have shape out x in or, for convolutions, out x in x k x k. `delta` gives W' - W for the strength 1; a
strength s adds s times that, whatever the kind. All is computed in the precision of the weight that is handed in. The
formulas are those of the papers and of LyCORIS (Yeh et al. 2023, arXiv:2309.14859), whose files these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Protocol

import torch
from torch import Tensor


class Adapter(Protocol):
    def delta(self, weight: Tensor) -> Tensor:
        """W' - W, shaped as W. ValueError or RuntimeError if the adapter was made for a weight of another shape."""
        ...


@dataclass(frozen=True, eq=False)
class LoRA:
    """Two matrices of a low rank r, alpha/r U D (Hu et al. 2021, arXiv:2106.09685); without alpha the factor is 1.

    For convolutions (LoCon) D is r x in x k x k; with `mid`, r x r x k x k, it is a Tucker decomposition.
    """

    up: Tensor
    down: Tensor
    mid: Tensor | None = None
    alpha: float | None = None

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def scale(self) -> float:
        return 1.0 if self.alpha is None else self.alpha / self.rank

    def delta(self, weight: Tensor) -> Tensor:
        return self.scale * _fitted(_product(self.up, self.down, self.mid, weight), weight)


@dataclass(frozen=True, eq=False)
class LoHa:
    """The elementwise product of two low-rank products (Hyeon-Woo et al. 2021, arXiv:2108.06098)."""

    w1_a: Tensor
    w1_b: Tensor
    w2_a: Tensor
    w2_b: Tensor
    t1: Tensor | None = None
    t2: Tensor | None = None
    alpha: float | None = None

    def delta(self, weight: Tensor) -> Tensor:
        w1 = _factors(self.w1_a, self.w1_b, self.t1, weight)
        w2 = _factors(self.w2_a, self.w2_b, self.t2, weight)
        scale = 1.0 if self.alpha is None else self.alpha / self.w1_b.shape[0]
        return scale * _fitted(w1 * w2, weight)


@dataclass(frozen=True, eq=False)
class LoKr:
    """A Kronecker product, each factor whole or a low-rank product; two whole factors know no alpha."""

    w1: Tensor | tuple[Tensor, Tensor]
    w2: Tensor | tuple[Tensor, Tensor]
    t2: Tensor | None = None
    alpha: float | None = None

    @property
    def scale(self) -> float:
        pair = next((factor for factor in (self.w1, self.w2) if isinstance(factor, tuple)), None)
        return 1.0 if self.alpha is None or pair is None else self.alpha / pair[1].shape[0]

    def delta(self, weight: Tensor) -> Tensor:
        w1 = _factors(*self.w1, None, weight) if isinstance(self.w1, tuple) else self.w1.to(weight)
        w2 = _factors(*self.w2, self.t2, weight) if isinstance(self.w2, tuple) else self.w2.to(weight)
        w1 = w1.reshape(*w1.shape, *[1] * (w2.ndim - w1.ndim))
        return self.scale * _fitted(torch.kron(w1, w2.contiguous()), weight)


@dataclass(frozen=True, eq=False)
class Difference:
    """The whole difference, of a weight, a bias or a norm."""

    difference: Tensor

    def delta(self, weight: Tensor) -> Tensor:
        return _fitted(self.difference.to(weight), weight)


@dataclass(frozen=True, eq=False)
class Replacement:
    """Another weight in place of this one."""

    value: Tensor

    def delta(self, weight: Tensor) -> Tensor:
        return _fitted(self.value.to(weight), weight) - weight


@dataclass(frozen=True, eq=False)
class GLoRA:
    """A low-rank change that also looks at the weight, W A1 A2 + B1 B2 (Chavan et al. 2023, arXiv:2306.07967).

    Files of early trainers have the two factors of each product the other way round, which their shapes tell.
    """

    a1: Tensor
    a2: Tensor
    b1: Tensor
    b2: Tensor
    alpha: float | None = None

    def delta(self, weight: Tensor) -> Tensor:
        early = self.a1.shape[0] < self.a1.shape[1]
        a1, a2, b1, b2 = (self.a2, self.a1, self.b2, self.b1) if early else (self.a1, self.a2, self.b1, self.b2)
        inner = _product(a1, a2, None, weight)
        seen = torch.einsum("oi...,ij->oj...", weight, inner.flatten(1))
        scale = 1.0 if self.alpha is None else self.alpha / a2.shape[0]
        return scale * (seen + _fitted(_product(b1, b2, None, weight), weight))


@dataclass(frozen=True, eq=False)
class IA3:
    """A gain for each output or each input of a layer (Liu et al. 2022, arXiv:2205.05638); `gain` is what is added
    to 1."""

    gain: Tensor
    on_input: bool

    def delta(self, weight: Tensor) -> Tensor:
        gain = self.gain.to(weight).flatten()
        return weight * _along(gain, int(self.on_input), weight)


@dataclass(frozen=True, eq=False)
class OFT:
    """A rotation of the outputs, in blocks: R = (I + Q)(I - Q)^-1 with Q = B - B^T (Qiu et al. 2023, arXiv:2306.07280).

    `blocks` is n x b x b. `constraint` times the number of outputs is the largest norm Q may have, 0 for none.
    `rescale` is a gain for each output.
    """

    blocks: Tensor
    rescale: Tensor | None = None
    constraint: float = 0.0

    def delta(self, weight: Tensor) -> Tensor:
        count, size, _ = self.blocks.shape
        if count * size != weight.shape[0]:
            raise ValueError(f"expected {count} blocks of {size} outputs, got {weight.shape[0]}")
        turn = _turn(self.blocks.to(weight), self.constraint * weight.shape[0])
        turned = torch.einsum("knm,kn...->km...", turn, weight.unflatten(0, (count, size))).flatten(0, 1)
        return _rescaled(turned, self.rescale, weight)


@dataclass(frozen=True, eq=False)
class BOFT:
    """Several rotations, one after the other, each mixing outputs twice as far apart as the one before
    (Liu et al. 2023, arXiv:2311.06243). `blocks` is stages x n x b x b; the rest is as in OFT."""

    blocks: Tensor
    rescale: Tensor | None = None
    constraint: float = 0.0

    def delta(self, weight: Tensor) -> Tensor:
        stages, count, size, _ = self.blocks.shape
        if count * size != weight.shape[0]:
            raise ValueError(f"expected {count} blocks of {size} outputs, got {weight.shape[0]}")
        turns = _turn(self.blocks.to(weight), self.constraint * weight.shape[0])
        rows = weight
        for stage in range(stages):
            order = _butterfly(weight.shape[0], 2**stage * size // 2, weight.device)
            turned = torch.einsum("kij,kj...->ki...", turns[stage], rows[order].unflatten(0, (count, size)))
            rows = rows.index_add(0, order, turned.flatten(0, 1))
        return _rescaled(rows - weight, self.rescale, weight)


@dataclass(frozen=True, eq=False)
class DoRA:
    """A change of direction, another adapter's, apart from one of length: W' = m V / |V|, V = W + delta W
    (Liu et al. 2024, arXiv:2402.09353). `axis` is the one that m runs along: 0 for outputs, 1 for inputs."""

    direction: Adapter
    magnitude: Tensor
    axis: int

    def delta(self, weight: Tensor) -> Tensor:
        v = weight + self.direction.delta(weight)
        others = [n for n in range(v.ndim) if n != self.axis]
        length = torch.linalg.vector_norm(v, dim=others, keepdim=True)
        gain = _along(self.magnitude.to(weight).flatten(), self.axis, weight)
        # A V of length 0 has no direction and stays 0.
        return gain * v / length.clamp_min(torch.finfo(v.dtype).tiny) - weight


def _product(up: Tensor, down: Tensor, mid: Tensor | None, like: Tensor) -> Tensor:
    """U D, out x r times r x ..., or U M D with the core of a Tucker decomposition between them."""
    up, down = up.to(like).flatten(1), down.to(like)
    if mid is None:
        return (up @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])
    return torch.einsum("ab...,oa,bi->oi...", mid.to(like), up, down.flatten(1))


def _factors(a: Tensor, b: Tensor, core: Tensor | None, like: Tensor) -> Tensor:
    """A product as LoHa and LoKr store it: beside a core, the first factor is transposed."""
    return _product(a if core is None else a.T, b, core, like)


def _fitted(delta: Tensor, weight: Tensor) -> Tensor:
    """Shaped as the weight; 1x1 convolutions and linear layers stand for each other."""
    if delta.numel() != weight.numel() or delta.shape[0] != weight.shape[0]:
        raise ValueError(f"expected a change of a weight {list(weight.shape)}, this is of {list(delta.shape)}")
    return delta.reshape(weight.shape)


def _along(values: Tensor, axis: int, weight: Tensor) -> Tensor:
    """A vector laid along one axis of the weight, ready to multiply it."""
    if len(values) != weight.shape[axis]:
        raise ValueError(f"expected {weight.shape[axis]} values for a weight {list(weight.shape)}, got {len(values)}")
    return values.reshape([-1 if n == axis else 1 for n in range(weight.ndim)])


def _turn(blocks: Tensor, limit: float) -> Tensor:
    """R - I of Cayley's rotation, 2 Q (I - Q)^-1: free of the cancellation of R - I itself."""
    q = blocks - blocks.mT
    if limit > 0:
        q = q * (limit / torch.linalg.vector_norm(q).clamp_min(limit))
    identity = torch.eye(q.shape[-1], dtype=q.dtype, device=q.device)
    return torch.linalg.solve(identity - q, 2 * q)


def _butterfly(outputs: int, distance: int, device: torch.device) -> Tensor:
    """The outputs in the order in which blocks of neighbours hold those that lie `distance` apart."""
    if prod((distance, outputs)) < 1 or outputs % (2 * distance):
        raise ValueError(f"expected outputs that can be paired {distance} apart, got {outputs}")
    return torch.arange(outputs, device=device).reshape(-1, 2, distance).transpose(1, 2).flatten()


def _rescaled(delta: Tensor, rescale: Tensor | None, weight: Tensor) -> Tensor:
    if rescale is None:
        return delta
    gain = _along(rescale.to(weight).flatten(), 0, weight)
    return gain * delta + (gain - 1) * weight
