"""Which letters of a prompt each row of context stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """A text as tokenizers give it back, and of each row of context from which letter to which it stands for; a row
    whose span is empty, and any after the last span, stands for none. Equal rows of context have equal ones."""

    text: str = ""
    spans: tuple[tuple[int, int], ...] = ()

    @staticmethod
    def by(pieces: Sequence[bytes]) -> Said:
        """Of rows whose tokens say this in UTF-8. Tokens that share a letter all stand for it."""
        whole = b"".join(pieces)
        letters, before = whole.decode(errors="ignore"), [0]
        for byte in whole:
            before.append(before[-1] + (byte & 0xC0 != 0x80))
        spans: list[tuple[int, int]] = []
        at = 0
        for piece in pieces:
            first = max(0, before[at + 1] - 1) if piece else 0
            spans.append((first, before[at + len(piece)] if piece else 0))
            at += len(piece)
        return Said(letters, tuple(spans))

    def then(self, other: Said, rows: int) -> Said:
        """This, of `rows` rows, and what the rows behind them say."""
        padding = ((0, 0),) * (rows - len(self.spans))
        start = len(self.text)
        shifted = tuple((start + first, start + end) if end > first else (0, 0) for first, end in other.spans)
        return Said(self.text + other.text, (*self.spans[:rows], *padding, *shifted))


UNSAID = Said()
