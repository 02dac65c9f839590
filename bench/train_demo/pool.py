"""Latents of composed scenes kept on the training device, a few of which are replaced after every batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.train_demo import scenes as scene
from bench.train_demo.scenes import Scenes, Sprites
from diffusion.latents import LatentFormat
from diffusion.networks.autoencoder import Autoencoder


@dataclass
class Pool:
    """`size` latents as the network sees them, encoded `chunk` at a time, `refresh` replaced after each batch."""

    sprites: Sprites
    autoencoder: Autoencoder
    latent_format: LatentFormat
    generator: torch.Generator
    size: int
    chunk: int
    pair_share: float
    other_share: float = 0
    refresh: int = 128

    def batches(self, batch: int) -> Iterator[tuple[Tensor, Scenes]]:
        parts = [self._fresh(self.chunk) for _ in range(self.size // self.chunk)]
        latents = torch.cat([z for z, _ in parts])
        scenes = scene.concatenate([drawn for _, drawn in parts])
        at, device, refresh = 0, latents.device, min(self.refresh, self.chunk)
        while True:
            rows = torch.randint(0, len(latents), (batch,), generator=self.generator, device=device)
            yield latents[rows].float(), scenes[rows]
            z, drawn = self._fresh(refresh)
            here = slice(at, at + refresh)
            latents[here] = z
            for field in ("first", "second", "layout", "ground"):
                getattr(scenes, field)[here] = getattr(drawn, field)
            at = (at + refresh) % (len(latents) - refresh + 1)

    @torch.no_grad()
    def _fresh(self, count: int) -> tuple[Tensor, Scenes]:
        drawn = scene.draw(count, len(self.sprites), self.pair_share, self.generator, self.other_share)
        x = self.sprites.render(drawn, self.generator).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
            z = self.autoencoder.encode(x)
        return self.latent_format.process_in(z.float()).half(), drawn
