"""Blocks of a network and a ratio for each: block-weighted merging.

A U-Net has IN00..., M00, OUT00... (`input_blocks`, `middle_block`, `output_blocks`; the layer behind the last is of the
last OUT), an MMDiT J00... and FINAL, other transformers B00..., D00..., S00... BASE is all that is in none of them:
embeddings of time, size, text and position. (SuperMerger counts a U-Net's embeddings to IN00.)
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

BASE = "BASE"

_NUMBERED: Mapping[str, str] = MappingProxyType(
    {
        "input_blocks": "IN",
        "output_blocks": "OUT",
        "joint_blocks": "J",
        "double_blocks": "D",
        "single_blocks": "S",
        "blocks": "B",
    }
)
_ORDER = ("IN", "M", "OUT", "J", "B", "D", "S", "FINAL")
_LABEL = re.compile(r"([A-Z]+)(\d*)")
_RANGE = re.compile(r"([A-Z]+)(\d+)-(?:([A-Z]+))?(\d+)")


def _wrapped(width: int) -> Callable[[float], float]:
    """1 at both ends, falling to 0 within half of `width` of 24 steps."""
    return lambda x: max(0.0, 1 - 24 * min(x, 1 - x) / (width / 2))


def _smooth(x: float) -> float:
    return x * x * (3 - 2 * x)


CURVES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "flat": lambda _x: 1.0,
        "rising": lambda x: x,
        "falling": lambda x: 1 - x,
        "grad_v": lambda x: abs(1 - 2 * x),
        "grad_a": lambda x: 1 - abs(1 - 2 * x),
        "smoothstep": _smooth,
        "reverse_smoothstep": lambda x: 1 - _smooth(x),
        "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2,
        "reverse_cosine": lambda x: (1 - math.cos(math.pi * x)) / 2,
        "wrap08": _wrapped(8),
        "wrap12": _wrapped(12),
        "wrap16": _wrapped(16),
    }
)
"""Ratios along a network, 0 its first block, 1 its last. At the 25 blocks of a Stable Diffusion 1 network these are the
presets people share as lists of numbers."""


class Labels(NamedTuple):
    """The block of each tensor, and the blocks there are, BASE first, then in the order of running."""

    of: Mapping[str, str]
    blocks: Sequence[str]


def labels_of(names: Iterable[str]) -> Labels:
    """The blocks of a network with tensors of these names."""
    names = list(names)
    numbers = [int(name.split(".")[1]) for name in names if name.startswith("output_blocks.")]
    last = f"OUT{max(numbers):02d}" if numbers else "FINAL"
    of = {name: _label(name, last) for name in names}
    return Labels(of, sorted(set(of.values()), key=_place))


def _label(name: str, last: str) -> str:
    top, *rest = name.split(".")
    if top in _NUMBERED and rest and rest[0].isdecimal():
        return f"{_NUMBERED[top]}{int(rest[0]):02d}"
    if top == "middle_block":
        return "M00"
    return last if top in ("out", "final_layer") else BASE


def _place(label: str) -> tuple[int, int]:
    if label == BASE:
        return -1, 0
    found = _LABEL.fullmatch(label)
    assert found is not None
    return _ORDER.index(found[1]), int(found[2] or 0)


class Rule(NamedTuple):
    """A ratio for tensors of those blocks that have `part` in their name."""

    blocks: str
    part: str
    ratio: float


@dataclass(frozen=True)
class Ratios:
    """How much of each tensor: `ratio` times a curve along the blocks (BASE: `ratio` itself), then `rules`, of which
    the last that fits counts."""

    ratio: float
    curve: str = "flat"
    rules: tuple[Rule, ...] = ()

    def each(self, names: Iterable[str]) -> Mapping[str, float]:
        """The ratio of every tensor of a network. ValueError for rules about blocks it does not have."""
        labels = labels_of(names)
        wanted = [(_blocks(rule.blocks, labels.blocks), rule) for rule in self.rules]
        order = [label for label in labels.blocks if label != BASE]
        curve = CURVES[self.curve]
        along = {label: self.ratio * curve(n / max(len(order) - 1, 1)) for n, label in enumerate(order)}
        result: dict[str, float] = {}
        for name, label in labels.of.items():
            fitting = [rule.ratio for blocks, rule in wanted if label in blocks and rule.part in name]
            result[name] = fitting[-1] if fitting else along.get(label, self.ratio)
        return result

    @property
    def recipe(self) -> str:
        """Equal for equal ratios alone."""
        rules = " ".join(f"{rule.blocks}:{rule.part}:{rule.ratio.hex()}" for rule in self.rules)
        return f"{float(self.ratio).hex()} {self.curve} {rules}"


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Rules from `IN00-IN05:0.2, M00:1, OUT*:attn2:0.7`: blocks, a part of the tensors' names if wanted, a ratio.

    Blocks: one, a range, or a pattern with `*`. Commas or new lines part the rules. ValueError for what is no rule.
    """
    rules: list[Rule] = []
    for piece in filter(None, (piece.strip() for piece in re.split(r"[,\n]", text))):
        blocks, *rest = (field.strip() for field in piece.split(":"))
        try:
            ratio = float(rest[-1]) if rest else math.nan
        except ValueError:
            ratio = math.nan
        part = rest[:-1]
        if not blocks or len(part) > 1 or not math.isfinite(ratio):
            raise ValueError(f"blocks: expected BLOCKS:RATIO or BLOCKS:PART:RATIO such as IN00-IN05:0.2, got {piece!r}")
        rules.append(Rule(blocks.upper(), "".join(part), ratio))
    return tuple(rules)


def _blocks(wanted: str, there: Sequence[str]) -> frozenset[str]:
    """The blocks that are meant."""
    if (found := _RANGE.fullmatch(wanted)) and found[3] in (None, found[1]):
        numbers = range(int(found[2]), int(found[4]) + 1)
        meant = {f"{found[1]}{number:02d}" for number in numbers} & set(there)
    else:
        meant = {label for label in there if fnmatch.fnmatchcase(label, wanted)}
    if not meant:
        raise ValueError(f"blocks: this network has no {wanted}; it has {_spans(there)}")
    return frozenset(meant)


def _spans(labels: Sequence[str]) -> str:
    """`BASE, IN00-IN11, M00, OUT00-OUT11`."""
    ends: dict[str, list[str]] = {}
    for label in labels:
        ends.setdefault(label.rstrip("0123456789"), []).append(label)
    return ", ".join(group[0] if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in ends.values())
