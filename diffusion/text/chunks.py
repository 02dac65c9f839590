"""A prompt as token ids with weights, in chunks as text encoders take them; nothing is computed of them here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from diffusion.text.prompt import Segment
from diffusion.text.tokenizer import (
    CLIP_BEGIN,
    CLIP_END,
    T5_END,
    T5_PAD,
    Tokenize,
    clip_bytes,
    clip_tokenizer,
    t5_piece,
    t5_tokenizer,
)

_KEPT_WHOLE = 8  # segments with fewer tokens are not split over two chunks


class Token(NamedTuple):
    """`text`: what it says, in UTF-8, which may be a part of a letter; nothing where it is no part of the prompt."""

    id: int
    weight: float
    text: bytes = b""


Chunk = list[Token]

Learned = Mapping[str, range]
"""The ids that stand for learned words, by name; they follow those of the vocabulary."""

NONE_LEARNED: Learned = MappingProxyType({})


def clip_chunks(segments: Iterable[Segment], pad: int, length: int, learned: Learned = NONE_LEARNED) -> list[Chunk]:
    """Chunks of `length` tokens: begin, the prompt's, end, `pad`. A segment of few tokens stays in one chunk."""
    tokenize = _reading(clip_tokenizer(), clip_bytes)
    room = length - 2
    bodies: list[Chunk] = [[]]
    for segment in segments:
        tokens = tokenize(segment, learned)
        if bodies[-1] and len(tokens) < _KEPT_WHOLE and len(bodies[-1]) + len(tokens) > room:
            bodies.append([])
        while tokens:
            if len(bodies[-1]) == room:
                bodies.append([])
            fitting = room - len(bodies[-1])
            bodies[-1] += tokens[:fitting]
            tokens = tokens[fitting:]
    begin, end, padding = Token(CLIP_BEGIN, 1.0), Token(CLIP_END, 1.0), Token(pad, 1.0)
    return [[begin, *body, end, *[padding] * (room - len(body))] for body in bodies]


def t5_chunk(segments: Iterable[Segment], min_length: int, learned: Learned = NONE_LEARNED) -> Chunk:
    """All of the prompt's tokens, end, and padding up to `min_length`."""
    tokenize = _reading(t5_tokenizer(), lambda id: t5_piece(id).encode())
    body = [token for segment in segments for token in tokenize(segment, learned)]
    return [*body, Token(T5_END, 1.0), *[Token(T5_PAD, 1.0)] * (min_length - 1 - len(body))]


def _reading(tokenize: Tokenize, piece: Callable[[int], bytes]) -> Callable[[Segment, Learned], Chunk]:
    """What gives the tokens of a segment; a learned word that this encoder does not know has none."""

    def tokens(segment: Segment, learned: Learned) -> Chunk:
        if not segment.learned:
            return [Token(id, segment.weight, piece(id)) for id in tokenize(segment.text)]
        ids = learned.get(segment.text, range(0))
        return [Token(id, segment.weight, f"{segment.text} ".encode() * (id == ids[0])) for id in ids]

    return tokens
