"""What composed scenes look like to a network, kept on the training device; a few are replaced after every batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.train_demo import scenes as scene
from bench.train_demo.scenes import Scenes, Sprites
from diffusion.latents import LatentFormat
from diffusion.networks.autoencoder import Autoencoder

Views = Callable[[Tensor], tuple[Tensor, ...]]
"""What is kept of pictures B 3 H W in -1..1, each with B rows."""


@dataclass(frozen=True)
class Latents:
    """The latents as the network sees them, in half precision."""

    encode: Callable[[Tensor], Tensor]
    latent_format: LatentFormat

    @classmethod
    def of(cls, autoencoder: Autoencoder, latent_format: LatentFormat) -> Latents:
        on_gpu = next(autoencoder.parameters()).is_cuda
        return cls(torch.compile(autoencoder.encode, dynamic=False) if on_gpu else autoencoder.encode, latent_format)

    @torch.no_grad()
    def __call__(self, x_B3HW: Tensor) -> tuple[Tensor, ...]:
        x = x_B3HW.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
            z = self.encode(x)
        return (self.latent_format.process_in(z.float()).half().contiguous(),)


@dataclass
class Pool:
    """`size` scenes, made `chunk` at a time, `refresh` replaced after each batch."""

    sprites: Sprites
    views: Views
    generator: torch.Generator
    size: int
    chunk: int
    pair_share: float
    other_share: float = 0
    refresh: int = 128

    def batches(self, batch: int) -> Iterator[tuple[tuple[Tensor, ...], Scenes]]:
        parts = [self._fresh(self.chunk) for _ in range(self.size // self.chunk)]
        views = [torch.cat(kept) for kept in zip(*(kept for kept, _ in parts))]
        scenes = scene.concatenate([drawn for _, drawn in parts])
        del parts
        at, size, refresh = 0, len(scenes), min(self.refresh, self.chunk)
        while True:
            rows = torch.randint(0, size, (batch,), generator=self.generator, device=views[0].device)
            yield tuple(kept[rows] for kept in views), scenes[rows]
            fresh, drawn = self._fresh(refresh)
            here = slice(at, at + refresh)
            for kept, one in zip(views, fresh):
                kept[here] = one
            for field in ("first", "second", "layout", "ground"):
                getattr(scenes, field)[here] = getattr(drawn, field)
            at = (at + refresh) % (size - refresh + 1)

    @torch.no_grad()
    def _fresh(self, count: int) -> tuple[tuple[Tensor, ...], Scenes]:
        drawn = scene.draw(count, len(self.sprites), self.pair_share, self.generator, self.other_share)
        return self.views(self.sprites.render(drawn, self.generator)), drawn
