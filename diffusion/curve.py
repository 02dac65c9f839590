"""Values along a way: points that straight lines join."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Points = Sequence[tuple[float, float]]
"""Places, rising, and the value at each."""


def value_at(points: Points, at: float) -> float:
    """The value at a place; before the first point and behind the last, theirs."""
    if at <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in pairwise(points):
        if at <= right:
            return low + (high - low) * (at - left) / (right - left) if right > left else high
    return points[-1][1]
