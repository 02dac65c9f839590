"""Reading a network's configuration from the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]

MOST_BLOCKS = 1000


def shape_of(shapes: Shapes, key: str, rank: int) -> tuple[int, ...]:
    """The shape of tensor `key`, which must be there with `rank` dimensions, none of them empty."""
    if key not in shapes:
        raise ValueError(f"expected a tensor {key!r}; the checkpoint has none of that name")
    shape = shapes[key]
    if len(shape) != rank or 0 in shape:
        raise ValueError(f"tensor {key!r}: expected {rank} non-empty dimensions, got shape {list(shape)}")
    return shape


def count(shapes: Shapes, prefix: str) -> int:
    """How many different indices N there are among keys `prefix` + "N." + rest; ValueError for absurdly many."""
    indices = {key[len(prefix) :].partition(".")[0] for key in shapes if key.startswith(prefix)}
    found = sum(index.isdecimal() for index in indices)
    if found > MOST_BLOCKS:
        raise ValueError(f"expected at most {MOST_BLOCKS} of {prefix}N, got {found}")
    return found
