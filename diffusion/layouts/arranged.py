"""Tensors of a file under a network's own names, made of those in the file only when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from diffusion.networks.shapes import Shapes
from diffusion.weights import Weights


@dataclass(frozen=True)
class Made:
    """A tensor of the rows of others, one after the other.

    `swapped`: the two halves of its rows change places (scale and shift). `as_conv`: a matrix becomes the weight of a
    1 x 1 convolution.
    """

    names: tuple[str, ...]
    swapped: bool = False
    as_conv: bool = False

    def shape(self, shapes: Shapes) -> tuple[int, ...]:
        """ValueError if they do not go together."""
        first, *others = (shapes[name] for name in self.names)
        if any(not shape or shape[1:] != first[1:] for shape in (first, *others)) and (others or self.swapped):
            raise ValueError(f"tensors {', '.join(self.names)}: their shapes do not go together")
        joined = (first[0] + sum(shape[0] for shape in others), *first[1:]) if others else first
        return (*joined, 1, 1) if self.as_conv and len(joined) == 2 else joined

    def tensor(self, tensors: Weights) -> Tensor:
        found = [tensors[name] for name in self.names]
        joined = torch.cat(found) if len(found) > 1 else found[0]
        if self.swapped:
            joined = torch.cat(joined.chunk(2)[::-1])
        return joined[:, :, None, None] if self.as_conv and joined.ndim == 2 else joined


class Arranged(Mapping[str, Tensor]):
    """What `recipes` make of a file's tensors. ValueError if some do not go together."""

    def __init__(self, tensors: Weights, recipes: Mapping[str, Made]) -> None:
        self._tensors, self._recipes = tensors, recipes
        self.shapes: Shapes = {name: made.shape(tensors.shapes) for name, made in recipes.items()}

    @cached_property
    def dtypes(self) -> frozenset[torch.dtype]:
        """The dtypes the file stores these tensors in."""
        return self._tensors.dtypes

    def __getitem__(self, name: str) -> Tensor:
        return self._recipes[name].tensor(self._tensors)

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)


Tensors = Weights | Arranged


def renamed(name: str, pairs: tuple[tuple[str, str], ...], where: str = "") -> str:
    """A layer's name with its beginning (`where` before it) put into the words of the network."""
    for theirs, ours in pairs:
        for end in (".", ""):
            if name.startswith(where + theirs + end) and (end or name == where + theirs):
                return where + ours + name[len(where + theirs) :]
    return name
