"""Train a decoder for latents as they are: `python -m bench.train_demo.train_decoder KIND --autoencoder A ...`.

KIND is `full`, an autoencoder's own decoder taken further, or `tiny`, one of TAESD's kind for previews. A run lasts
`--seconds` and leaves `--state`, from which the next goes on until `--total` seconds of training are done; each writes
the averaged weights: of the whole autoencoder, `DIR/autoencoder.safetensors`, or `DIR/tiny.safetensors`.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from bench.train_demo import loop
from bench.train_demo.loop import TELL, Batch, Split
from bench.train_demo.parallel import Group
from bench.train_demo.pool import Latents
from bench.train_demo.scenes import Sprites
from bench.train_demo.train_autoencoder import (
    KINDS,
    NOISE,
    held_out_pictures,
    loss_of,
    pictures,
    psnr,
    read_autoencoder,
    save_half,
)
from diffusion.latents import LatentFormat
from diffusion.networks.autoencoder import Autoencoder
from diffusion.networks.taesd import Taesd, TaesdParams

TINY_CHANNELS = 32
BATCH = 128
RATE = 1e-3
SEED = 59


class Decoding(nn.Module):
    """From pictures and their latents, as networks see them, to the loss of the pictures decoded."""

    def __init__(self, network: Autoencoder | Taesd, latent_format: LatentFormat) -> None:
        super().__init__()
        self.network, self.latent_format = network, latent_format

    def drawn(self, x_B3HW: Tensor, z_BCHW: Tensor) -> Batch:
        """Latents get up to NOISE noise, so that a painter's small errors are forgiven."""
        z = z_BCHW.float()
        return x_B3HW, z + NOISE * torch.rand_like(z[:, :1, :1, :1]) * torch.randn_like(z)

    def forward(self, x_B3HW: Tensor, z_BCHW: Tensor) -> Tensor:
        z = z_BCHW.contiguous(memory_format=torch.channels_last)
        return loss_of(self.network.decode(self.latent_format.process_out(z)), x_B3HW)


class Pictures:
    """Batches of pictures with their latents, each shown once."""

    def __init__(self, sprites: Sprites, latents: Latents, generator: torch.Generator, count: int) -> None:
        self._sprites, self._latents, self._generator, self._count = sprites, latents, generator, count

    def __call__(self) -> Batch:
        x = pictures(self._sprites, self._count, self._generator)
        return x, *self._latents(x)


def learner(kind: str, autoencoder: Autoencoder, latent_format: LatentFormat) -> Autoencoder | Taesd:
    if kind == "full":
        autoencoder.requires_grad_(False).decoder.requires_grad_(True)
        return autoencoder
    torch.manual_seed(SEED)
    return Taesd(
        TaesdParams(latent_format.channels, latent_format.scale, latent_format.shift, False, True, TINY_CHANNELS)
    )


def split(network: nn.Module) -> Split:
    """Convolutions but the first and the last for Muon, all else for AdamW."""
    learnt = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    wide = [p for name, p in learnt if p.ndim == 4 and "conv_in" not in name and "conv_out" not in name]
    inner = [(p, 1) for p in wide if min(p.shape[:2]) >= TINY_CHANNELS]
    return inner, [p for _, p in learnt if all(p is not q for q, _ in inner)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("full", "tiny"))
    loop.add_options(parser, batch=BATCH, rate=RATE, pool=0)
    options = parser.parse_args()
    group = Group.join(options.device)
    device = group.device
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    autoencoder = read_autoencoder(options.autoencoder, device)
    kind = next(kind for kind in KINDS.values() if kind.params.latent_channels == autoencoder.params.latent_channels)
    network = learner(options.kind, autoencoder, kind.latent_format).to(device, memory_format=torch.channels_last)
    painter = Decoding(network, kind.latent_format)
    run, generator = loop.begin(painter, split(painter), options, group, SEED)
    sprites = Sprites.read(device, *kind.sprites)
    source = Pictures(sprites, Latents.of(autoencoder, kind.latent_format), generator, TELL * options.batch)
    loop.train(run, source, loop.pace_of(options, f"{options.kind} decoder"), group)
    if group.rank == 0:
        options.out.mkdir(parents=True, exist_ok=True)
        name = "autoencoder" if options.kind == "full" else "tiny"
        x = held_out_pictures(sprites, 256, device)

        def write(painter: nn.Module) -> None:
            save_half(painter.network, options.out / f"{name}.safetensors")
            print(f"held-out PSNR {psnr(autoencoder.encode, painter.network.decode, x):.2f} dB", flush=True)

        loop.leave(run, write, options.state)
    group.leave()


if __name__ == "__main__":
    main()
