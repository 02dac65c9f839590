"""Noise rules: which noise a seed means, as a function of the number of the draw.

Draw 0 is the noise a generation starts from, the others are those a stochastic sampler adds, step by step. All noise is
made on the CPU in float32, so a seed means the same picture on every device.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

Noise = Callable[[int], Tensor]


class NoiseRule(Protocol):
    """The noise of a seed for latents of a shape. `items`: their numbers in the batch they were taken out of, None for
    a batch that is whole. `done`: how many draws a run before has made that this one goes on from."""

    def __call__(
        self, seed: int, shape: tuple[int, ...], items: Sequence[int] | None = None, done: int = 0, /
    ) -> Noise: ...


_WORD = 0xFFFFFFFF


def per_item(seed: int, shape: tuple[int, ...], items: Sequence[int] | None = None, done: int = 0) -> Noise:
    """Noise that depends on (seed, item of the batch, draw, position) alone, so that any item of any batch and any step
    can be made again without the others."""
    batch, *item_shape = shape
    numbers = range(batch) if items is None else items
    return lambda draw: normal(seed, numbers, draw and draw + done, math.prod(item_shape)).reshape(shape)


def whole_batch(seed: int, shape: tuple[int, ...], items: Sequence[int] | None = None, _done: int = 0) -> Noise:
    """ComfyUI's noise on a CPU: the batch is one draw of torch's generator, the steps draw from one of seed + 1, in
    every run anew. What was taken out of a batch is drawn item by item, up to the last that is wanted."""

    def draw(number: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed if number == 0 else (seed + 1) % 2**64)
        if number == 0 and items is not None:
            drawn = [torch.randn(1, *shape[1:], generator=generator) for _ in range(max(items) + 1)]
            return torch.cat([drawn[item] for item in items])
        for _ in range(number - 1):
            torch.randn(shape, generator=generator)
        return torch.randn(shape, generator=generator)

    return draw


RULES: Mapping[str, NoiseRule] = MappingProxyType({"weft": per_item, "comfy": whole_batch})


def after_start(noise: Noise, shape: tuple[int, ...]) -> Noise:
    """The same, but none to start from: for a latent that has it already."""
    return lambda draw: noise(draw) if draw else torch.zeros(shape)


def normal(seed: int, items: Sequence[int], draw: int, count: int) -> Tensor:
    """len(items) x count standard normal values, float32: Box-Muller in float64 of counters (position, item, draw)."""
    item, block = torch.meshgrid(torch.tensor(items), torch.arange((count + 3) // 4), indexing="ij")
    counter = torch.stack([block, item, torch.full_like(item, draw), torch.zeros_like(item)])
    words = philox(counter, (seed & _WORD, seed >> 32 & _WORD))
    a, b, c, d = (words.double() + 0.5) / 2**32
    radius, angle = torch.sqrt(-2 * torch.stack([a, b]).log()), 2 * math.pi * torch.stack([c, d])
    values = torch.cat([radius * angle.cos(), radius * angle.sin()])
    return values.movedim(0, -1).flatten(1)[:, :count].float()


def philox(counter: Tensor, key: tuple[int, int]) -> Tensor:
    """Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).

    Four words of 32 bits each, held in int64 (shape 4 ...), become as many uniformly distributed ones.
    """
    a, b, c, d = counter
    left, right = key
    for _ in range(10):
        first, second = _product(a, 0xD2511F53), _product(c, 0xCD9E8D57)
        a, b, c, d = second[0] ^ b ^ left, second[1], first[0] ^ d ^ right, first[1]
        left, right = (left + 0x9E3779B9) & _WORD, (right + 0xBB67AE85) & _WORD
    return torch.stack([a, b, c, d])


def _product(word: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of word * factor, by halves, as int64 has no room for an unsigned 64-bit product."""
    low, high = word * (factor & 0xFFFF), word * (factor >> 16)
    middle = (high & 0xFFFF) + (low >> 16)
    return (high >> 16) + (middle >> 16), (middle & 0xFFFF) << 16 | low & 0xFFFF
