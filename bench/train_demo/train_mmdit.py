"""Train two text towers and an MMDiT: `python -m bench.train_demo.train_mmdit --autoencoder A --state S --out DIR`.

Rectified flow on latents of freshly composed scenes. Now and then one of the two towers is silenced, or reads an empty
caption, so that either will do alone. A run lasts `--seconds` and leaves `--state`, from which the next goes on until
`--total` seconds of training are done; each writes the averaged weights, `DIR/painter.safetensors`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.train_demo import captions as caption
from bench.train_demo import export, loop, vocabulary
from bench.train_demo.captioned import Captioned, empty_ids
from bench.train_demo.loop import TELL, Batch, Split
from bench.train_demo.parallel import Group
from bench.train_demo.pool import Latents, Pool
from bench.train_demo.scenes import Sprites
from bench.train_demo.text_tower import TextTower
from bench.train_demo.train_autoencoder import read_autoencoder, save_half
from diffusion.latents import SD3
from diffusion.networks.mmdit import MMDiT, MMDiTParams

TEXT_WIDTH, TEXT_LAYERS = 64, 6  # of each tower
PARAMS = MMDiTParams(depth=5, width=256, context_dim=2 * TEXT_WIDTH, y_dim=2 * TEXT_WIDTH, positions=16, qk_norm=True)
BATCH = 1024
RATE = 2e-3
SHARES = 0.35, 0.2  # of pairs, and of counts, sizes and places
POOL, REFRESH = 1 << 18, loop.CHUNK  # latents kept, and how many of them TELL steps replace
SILENT, EMPTY = 0.08, 0.05  # shares of captions that a tower does not hear, and that it hears nothing of
SEED = 31


class Painter(nn.Module):
    """Three networks as one, from clean latents and token ids to the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.text_l = TextTower(TEXT_WIDTH, TEXT_LAYERS, "quick_gelu")
        self.text_g = TextTower(TEXT_WIDTH, TEXT_LAYERS, "gelu")
        self.mmdit = MMDiT(PARAMS)
        generator = torch.Generator().manual_seed(SEED)
        for network in (self.text_l, self.text_g, self.mmdit):
            network.initialise(generator)

    def drawn(self, z_BCHW: Tensor, ids_BL: Tensor) -> Batch:
        """Latents, noise, levels, what each tower reads, and whether it is heard, B x 2."""
        z = z_BCHW.float()
        chance = torch.rand(len(z), device=z.device)
        heard = torch.stack([chance >= SILENT, (chance < SILENT) | (chance >= 2 * SILENT)], 1)
        empty, l_empty = empty_ids(ids_BL), chance > 1 - EMPTY
        g_empty = (chance > 1 - 2 * EMPTY) & ~l_empty
        ids_l = torch.where(l_empty[:, None], empty, ids_BL)
        ids_g = padded_with_nothing(torch.where(g_empty[:, None], empty, ids_BL))
        return z, torch.randn_like(z), noise_levels(z), ids_l, ids_g, heard.float()

    def forward(
        self, z_BCHW: Tensor, noise_BCHW: Tensor, sigma_B: Tensor, l_BL: Tensor, g_BL: Tensor, heard_B2: Tensor
    ) -> Tensor:
        """Mean squared error of the velocity."""
        sides = [tower(ids) for tower, ids in ((self.text_l, l_BL), (self.text_g, g_BL))]
        shares = heard_B2.unbind(1)
        context = torch.cat([rows * share[:, None, None] for (rows, _), share in zip(sides, shares)], 2)
        pooled = torch.cat([vector * share[:, None] for (_, vector), share in zip(sides, shares)], 1)
        x = torch.lerp(z_BCHW, noise_BCHW, sigma_B[:, None, None, None])
        output = self.mmdit(x, 1000 * sigma_B, context, pooled)
        return F.mse_loss(output.float(), noise_BCHW - z_BCHW)


def padded_with_nothing(ids_BL: Tensor) -> Tensor:
    """As tower G reads captions: token 0 after the first end."""
    ends = ids_BL == caption.END
    return torch.where(ends.cumsum(1) > 1, 0, ids_BL)


def noise_levels(z_BCHW: Tensor) -> Tensor:
    """Mostly logit-normal about the middle, drawn a little towards noise; a sixth uniform, to know both ends."""
    normal, uniform = torch.randn_like(z_BCHW[:, 0, 0, 0]), torch.rand_like(z_BCHW[:, 0, 0, 0])
    pick = torch.rand_like(uniform) < 1 / 6
    return torch.where(pick, uniform, torch.sigmoid(0.3 + 1.1 * normal))


def split(painter: Painter) -> Split:
    """Matrices inside the blocks for Muon (a fused qkv as three), all else for AdamW."""
    matrices, others = [], []
    for name, parameter in painter.named_parameters():
        inside = "joint_blocks." in name or ".layers." in name
        if inside and parameter.ndim == 2 and "adaLN" not in name:
            matrices.append((parameter, 3 if ".qkv." in name else 1))
        else:
            others.append(parameter)
    return matrices, others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    loop.add_options(parser, batch=BATCH, rate=RATE, pool=POOL)
    parser.add_argument("--start-from", type=Path, help="exported checkpoint to begin with")
    parser.add_argument("--tokens", type=int, default=caption.LENGTH, help="of the longest captions; fewer are faster")
    options = parser.parse_args()
    group = Group.join(options.device)
    device = group.device
    torch.set_float32_matmul_precision("high")
    painter = Painter()
    if options.start_from:
        painter.load_state_dict(export.networks_of(options.start_from, export.KINDS["sd3"]))
    painter = painter.to(device)
    run, generator = loop.begin(painter, split(painter), options, group, SEED)
    latents = Latents.of(read_autoencoder(options.autoencoder, device), SD3)
    sprites = Sprites.read(device, vocabulary.SPRITES)
    pool = Pool(sprites, latents, generator, options.pool, options.chunk, *SHARES, REFRESH)
    source = Captioned.over(pool.batches(TELL * options.batch), generator, options.tokens)
    loop.train(run, source, loop.pace_of(options, "mmdit"), group)
    if group.rank == 0:
        options.out.mkdir(parents=True, exist_ok=True)
        loop.leave(run, lambda painter: save_half(painter, options.out / "painter.safetensors"), options.state)
    group.leave()


if __name__ == "__main__":
    main()
