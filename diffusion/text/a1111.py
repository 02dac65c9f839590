"""Prompt weights as Stable Diffusion web UI (AUTOMATIC1111) has them, for pictures made there.

`(x)` is x times 1.1, `[x]` x over 1.1, `(x:w)` x times w; all multiply with what is around them, also across brackets
of the other kind, and count to the end where they are not closed. A backslash makes the next character literal.
"""

from __future__ import annotations

import re

from diffusion.text.prompt import Segment

_EMPHASIS = 1.1
_SYNTAX = re.compile(
    r"\\(?P<literal>[()\[\]\\])|(?P<open>[(\[])|:\s*(?P<number>[+-]?[.\d]+)\s*\)|(?P<close>[)\]])|\\|.[^\\()\[\]:]*",
    re.DOTALL,
)


def parse_a1111(text: str) -> list[Segment]:
    """Segments in order; neighbours of one weight are one."""
    pieces = list(_SYNTAX.finditer(text))
    factors, closed = _brackets(pieces)
    segments: list[Segment] = []
    product, zeros = 1.0, 0
    for number, piece in enumerate(pieces):
        if number in factors:
            product, zeros = (product * factors[number], zeros) if factors[number] else (product, zeros + 1)
        elif number in closed:
            factor = factors[closed[number]]
            product, zeros = (product / factor, zeros) if factor else (product, zeros - 1)
        else:
            written = piece["literal"] or ("" if piece[0] == "\\" else piece[0])
            rounded = 0.0 if zeros else round(product, 12)
            if segments and segments[-1].weight == rounded:
                segments[-1] = Segment(segments[-1].text + written, rounded)
            elif written:
                segments.append(Segment(written, rounded))
    return segments


def _brackets(pieces: list[re.Match[str]]) -> tuple[dict[int, float], dict[int, int]]:
    """The factor of every opening bracket, and for every closing one which it closes, by number of the piece."""
    factors: dict[int, float] = {}
    closed: dict[int, int] = {}
    waiting: dict[str, list[int]] = {"(": [], "[": []}
    for number, piece in enumerate(pieces):
        if piece["open"]:
            factors[number] = _EMPHASIS if piece["open"] == "(" else 1 / _EMPHASIS
            waiting[piece["open"]].append(number)
        elif piece["number"] or piece["close"]:
            kind = "[" if piece["close"] == "]" else "("
            factor = _number(piece["number"]) if piece["number"] else None
            if waiting[kind] and (factor is not None or piece["close"]):
                closed[number] = waiting[kind].pop()
                factors[closed[number]] = factors[closed[number]] if factor is None else factor
    return factors, closed


def _number(written: str) -> float | None:
    try:
        return float(written)
    except ValueError:
        return None
