"""What a caller may change or see inside a network while it runs: attention, blocks left out, residuals added.

A network is called with one `Hooks`, or with none and then runs as if there were no such thing. Nothing is registered
anywhere: hooks are a value of one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from diffusion.unfit import Unfit

Kind = Literal["self", "cross", "joint"]


class Site(NamedTuple):
    """Where an attention stands, by the name of its module: `middle_block.1.transformer_blocks.0.attn1`,
    `joint_blocks.7.attn`.

    "self": the picture looks at itself; "cross": the picture looks at the text; "joint": text and picture look at both,
    the `text` tokens of the text first.
    """

    name: str
    kind: Kind
    text: int = 0


class Attend(Protocol):
    """In place of an attention: B L (N D) from queries, keys and values. Whoever only looks returns
    `layers.attention`."""

    def __call__(self, site: Site, q_BLND: Tensor, k_BSND: Tensor, v_BSND: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Residuals:
    """What a ControlNet adds. U-Net: to every output of the way down where it is joined to the way up, in the order of
    `input_blocks`, and to the `middle`. MMDiT: to the picture's tokens after each block but the last; fewer residuals
    than blocks are stretched over them."""

    blocks: tuple[Tensor, ...]
    middle: Tensor | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> Residuals:
        return Residuals(tuple(change(r) for r in self.blocks), None if self.middle is None else change(self.middle))

    def plus(self, other: Residuals) -> Residuals:
        """The sum. Unfit if the two are for networks of other depths."""
        if len(self.blocks) != len(other.blocks) or (self.middle is None) != (other.middle is None):
            raise Unfit(f"ControlNets: {len(self.blocks)} and {len(other.blocks)} residuals cannot be added up")
        middle = None if self.middle is None or other.middle is None else self.middle + other.middle
        return Residuals(tuple(a + b for a, b in zip(self.blocks, other.blocks, strict=True)), middle)

    @staticmethod
    def joined(parts: Sequence[Residuals]) -> Residuals:
        """What is added to several batches, as to one."""
        middles = [part.middle for part in parts if part.middle is not None]
        blocks = tuple(torch.cat(each) for each in zip(*(part.blocks for part in parts), strict=True))
        return Residuals(blocks, torch.cat(middles) if middles else None)


class Beside(NamedTuple):
    """Keys and values that an attention looks at by itself, and how much what it sees there counts."""

    key_BSC: Tensor
    value_BSC: Tensor
    weight: float


@dataclass(frozen=True)
class Hooks:
    """`skipped`: names of blocks to leave out, as if they gave back what they get, see `Skippable`. `beside`: by the
    name of an attention what is added to it."""

    attend: Attend | None = None
    skipped: frozenset[str] = frozenset()
    residuals: Residuals | None = None
    beside: Mapping[str, tuple[Beside, ...]] = field(default_factory=dict[str, tuple[Beside, ...]])

    def of(self, rows: slice) -> Hooks:
        """For some of the rows of a batch."""
        residuals = None if self.residuals is None else self.residuals.each(lambda residual: residual[rows])
        beside = {
            name: tuple(Beside(key[rows], value[rows], weight) for key, value, weight in seen)
            for name, seen in self.beside.items()
        }
        return replace(self, residuals=residuals, beside=beside)


NO_HOOKS = Hooks()


@runtime_checkable
class Skippable(Protocol):
    """A network with blocks that hooks may leave out, by name, in the order in which they come: the transformers of a
    U-Net (`input_blocks.N.1`, `middle_block.1`, `output_blocks.N.1`), `joint_blocks.N` of an MMDiT."""

    block_names: Sequence[str]


def probabilities(q_BLND: Tensor, k_BSND: Tensor) -> Tensor:
    """What `attention` weighs its values by: B N L S, float32, each row adds up to 1."""
    q, k = (x.transpose(1, 2).float() for x in (q_BLND, k_BSND))
    return (q @ k.mT * q.shape[-1] ** -0.5).softmax(-1)
