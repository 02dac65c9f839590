"""What a family says of its text encoders: where they lie in a file and how they are read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClipRules:
    """How a family reads a CLIP tower.

    `layer` counts from the end, 1 is the last; `final_norm` applies the last layer's norm to it. `projected` sends the
    pooled vector through the text projection. `pad` is the id behind the end token. A tower of `cut_at` layers
    lacks its last one, which nobody reads.
    """

    activation: str
    layer: int
    final_norm: bool
    projected: bool
    pad: int
    cut_at: int | None = None


@dataclass(frozen=True)
class T5Rules:
    """How a family reads T5: padded to `min_length` tokens."""

    min_length: int


@dataclass(frozen=True)
class TextSlot:
    """One text encoder of a family: its name, and the prefixes it has in single files."""

    name: str
    prefixes: tuple[str, ...]
    rules: ClipRules | T5Rules
