"""Train a DiT that paints subjects by number: `python -m bench.train_demo.train_dit --autoencoder A --state S ...`.

It predicts the noise in latents of single subjects on grounds of any colour, at the levels of its family. `--patch`,
`--width` and `--depth` make smaller and larger ones. A run lasts `--seconds` and leaves `--state`, from which the next
goes on until `--total` seconds of training are done; each writes the averaged weights, `DIR/dit.safetensors`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from bench.train_demo import loop, vocabulary
from bench.train_demo.loop import TELL, Batch, Split
from bench.train_demo.parallel import Group
from bench.train_demo.pool import Latents, Pool
from bench.train_demo.scenes import Scenes, Sprites
from bench.train_demo.train_autoencoder import read_autoencoder, save_half
from diffusion.latents import SD15
from diffusion.networks.dit import DIGIT, DiT, DiTParams
from diffusion.networks.mmdit import position_table
from diffusion.prediction import LINEAR, Eps

BATCH = 2048
RATE = 2e-3
POOL, REFRESH = 1 << 17, loop.CHUNK
NO_SUBJECT = 0.1  # share of rows of no class, for classifier-free guidance
HEAVIEST = 100.0  # bound of a noise level's weight
SIDE = 16  # of latents
SEED = 53


class Painter(nn.Module):
    """From clean latents and classes to the loss."""

    def __init__(self, params: DiTParams) -> None:
        super().__init__()
        torch.manual_seed(SEED)
        self.dit = DiT(params)
        initialise(self.dit)
        self.register_buffer("levels", Eps(LINEAR).sigmas.float())

    def drawn(self, z_BCHW: Tensor, label_B: Tensor) -> Batch:
        """Latents, noise, timesteps, and classes as a network's context."""
        z, none = z_BCHW.float(), self.dit.params.rows - 1
        label = torch.where(torch.rand(len(z), device=z.device) < NO_SUBJECT, none, label_B)
        context = torch.stack([label // DIGIT, label % DIGIT], 1)[:, None].float()
        return z, torch.randn_like(z), self.draw_levels(z), context

    def forward(self, z_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor, context_B12: Tensor) -> Tensor:
        """Squared error of the noise, weighted to that of the noise less the clean latent."""
        sigma = self.levels[t_B][:, None, None, None]
        x = (z_BCHW + sigma * noise_BCHW) * (sigma.square() + 1).rsqrt()
        output = self.dit(x, t_B.float(), context_B12)
        weight = (1 + sigma).square().clamp(max=HEAVIEST)
        return (weight * (output.float() - noise_BCHW).square()).mean()

    def draw_levels(self, z_BCHW: Tensor) -> Tensor:
        """Timesteps: sigma / (1 + sigma) mostly logit-normal about the middle, a sixth of all timesteps alike."""
        normal, uniform = torch.randn_like(z_BCHW[:, 0, 0, 0]), torch.rand_like(z_BCHW[:, 0, 0, 0])
        pick = torch.rand_like(uniform) < 1 / 6
        last = len(self.levels) - 1
        learnt = torch.searchsorted(self.levels, torch.exp(0.2 + 1.2 * normal)).clamp(max=last)
        return torch.where(pick, (uniform * last).round().long(), learnt)


@torch.no_grad()
def initialise(dit: DiT) -> None:
    """As its authors do: Xavier, but zero for adaLN and last layer, so that each block starts as identity."""
    for module in dit.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight.view(len(module.weight), -1))
            nn.init.zeros_(module.bias)
    for weight in (dit.t_embedder.mlp[0].weight, dit.t_embedder.mlp[2].weight, dit.y_embedder.embedding_table.weight):
        nn.init.normal_(weight, std=0.02)
    for name, parameter in dit.named_parameters():
        if ".adaLN_modulation." in name or name.startswith("final_layer."):
            nn.init.zeros_(parameter)
    dit.pos_embed.copy_(position_table(dit.params.positions, dit.params.width))


def split(painter: Painter) -> Split:
    """Matrices inside the blocks for Muon (a fused qkv as three), all else for AdamW."""
    matrices, others = [], []
    for name, parameter in painter.named_parameters():
        if ".blocks." in name and parameter.ndim == 2 and "adaLN" not in name:
            matrices.append((parameter, 3 if ".qkv." in name else 1))
        else:
            others.append(parameter)
    return matrices, others


class Labelled:
    """Batches of latents with their subjects."""

    def __init__(self, batches: Iterator[tuple[Batch, Scenes]]) -> None:
        self._batches = batches

    def __call__(self) -> Batch:
        views, drawn = next(self._batches)
        return *views, drawn.first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    loop.add_options(parser, batch=BATCH, rate=RATE, pool=POOL)
    parser.add_argument("--patch", type=int, default=2)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--depth", type=int, default=4)
    options = parser.parse_args()
    group = Group.join(options.device)
    device = group.device
    torch.set_float32_matmul_precision("high")
    sprites = Sprites.read(device, vocabulary.SPRITES)
    params = DiTParams(
        depth=options.depth,
        width=options.width,
        rows=len(sprites) + 1,
        patch=options.patch,
        positions=SIDE // options.patch,
        out_channels=4,
    )
    painter = Painter(params).to(device)
    run, generator = loop.begin(painter, split(painter), options, group, SEED)
    latents = Latents.of(read_autoencoder(options.autoencoder, device), SD15)
    pool = Pool(sprites, latents, generator, options.pool, options.chunk, 0.0, refresh=REFRESH)
    source = Labelled(pool.batches(TELL * options.batch))
    loop.train(run, source, loop.pace_of(options, options.out.name), group)
    if group.rank == 0:
        options.out.mkdir(parents=True, exist_ok=True)
        loop.leave(run, lambda painter: save_half(painter.dit, options.out / "dit.safetensors"), options.state)
    group.leave()


if __name__ == "__main__":
    main()
