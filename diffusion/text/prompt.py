"""Prompt weights: `(x)` is x times 1.1, `(x:w)` is x at weight w, backslash makes a parenthesis literal."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

_EMPHASIS = 1.1
_LONGEST_NUMBER = 32
_LEARNED = re.compile(r"(?<!\S)embedding:(\S+)")
_SUFFIXES = (".safetensors", ".pt", ".bin")


@dataclass(frozen=True)
class Segment:
    """A stretch of text with one weight; `text` has no syntax left. `learned`: it is the name of a learned word."""

    text: str
    weight: float
    learned: bool = False


def parse_prompt(text: str) -> list[Segment]:
    """Segments in order, empty ones left out.

    `(x)` multiplies with the weight around it, `(x:w)` replaces it. The last colon counts; a colon at the start, or one
    not followed by a finite number, is text. Parentheses without a partner are text.
    """
    characters = _unescape(text)
    pairs = _pairs(characters)
    closing_of_weight = {}  # position of the colon that starts a weight -> position of the closing parenthesis
    weights = [1.0]
    segments: list[Segment] = []
    buffer: list[str] = []

    def flush() -> None:
        if buffer:
            segments.append(Segment("".join(buffer), weights[-1]))
            buffer.clear()

    position = 0
    while position < len(characters):
        character = characters[position]
        if position in closing_of_weight:
            position = closing_of_weight[position]
            continue
        if character == "(" and position in pairs:
            flush()
            number = _weight_before(characters, position, pairs[position])
            if number is None:
                weights.append(weights[-1] * _EMPHASIS)
            else:
                colon, weight = number
                closing_of_weight[colon] = pairs[position]
                weights.append(weight)
        elif character == ")" and position in pairs:
            flush()
            weights.pop()
        else:
            buffer.append(character[-1])
        position += 1
    flush()
    return segments


def with_learned(segments: Sequence[Segment], names: Collection[str]) -> list[Segment]:
    """Segments divided at every `embedding:name` at the start of a word, for names of learned words.

    A file's ending may follow the name, and so may punctuation. ValueError for a name that is not among `names`.
    """
    return [part for segment in segments for part in _divided(segment, names)]


def _divided(segment: Segment, names: Collection[str]) -> Iterator[Segment]:
    past = 0
    for found in _LEARNED.finditer(segment.text):
        name = _known(found[1], names)
        if name is None:
            listed = ", ".join(sorted(names)) or "none"
            raise ValueError(
                f"prompt: expected a learned word after embedding:, got {found[1]!r} (loaded: {listed}); "
                "add an EmbeddingLoader for it before the prompt"
            )
        yield Segment(segment.text[past : found.start()], segment.weight)
        yield Segment(name, segment.weight, learned=True)
        past = found.start(1) + len(_without(found[1], name))
    yield Segment(segment.text[past:], segment.weight)


def _known(word: str, names: Collection[str]) -> str | None:
    """The longest of the names that the word is, or begins with before an ending or punctuation."""
    fitting = [name for name in names if word.startswith(name) and not re.match(r"[\w-]", _rest(word, name)[:1])]
    return max(fitting, key=len, default=None)


def _rest(word: str, name: str) -> str:
    """What follows a name and the ending of its file."""
    rest = word[len(name) :]
    return next((rest[len(suffix) :] for suffix in _SUFFIXES if rest.startswith(suffix)), rest)


def _without(word: str, name: str) -> str:
    """The part of a word that is the name with its ending."""
    return word[: len(word) - len(_rest(word, name))]


def _unescape(text: str) -> list[str]:
    """Characters; a literal parenthesis is the two characters of its escape, so that nothing takes it for syntax."""
    characters: list[str] = []
    for character in text:
        if character in "()" and characters and characters[-1] == "\\":
            characters[-1] += character
        else:
            characters.append(character)
    return characters


def _pairs(characters: list[str]) -> dict[int, int]:
    """Positions of matching parentheses, both ways."""
    pairs: dict[int, int] = {}
    open_positions: list[int] = []
    for position, character in enumerate(characters):
        if character == "(":
            open_positions.append(position)
        elif character == ")" and open_positions:
            start = open_positions.pop()
            pairs[start], pairs[position] = position, start
    return pairs


def _weight_before(characters: list[str], start: int, end: int) -> tuple[int, float] | None:
    """Position of the colon and the weight behind it, of the group between `start` and `end`; None if it has none."""
    for colon in range(end - 1, max(start + 1, end - _LONGEST_NUMBER), -1):
        if characters[colon] == ":":
            try:
                weight = float("".join(characters[colon + 1 : end]))
            except ValueError:
                return None
            return (colon, weight) if math.isfinite(weight) else None
    return None
