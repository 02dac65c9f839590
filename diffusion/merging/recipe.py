"""What a merge is made by, and one tensor made by it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import torch
from torch import Tensor

from diffusion.blocks import CURVES, Ratios, parse_rules
from diffusion.merging.formulas import FORMULAS, Formula, Terms, weighted_sum
from diffusion.networks.shapes import Shapes

FIRST_LAYER = "input_blocks.0.0.weight"
TRIMMED = 0.01
"""Share of the values at either end of a survey that does not count."""
_LISTED = 5


@dataclass(frozen=True)
class Recipe:
    """A formula by name, its ratios (alpha) and its other numbers; see `formulas`."""

    ratios: Ratios
    formula: str = "weighted_sum"
    beta: float = 0.0
    gamma: float = 1.0
    seed: int = 0

    @staticmethod
    def parsed(
        formula: str,
        alpha: float,
        curve: str = "flat",
        blocks: str = "",
        beta: float = 0,
        gamma: float = 1,
        seed: int = 0,
    ) -> Recipe:
        """With ratios of blocks as people write them, see `parse_rules`. ValueError for what is no recipe."""
        if curve not in CURVES:
            raise ValueError(f"merge: expected a curve of {', '.join(CURVES)}, got {curve!r}")
        return Recipe(Ratios(alpha, curve, parse_rules(blocks)), formula, beta, gamma, seed)

    def __post_init__(self) -> None:
        numbers = (self.ratios.ratio, self.beta, self.gamma)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"merge: expected finite ratios, got {', '.join(map(str, numbers))}")
        if self.formula not in FORMULAS:
            raise ValueError(f"merge: expected a formula of {', '.join(FORMULAS)}, got {self.formula!r}")

    @property
    def text(self) -> str:
        return f"{self.formula} {self.ratios.recipe} {float(self.beta).hex()} {float(self.gamma).hex()} {self.seed}"

    def formula_of(self, models: int) -> Formula:
        """The formula for so many models. ValueError for one that takes fewer or more."""
        formula = FORMULAS[self.formula]
        if formula.needs_c and models < 3:
            raise ValueError(f"merge: {self.formula} needs a third model, C")
        if not 2 <= models <= formula.most:
            raise ValueError(f"merge: {self.formula} takes 2 to {formula.most:.0f} models, got {models}")
        return formula


Bounds = tuple[float, float]


def mix(
    tensors: Sequence[Tensor], name: str, ratio: float, recipe: Recipe, dtype: torch.dtype, bounds: Bounds
) -> Tensor:
    """One tensor of all models, A's first, computed in float32 and rounded once to `dtype`."""
    a, *others = tensors
    if name == FIRST_LAYER and (channels := min(t.shape[1] for t in tensors)) < a.shape[1]:
        own = [a[:, :channels], *(t[:, :channels] for t in others)]
        return torch.cat((mix(own, "", ratio, recipe, dtype, bounds), a[:, channels:].to(dtype)), dim=1)
    others = [other.to(a.device) for other in others]
    if FORMULAS[recipe.formula].compute is weighted_sum and a.dtype == others[0].dtype == dtype:
        return torch.lerp(a, others[0], ratio)  # works in float32 inside and rounds once, without copies
    result = FORMULAS[recipe.formula].compute(terms([a, *others], name, ratio, recipe, bounds))
    return result.reshape(a.shape).to(dtype)


def bounds_of(recipe: Recipe, names: Iterable[str], models: Callable[[str], Sequence[Tensor]]) -> Bounds:
    """Least and most of what the formula's survey finds in the tensors of those names, without what lies far out.

    (0, 1) for formulas that need no survey.
    """
    survey = FORMULAS[recipe.formula].survey
    if survey is None:
        return 0.0, 1.0
    found = [survey(terms(models(name), name, 0.0, recipe, (0.0, 1.0))).flatten().cpu() for name in names]
    values = torch.cat(found).sort().values
    return float(values[int(len(values) * TRIMMED)]), float(values[int((len(values) - 1) * (1 - TRIMMED))])


def terms(tensors: Sequence[Tensor], name: str, ratio: float, recipe: Recipe, bounds: Bounds) -> Terms:
    """What the formula works on, for one tensor of all models; single numbers as rows of one."""
    a, b, *more = (tensor.float() if tensor.ndim else tensor.float()[None] for tensor in tensors)
    generator = torch.Generator().manual_seed(_seed(recipe.seed, name))
    third = more[0] if more else a
    return Terms(a, b, third, ratio, recipe.beta, recipe.gamma, generator, (a, b, *more), bounds)


def check_alike(titles: Sequence[str], shapes: Sequence[Shapes]) -> None:
    """ValueError, naming the tensors, for networks that are not built alike; the first layer of A may take more."""
    left = shapes[0]
    for letter, title, right in zip(ascii_uppercase[1:], titles[1:], shapes[1:], strict=False):
        differing = [f"{name} only in A" for name in left.keys() - right.keys()]
        differing += [f"{name} only in {letter}" for name in right.keys() - left.keys()]
        differing += [
            f"{name} {list(shape)} in A, {list(right[name])} in {letter}"
            for name, shape in left.items()
            if name in right and not _fit(name, shape, right[name])
        ]
        if differing:
            listed = "; ".join(sorted(differing)[:_LISTED]) + ("; ..." if len(differing) > _LISTED else "")
            raise ValueError(
                f"merge: A ({titles[0]}) and {letter} ({title}) are not built alike, "
                f"{len(differing)} tensors differ: {listed}"
            )


def _fit(name: str, a: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Of one shape, or a first layer of A's that takes more channels."""
    more = name == FIRST_LAYER and len(a) == len(other) == 4 and a[1] > other[1]
    return a == other or (more and a[::2] == other[::2] and a[3] == other[3])


def _seed(seed: int, name: str) -> int:
    digest = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def described(recipe: Recipe) -> Mapping[str, object]:
    """The recipe as plain data."""
    rules = [f"{rule.blocks}:{rule.part}:{rule.ratio:g}".replace("::", ":") for rule in recipe.ratios.rules]
    return {
        "formula": recipe.formula,
        "alpha": recipe.ratios.ratio,
        "curve": recipe.ratios.curve,
        "blocks": ", ".join(rules),
        "beta": recipe.beta,
        "gamma": recipe.gamma,
        "seed": recipe.seed,
    }
