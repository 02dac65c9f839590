"""Train U-Nets of Stable Diffusion 1's layout: `python -m bench.train_demo.train_unet KIND --autoencoder A ...`.

KIND is `plain` (a U-Net and its text tower from nothing, or with `--start-from` and `--sprites` another style), `lora`
(low-rank changes towards that style), `inpaint` (nine channels in) or `control` (a ControlNet that follows edges); all
but the first leave the text tower as it is. The networks predict the noise in latents of freshly composed scenes. A run
lasts `--seconds` and leaves `--state`, from which the next one goes on until `--total` seconds of training are done.
Each writes its averaged weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from bench.train_demo import export, loop, vocabulary
from bench.train_demo import scenes as scene
from bench.train_demo.captioned import Captioned, as_it_is
from bench.train_demo.loop import TELL, Split
from bench.train_demo.parallel import Group
from bench.train_demo.pool import Latents, Pool
from bench.train_demo.scenes import Scenes, Sprites
from bench.train_demo.train_autoencoder import read_autoencoder, save_half
from bench.train_demo.unets import (
    SEED,
    Controlled,
    Edges,
    Holes,
    Inpainter,
    Painter,
    add_low_rank,
    low_rank_tensors,
)
from diffusion.latents import SD15

KINDS = {"plain": Painter, "lora": Painter, "inpaint": Inpainter, "control": Controlled}
VIEWS = {"inpaint": Holes, "control": Edges}
BATCH = 1024
RATE = 2e-3
SHARES = 0.35, 0.25  # of pairs, and of counts, sizes and places
POOL, REFRESH = 1 << 17, loop.CHUNK  # scenes kept by each process, and how many of them TELL steps replace


def split(painter: nn.Module) -> Split:
    """Matrices and convolutions inside the blocks for Muon (value and gate apart), all else for AdamW."""
    matrices, others = [], []
    for name, parameter in painter.named_parameters():
        if not parameter.requires_grad:
            continue
        inside = "_block" in name or ".layers." in name
        at_an_end = any(
            part in name
            for part in ("input_blocks.0.", "emb_layers.", "parametrizations", "hint_block", "middle_block_out")
        )
        if inside and parameter.ndim >= 2 and not at_an_end:
            matrices.append((parameter, 2 if ".ff.net.0." in name else 1))
        else:
            others.append(parameter)
    return matrices, others


def told_loosely(scenes: Scenes) -> Scenes:
    """Half of the scenes of one kind of subject as if it stood alone and large: the edges say where, and how many."""
    loose = ~scene.paired(scenes.layout) & (torch.rand(len(scenes), device=scenes.layout.device) < 0.5)
    return Scenes(scenes.first, scenes.second, torch.where(loose, scene.ALONE, scenes.layout), scenes.ground)


def start_from(painter: Painter, path: Path) -> None:
    """Fill U-Net and text tower with those of an exported checkpoint."""
    tensors = export.networks_of(path, export.KINDS["sd15"])
    unet, text = (
        {name.removeprefix(own): tensor for name, tensor in tensors.items() if name.startswith(own)}
        for own in ("unet.", "text.")
    )
    painter.text.load_state_dict(text)
    painter.take_over(unet)


def write(painter: Painter, options: argparse.Namespace) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    if options.kind == "lora":
        save_file(low_rank_tensors(painter.unet), options.out / "lora.safetensors")
    elif isinstance(painter, Controlled):
        save_half(painter.control, options.out / "control.safetensors")
    else:
        save_half(painter.unet, options.out / "unet.safetensors")
    if not options.start_from:
        save_half(painter.text, options.out / "text.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    loop.add_options(parser, batch=BATCH, rate=RATE, pool=POOL)
    parser.add_argument("--start-from", type=Path, help="exported checkpoint to begin with; its text tower is kept")
    parser.add_argument("--sprites", type=Path, default=vocabulary.SPRITES)
    parser.add_argument("--rank", type=int, default=8, help="of the changes of a LoRA")
    options = parser.parse_args()
    group = Group.join(options.device)
    device = group.device
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True

    painter = KINDS[options.kind]()
    if options.start_from:
        start_from(painter, options.start_from)
        painter.text.requires_grad_(False)
    painter = painter.to(device, memory_format=torch.channels_last)
    if options.kind == "lora":
        add_low_rank(painter, options.rank)
    run, generator = loop.begin(painter, split(painter), options, group, SEED)
    latents = Latents.of(read_autoencoder(options.autoencoder, device), SD15)
    views = VIEWS[options.kind](latents) if options.kind in VIEWS else latents
    sprites = Sprites.read(device, options.sprites)
    pool = Pool(sprites, views, generator, options.pool, options.chunk, *SHARES, REFRESH)
    told = told_loosely if options.kind == "control" else as_it_is
    source = Captioned.over(pool.batches(TELL * options.batch), generator, told=told)
    loop.train(run, source, loop.pace_of(options, options.out.name), group)
    if group.rank == 0:
        loop.leave(run, lambda painter: write(painter, options), options.state)
    group.leave()


if __name__ == "__main__":
    main()
