"""Batches of a pool with captions of their scenes as token ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.train_demo import captions as caption
from bench.train_demo import vocabulary
from bench.train_demo.captions import Phrases
from bench.train_demo.loop import Batch
from bench.train_demo.scenes import Scenes
from diffusion.text.tokenizer import clip_tokenizer

CHINESE_SHARE = 0.2


def as_it_is(scenes: Scenes) -> Scenes:
    return scenes


@dataclass(frozen=True)
class Captioned:
    """What `told` makes of the scenes is what captions speak of; they are no longer than so many tokens, the padding
    beyond which is left out."""

    batches: Iterator[tuple[Batch, Scenes]]
    phrases: Phrases
    generator: torch.Generator
    tokens: int = caption.LENGTH
    told: Callable[[Scenes], Scenes] = as_it_is

    @classmethod
    def over(
        cls,
        batches: Iterator[tuple[Batch, Scenes]],
        generator: torch.Generator,
        tokens: int = caption.LENGTH,
        told: Callable[[Scenes], Scenes] = as_it_is,
    ) -> Captioned:
        phrases = caption.build(vocabulary.load(), clip_tokenizer()).to(generator.device)
        return cls(batches, phrases, generator, tokens, told)

    def __call__(self) -> Batch:
        views, drawn = next(self.batches)
        slots = caption.draw(self.told(drawn), self.phrases, self.generator, CHINESE_SHARE, self.tokens)
        return *views, self.phrases.assemble(slots)[:, : self.tokens].contiguous()


def empty_ids(ids_BL: Tensor) -> Tensor:
    """The ids of as many empty captions."""
    empty = torch.full_like(ids_BL, caption.END)
    empty[:, 0] = caption.BEGIN
    return empty
