"""Formulas of merging: one tensor out of the same tensor of two or more models, in float32.

A, B and C are the three; alpha, the ratio, is the share of B: 0 leaves A as it is unless said otherwise. Formulas that
draw at random take a generator of their own for every tensor, so what they draw depends on nothing but seed and name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion.patches.combine import extracted

_STEPS = 100
_CLOSEST = 1e-24


class Terms(NamedTuple):
    """What a formula works on; `c` is A where a formula that can do without is given no third model.

    `every`: the tensors of all models, of which there may be more than three. `bounds`: the least and the most of what
    the formula's survey found in all tensors.
    """

    a: Tensor
    b: Tensor
    c: Tensor
    alpha: float
    beta: float
    gamma: float
    generator: torch.Generator
    every: tuple[Tensor, ...] = ()
    bounds: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Formula:
    """`needs_c`: the third model may not be left out. `keeps_a`: alpha 0 gives A itself. `each_alone`: a value of the
    result depends on that one value of every model. `most`: how many models it can take. `survey`: what is gathered
    from all tensors first."""

    compute: Callable[[Terms], Tensor]
    needs_c: bool = False
    keeps_a: bool = True
    each_alone: bool = False
    most: float = 3
    survey: Callable[[Terms], Tensor] | None = None


def weighted_sum(t: Terms) -> Tensor:
    """A + alpha (B - A)."""
    return torch.lerp(t.a, t.b, t.alpha)


def slerp(t: Terms) -> Tensor:
    """Along the arc between the two directions (Shoemake 1985); the lengths are mixed as numbers are."""
    lengths = torch.linalg.vector_norm(t.a), torch.linalg.vector_norm(t.b)
    a, b = t.a / lengths[0], t.b / lengths[1]
    angle = (a * b).sum().clamp(-1, 1).arccos()
    mixed = (a * ((1 - t.alpha) * angle).sin() + b * (t.alpha * angle).sin()) / angle.sin()
    result = mixed * torch.lerp(*lengths, t.alpha)
    return result if result.isfinite().all() else weighted_sum(t)


def geometric(t: Terms) -> Tensor:
    """The real part of A^(1 - alpha) B^alpha."""
    phase = torch.pi * ((1 - t.alpha) * (t.a < 0) + t.alpha * (t.b < 0))
    return t.a.abs() ** (1 - t.alpha) * t.b.abs() ** t.alpha * phase.cos()


def cosine(t: Terms) -> Tensor:
    """Less of B the more alike the columns of A and B are: lerp(A, B, 1 - clamp(similarity - alpha, 0, 1))."""
    alike = F.cosine_similarity(t.a, t.b, dim=0)
    return torch.lerp(t.a, t.b, 1 - (alike - t.alpha).clamp(0, 1))


def similar_columns(t: Terms) -> Tensor:
    """How alike the columns of A and B are, and all of them together."""
    alike = F.cosine_similarity(t.a, t.b, dim=0)
    return (alike + alike.mean()) / 2


def similar_values(t: Terms) -> Tensor:
    """How alike the columns of A and B are, and the two as a whole."""
    whole = F.cosine_similarity(t.a.flatten(), t.b.flatten(), dim=0)
    return (F.cosine_similarity(t.a, t.b, dim=0) + whole) / 2


def cosine_a(t: Terms) -> Tensor:
    """Less of B the more alike A and B are, with columns brought to one length, within what there is in the model."""
    return _alike(t, similar_columns(t))


def cosine_b(t: Terms) -> Tensor:
    """As `cosine_a`, of the columns as they are."""
    return _alike(t, similar_values(t))


def _alike(t: Terms, similarity: Tensor) -> Tensor:
    low, high = t.bounds
    share = (similarity - low) / (high - low) if high > low else torch.ones_like(similarity)
    return torch.lerp(t.b, t.a, (share - t.alpha).clamp(0, 1))


def average(t: Terms) -> Tensor:
    """From A by alpha to the mean of all models."""
    return torch.lerp(t.a, torch.stack(t.every).mean(0), t.alpha)


def columns(t: Terms) -> Tensor:
    """As `rows`, along the second dimension; tensors with one dimension stay A's."""
    if t.a.ndim < 2:
        return t.a
    turned = t._replace(a=t.a.transpose(0, 1), b=t.b.transpose(0, 1))
    return rows(turned).transpose(0, 1)


def crossover(t: Terms) -> Tensor:
    """The frequencies below alpha, a fraction of the highest there is, of B, the others of A."""
    if not t.a.ndim:
        return weighted_sum(t)
    sides = [torch.fft.fftfreq(n) for n in t.a.shape[:-1]] + [torch.fft.rfftfreq(t.a.shape[-1])]
    square = sum(f.square().view([-1 if d == dim else 1 for d in range(t.a.ndim)]) for dim, f in enumerate(sides))
    assert isinstance(square, Tensor)
    low = square.sqrt() < t.alpha * square.max().sqrt()
    mixed = torch.where(low.to(t.a.device), torch.fft.rfftn(t.b), torch.fft.rfftn(t.a))
    return torch.fft.irfftn(mixed, s=t.a.shape)


def rotate(t: Terms) -> Tensor:
    """A turned towards B: by the alpha-th power of the rotation that brings A closest to it (orthogonal Procrustes,
    Schoenemann 1966), on the shorter side of the matrix; tensors with one dimension stay A's."""
    if t.a.ndim < 2:
        return t.a
    a, b = t.a.flatten(1), t.b.flatten(1)
    if len(a) > a.shape[1]:
        return _turned(a.T, b.T, t.alpha).T.reshape(t.a.shape)
    return _turned(a, b, t.alpha).reshape(t.a.shape)


def _turned(a: Tensor, b: Tensor, power: float) -> Tensor:
    u, _, vh = torch.linalg.svd(b.double() @ a.double().T)
    values, vectors = torch.linalg.eig(u @ vh)
    rotation = (vectors * values**power) @ torch.linalg.inv(vectors)
    return (rotation.real @ a.double()).float()


def rows(t: Terms) -> Tensor:
    """A, with the rows from beta to alpha + beta, fractions of all, those of B."""
    count = len(t.a) if t.a.ndim else 0
    begin, end = (min(round(count * share), count) for share in (t.beta, t.beta + t.alpha))
    result = t.a.clone()
    result[begin:end] = t.b[begin:end]
    return result


def triple_sum(t: Terms) -> Tensor:
    """(1 - alpha - beta) A + alpha B + beta C."""
    return t.a + t.alpha * (t.b - t.a) + t.beta * (t.c - t.a)


def sum_twice(t: Terms) -> Tensor:
    """A and B mixed by alpha, then C into it by beta."""
    return torch.lerp(weighted_sum(t), t.c, t.beta)


def add_difference(t: Terms) -> Tensor:
    """A + alpha (B - C): what B learned since C."""
    return t.a + t.alpha * (t.b - t.c)


def multiply_quotient(t: Terms) -> Tensor:
    """The real part of A (B / C)^alpha; A where B or C is 0."""
    quotient = t.b / t.c
    turn = (torch.pi * t.alpha * (quotient < 0)).cos()
    return torch.where((t.b == 0) | (t.c == 0), t.a, t.a * quotient.abs() ** t.alpha * turn)


def within(t: Terms) -> Tensor:
    """From A by alpha to A kept between B and C, value by value."""
    return torch.lerp(t.a, t.a.clamp(torch.minimum(t.b, t.c), torch.maximum(t.b, t.c)), t.alpha)


def low_rank(t: Terms) -> Tensor:
    """A + alpha times what of B - C a matrix of the rank beta, a fraction of the whole, can hold."""
    learned = t.b - t.c
    if learned.ndim < 2 or t.beta >= 1:
        return t.a + t.alpha * learned
    lora = extracted(learned, max(1, round(t.beta * min(learned.flatten(1).shape)))).lora
    return t.a + t.alpha * (lora.up.flatten(1) @ lora.down.flatten(1)).reshape(learned.shape)


def train_difference(t: Terms) -> Tensor:
    """A + 1.8 alpha (B - C) |B - A| / (|B - A| + |B - C|): less where A has learned the same already."""
    learned, missing = t.b - t.c, (t.b - t.a).abs()
    return t.a + 1.8 * t.alpha * learned * (missing / (missing + learned.abs())).nan_to_num()


def perpendicular(t: Terms) -> Tensor:
    """A + alpha times what of B - C does not point the way of A - C."""
    a, b = t.a - t.c, t.b - t.c
    along = ((a * b).sum() / (a * a).sum()).nan_to_num(posinf=0, neginf=0)
    return t.a + t.alpha * (b - along * a)


def extract(t: Terms) -> Tensor:
    """A + what B and C have learned alike (beta 0) or each by itself (beta 1), mixed by alpha; gamma sharpens."""
    b, c = t.b - t.a, t.c - t.a
    alike = ((F.cosine_similarity(b, c, dim=-1).unsqueeze(-1) + 1) / 2) ** t.gamma
    return t.a + torch.lerp(b, c, t.alpha) * torch.lerp(alike, 1 - alike, t.beta)


def ties(t: Terms) -> Tensor:
    """C + alpha times the mean of those of A - C and B - C that agree on the sign, the beta largest of each
    (Yadav et al. 2023, arXiv:2306.01708)."""
    trimmed = torch.stack([_largest(x - t.c, t.beta) for x in (t.a, t.b)])
    agreeing = trimmed * (trimmed.sign() == trimmed.sum(0).sign())
    return t.c + t.alpha * agreeing.sum(0) / (agreeing != 0).sum(0).clamp_min(1)


def dare(t: Terms) -> Tensor:
    """A + alpha (B - C), a share beta of it dropped at random and the rest made larger to make up for it
    (Yu et al. 2023, arXiv:2311.03099)."""
    return t.a + t.alpha * _thinned(t.b - t.c, torch.full_like(t.a, 1 - t.beta), t.generator)


def della(t: Terms) -> Tensor:
    """As `dare`, what is small dropped more often: by gamma over the ranks (Deep et al. 2024, arXiv:2406.11617)."""
    learned = t.b - t.c
    ranks = torch.empty_like(learned).flatten()
    ranks[learned.abs().flatten().argsort(stable=True)] = torch.arange(len(ranks), device=ranks.device).to(ranks)
    keep = (1 - t.beta) + t.gamma * ((ranks + 0.5) / len(ranks) - 0.5)
    return t.a + t.alpha * _thinned(learned, keep.clamp(0, 1).view_as(learned), t.generator)


def model_stock(t: Terms) -> Tensor:
    """From A by alpha to C + the mean of A - C and B - C, shortened by the angle between them
    (Jang et al. 2024, arXiv:2403.19522); a wider angle than a right one counts as that."""
    a, b = t.a - t.c, t.b - t.c
    alike = F.cosine_similarity(a.flatten(), b.flatten(), dim=0).clamp(0, 1)
    share = 2 * alike / (1 + alike)
    return torch.lerp(t.a, t.c + share * (a + b) / 2, t.alpha)


def geometric_median(t: Terms) -> Tensor:
    """From A by alpha to the tensor with the least sum of distances to A, B and C (Weiszfeld 1937).

    It is a weighted mean of the three, so the products of their differences are all that is looked at in every step.
    """
    b, c = (t.b - t.a).flatten().double(), (t.c - t.a).flatten().double()
    zero = torch.zeros_like(b)
    points = torch.stack([zero, b, c])
    products = points @ points.T
    shares = torch.full((3,), 1 / 3, dtype=torch.float64, device=b.device)
    for _ in range(_STEPS):
        squares = products.diagonal() - 2 * products @ shares + shares @ products @ shares
        weights = 1 / squares.clamp_min(_CLOSEST).sqrt()
        shares = weights / weights.sum()
    median = t.a + (shares[1] * b + shares[2] * c).view_as(t.a).float()
    return torch.lerp(t.a, median, t.alpha)


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "weighted_sum": Formula(weighted_sum, each_alone=True),
        "slerp": Formula(slerp),
        "geometric": Formula(geometric, each_alone=True),
        "cosine": Formula(cosine, keeps_a=False),
        "cosine_a": Formula(cosine_a, keeps_a=False, survey=lambda t: F.cosine_similarity(t.a, t.b, dim=0)),
        "cosine_b": Formula(cosine_b, keeps_a=False, survey=similar_values),
        "average": Formula(average, each_alone=True, most=math.inf),
        "rows": Formula(rows),
        "columns": Formula(columns),
        "crossover": Formula(crossover),
        "rotate": Formula(rotate),
        "triple_sum": Formula(triple_sum, needs_c=True, keeps_a=False, each_alone=True),
        "sum_twice": Formula(sum_twice, needs_c=True, keeps_a=False, each_alone=True),
        "add_difference": Formula(add_difference, needs_c=True, each_alone=True),
        "multiply_quotient": Formula(multiply_quotient, needs_c=True, each_alone=True),
        "within": Formula(within, needs_c=True, each_alone=True),
        "low_rank": Formula(low_rank, needs_c=True),
        "train_difference": Formula(train_difference, needs_c=True, each_alone=True),
        "perpendicular": Formula(perpendicular, needs_c=True),
        "extract": Formula(extract, needs_c=True, keeps_a=False),
        "ties": Formula(ties, needs_c=True, keeps_a=False),
        "dare": Formula(dare),
        "della": Formula(della),
        "model_stock": Formula(model_stock, needs_c=True),
        "geometric_median": Formula(geometric_median, needs_c=True),
    }
)


def _largest(x: Tensor, share: float) -> Tensor:
    """The share of values that are farthest from 0, zeros for the others."""
    count = round(x.numel() * share)
    if not count:
        return torch.zeros_like(x)
    sizes = x.abs().flatten()
    return x * (x.abs() >= sizes.kthvalue(len(sizes) - count + 1).values)


def _thinned(x: Tensor, keep: Tensor, generator: torch.Generator) -> Tensor:
    """Each value kept with its own chance, and divided by it."""
    kept = torch.rand(x.shape, generator=generator).to(x.device) < keep
    return torch.where(kept, x / keep, torch.zeros_like(x))
