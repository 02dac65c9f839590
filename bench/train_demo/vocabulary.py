"""The subjects the demo model can paint, by their CLDR names, and where their pictures lie."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
VOCABULARY = HERE / "vocabulary.json"
SPRITES = HERE.parents[1] / "build" / "train_demo" / "sprites.npz"
FLUENT = SPRITES.with_name("fluent.npz")  # the second style


@dataclass(frozen=True)
class Subject:
    """One emoji: its characters, its CLDR names, and every English wording captions use (the name first)."""

    emoji: str
    name: str
    wordings: tuple[str, ...]
    chinese: str


def load() -> tuple[Subject, ...]:
    """The subjects in the order of the sprites."""
    entries = json.loads(VOCABULARY.read_text())
    return tuple(Subject(e["emoji"], e["name"], tuple(e["wordings"]), e["chinese"]) for e in entries)
