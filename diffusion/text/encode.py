"""A weighted prompt through one text tower: chunks of tokens in, rows of context out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from diffusion.text.prompt import Segment
from diffusion.text.tokenizer import CLIP_BEGIN, CLIP_END, T5_END, T5_PAD, clip_tokenizer, t5_tokenizer

_KEPT_WHOLE = 8  # segments with fewer tokens are not split over two chunks


class Token(NamedTuple):
    id: int
    weight: float


Chunk = list[Token]


class Encoded(NamedTuple):
    """What a tower says of token ids B L: rows B L D, and one vector B P for each where it has one."""

    hidden_BLD: Tensor
    pooled_BP: Tensor | None


class TextTower(Protocol):
    """One text encoder."""

    def chunks(self, segments: Sequence[Segment]) -> list[Chunk]:
        """Token ids with weights, begin, end and padding included; at least one chunk, all of one length."""
        ...

    def padding(self, length: int) -> list[int]:
        """The ids of an empty prompt, of `length`."""
        ...

    def __call__(self, ids_BL: Tensor) -> Encoded: ...


@dataclass(frozen=True)
class Encoding:
    """One prompt as one tower sees it, float32 on the CPU: rows of all chunks, and the vector of the first."""

    context_1LD: Tensor
    pooled_1P: Tensor | None


def encode_prompt(tower: TextTower, segments: Sequence[Segment]) -> Encoding:
    """Encode a prompt; a token of weight w moves from its row in the empty prompt's encoding by w times the difference.

    The pooled vector knows no weights.
    """
    chunks = tower.chunks(segments)
    ids = [[token.id for token in chunk] for chunk in chunks]
    weights_BL1 = torch.tensor([[token.weight for token in chunk] for chunk in chunks])[:, :, None]
    if torch.all(weights_BL1 == 1):
        hidden_BLD, pooled_BP = tower(torch.tensor(ids))
        hidden_BLD = hidden_BLD.float().cpu()
    else:
        both_BLD, pooled_BP = tower(torch.tensor([*ids, tower.padding(len(ids[0]))]))
        both_BLD = both_BLD.float().cpu()
        hidden_BLD = torch.lerp(both_BLD[-1:].expand_as(both_BLD[:-1]), both_BLD[:-1], weights_BL1)
    return Encoding(hidden_BLD.flatten(0, 1)[None], None if pooled_BP is None else pooled_BP[:1].float().cpu())


def clip_chunks(segments: Iterable[Segment], pad: int, length: int) -> list[Chunk]:
    """Chunks of `length` tokens: begin, the prompt's, end, `pad`. A segment of few tokens stays in one chunk."""
    tokenize = clip_tokenizer()
    room = length - 2
    bodies: list[Chunk] = [[]]
    for segment in segments:
        tokens = [Token(token, segment.weight) for token in tokenize(segment.text)]
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


def t5_chunk(segments: Iterable[Segment], min_length: int) -> Chunk:
    """All of the prompt's tokens, end, and padding up to `min_length`."""
    tokenize = t5_tokenizer()
    body = [Token(token, segment.weight) for segment in segments for token in tokenize(segment.text)]
    return [*body, Token(T5_END, 1.0), *[Token(T5_PAD, 1.0)] * (min_length - 1 - len(body))]
