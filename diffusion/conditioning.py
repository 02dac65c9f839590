"""What a prompt becomes: the tokens a network attends to and the vector that modulates it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Conditioning:
    """Encoded text, float32.

    `context_BLD`: one row for each token. `pooled_BD`: one vector for the whole text, absent where the family has none.
    """

    context_BLD: Tensor
    pooled_BD: Tensor | None = None
