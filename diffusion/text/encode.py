"""A weighted prompt through one text tower: chunks of tokens in, rows of context out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from types import MappingProxyType
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from diffusion.text.chunks import NONE_LEARNED, Chunk, Learned
from diffusion.text.prompt import Segment
from diffusion.text.said import UNSAID, Said


class Encoded(NamedTuple):
    """What a tower says of token ids B L: rows B L D, and one vector B P for each where it has one."""

    hidden_BLD: Tensor
    pooled_BP: Tensor | None

    @staticmethod
    def joined(parts: Sequence[Encoded]) -> Encoded:
        """What is said of several batches, as of one."""
        pooled = [part.pooled_BP for part in parts if part.pooled_BP is not None]
        return Encoded(torch.cat([part.hidden_BLD for part in parts]), torch.cat(pooled) if pooled else None)


class TextTower(Protocol):
    """One text encoder; tokens are vectors `width` wide, of which its vocabulary has `vocabulary`."""

    @property
    def width(self) -> int: ...

    @property
    def vocabulary(self) -> int: ...

    def chunks(self, segments: Sequence[Segment], learned: Learned = NONE_LEARNED) -> list[Chunk]:
        """Token ids with weights, begin, end and padding included; at least one chunk, all of one length."""
        ...

    def padding(self, length: int) -> list[int]:
        """The ids of an empty prompt, of `length`."""
        ...

    def __call__(self, ids_BL: Tensor, learned_ND: Tensor | None = None) -> Encoded:
        """`learned`: the vectors of ids from the end of the vocabulary on."""
        ...


@dataclass(frozen=True)
class Encoding:
    """One prompt as one tower sees it, float32 on the CPU: rows of all chunks, and the vector of the first."""

    context_1LD: Tensor
    pooled_1P: Tensor | None
    said: Said = UNSAID


Weigh = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Rows of chunks B L D, those of the empty prompt 1 L D, and a weight for each token B L 1: the weighted rows."""


def from_empty(rows_BLD: Tensor, empty_1LD: Tensor, weights_BL1: Tensor) -> Tensor:
    """A token of weight w moves from its row in the empty prompt's encoding by w times the difference."""
    return torch.lerp(empty_1LD.expand_as(rows_BLD), rows_BLD, weights_BL1)


def keeping_mean(rows_BLD: Tensor, _empty_1LD: Tensor, weights_BL1: Tensor) -> Tensor:
    """A row of weight w is multiplied by it, and every chunk is then brought back to the mean it had."""
    weighted_BLD = rows_BLD * weights_BL1
    means_B11 = [rows.mean((1, 2), keepdim=True) for rows in (rows_BLD, weighted_BLD)]
    return weighted_BLD * (means_B11[0] / means_B11[1])


def encode_prompt(
    tower: TextTower,
    segments: Sequence[Segment],
    words: Mapping[str, Tensor] = MappingProxyType({}),
    weigh: Weigh = from_empty,
) -> Encoding:
    """Encode a prompt; `words`: the vectors N D of learned words, by name.

    The pooled vector knows no weights.
    """
    learned = ids_of(tower, segments, words)
    learned_ND = torch.cat([words[name] for name in learned]) if learned else None
    chunks = tower.chunks(segments, learned)
    ids = [[token.id for token in chunk] for chunk in chunks]
    weights_BL1 = torch.tensor([[token.weight for token in chunk] for chunk in chunks])[:, :, None]
    if torch.all(weights_BL1 == 1):
        hidden_BLD, pooled_BP = tower(torch.tensor(ids), learned_ND)
        hidden_BLD = hidden_BLD.float().cpu()
    else:
        both_BLD, pooled_BP = tower(torch.tensor([*ids, tower.padding(len(ids[0]))]), learned_ND)
        both_BLD = both_BLD.float().cpu()
        hidden_BLD = weigh(both_BLD[:-1], both_BLD[-1:], weights_BL1)
    said = Said.by([token.text for chunk in chunks for token in chunk])
    return Encoding(hidden_BLD.flatten(0, 1)[None], None if pooled_BP is None else pooled_BP[:1].float().cpu(), said)


def ids_of(tower: TextTower, segments: Sequence[Segment], words: Mapping[str, Tensor]) -> Learned:
    """The ids of the learned words that stand in a prompt, one after the other."""
    named = [name for name in words if any(part.learned and part.text == name for part in segments)]
    ends = accumulate((len(words[name]) for name in named), initial=tower.vocabulary)
    return {name: range(start, end) for name, (start, end) in zip(named, pairwise(ends), strict=True)}


def with_rows(words: nn.Embedding, more_ND: Tensor) -> Tensor:
    """The vectors of a vocabulary with those of learned words behind them."""
    return torch.cat((words.weight, more_ND.to(words.weight)))
