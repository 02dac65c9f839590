"""How well a demo model paints: `python -m bench.demo_quality [--checkpoint NAME] [--kinds KIND ...] [--count 100]`.

Held-out prompts and seeds go through the product's own loading and sampling; each picture is judged by the nearest of
all subjects in the feature space of `bench/train_demo/judge.py` and by the colour of its border. Figures are shares of
pictures right, with the judge's own share on true pictures as the ceiling where the sprites have been drawn.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from bench import demo_trials
from bench.demo_trials import KINDS, Settings, held_out_trials, paint, right_grounds, right_subjects
from bench.train_demo import judge as judging
from bench.train_demo import train_autoencoder, vocabulary
from bench.train_demo.scenes import ABOVE, ALONE, BESIDE, Sprites
from diffusion.loader import Checkpoint, load_checkpoint, load_unet

CHECKPOINTS = Path(__file__).parents[1] / "models" / "demo" / "checkpoints"
SEED, SHEET_SEED = 2024, 64
SHEET = (
    (ALONE, 24, False),
    (BESIDE, 8, False),
    *((layout, 4, False) for layout in demo_trials.COUNTS),
    *((layout, 1, False) for layout in demo_trials.PLACES),
    (ALONE, 8, True),
    (ABOVE, 4, True),
)
"""What the 64 pictures of a sheet show: layout, how many, whether asked for in Chinese."""


def measure(
    checkpoint: Checkpoint, kinds: Sequence[str], count: int, settings: Settings, batch: int, device: str
) -> dict[str, object]:
    """Shares of pictures that show what was asked, `count` of each kind."""
    judge, prototypes = judging.load(device)
    generator = torch.Generator().manual_seed(SEED)
    figures: dict[str, object] = {"settings": vars(settings)}
    grounds, seconds, painted = [], 0.0, 0
    for name in kinds:
        right, wrong = [], []
        for trials in demo_trials.trials_of(KINDS[name], count, generator):
            start = time.perf_counter()
            pictures = paint(checkpoint, trials, settings, batch)
            seconds, painted = seconds + time.perf_counter() - start, painted + len(trials)
            right.append(right_subjects(pictures, trials, judge, prototypes))
            grounds.append(right_grounds(pictures, trials))
            wrong += [trial.prompt for trial, ok in zip(trials, right[-1].tolist()) if not ok]
        share = torch.cat(right).float().mean()
        figures[name] = {"right": round(float(share), 4), "of": count, "wrong": wrong[:12]}
    figures["ground right"] = round(float(torch.cat(grounds).float().mean()), 4)
    figures["seconds per picture"] = round(seconds / painted, 3)
    return figures


def ceilings(checkpoint: Checkpoint, device: str) -> dict[str, object]:
    """What does not depend on the painter: the autoencoder's PSNR, and the judge on true pictures."""
    assert checkpoint.vae is not None
    sprites = Sprites.read(device, vocabulary.SPRITES)
    x = (train_autoencoder.held_out_pictures(sprites, 256, torch.device(device)) + 1) / 2
    out = torch.cat([checkpoint.vae.decode(checkpoint.vae.encode(part)) for part in x.split(32)])
    error = (out - x.cpu()).square().mean((1, 2, 3))
    judge, prototypes = judging.load(device)
    return {
        "autoencoder PSNR, dB": round(float((-10 * error.log10()).mean()), 2),
        "judge on true pictures": judging.accuracy(judge, prototypes, sprites, SEED, 1000),
    }


def save_sheet(checkpoint: Checkpoint, settings: Settings, path: Path) -> None:
    """A PNG of 64 held-out prompts drawn at random, printed in its order."""
    generator = torch.Generator().manual_seed(SHEET_SEED)
    trials = [trial for layout, count, chinese in SHEET for trial in held_out_trials(layout, count, generator, chinese)]
    print("; ".join(trial.prompt for trial in trials))
    save_grid(paint(checkpoint, trials, settings, 1), path)


def save_grid(pictures_B3HW: Tensor, path: Path, columns: int = 8) -> None:
    """Pictures in 0..1 as one PNG, row by row."""
    from PIL import Image  # noqa: PLC0415 (figures need no pictures)

    colours = (pictures_B3HW * 255).round().int()
    colours = ((colours + 2) // 4 * 4).clamp(max=255).byte()  # six bits a channel, to keep the file small
    grid = colours.unflatten(0, (-1, columns)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray(grid.numpy()).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="weft-emoji", help="name in models/demo/checkpoints")
    parser.add_argument("--unet", type=Path, help="file of a U-Net in place of the checkpoint's own")
    parser.add_argument("--towers", nargs="+", help="text towers to keep, the others are left out: clip_l, clip_g")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=tuple(KINDS), help="what to ask for")
    parser.add_argument("--count", type=int, default=100, help="pictures of each kind")
    parser.add_argument("--batch", type=int, default=1, help="pictures sampled together")
    parser.add_argument("--steps", type=int, nargs="+", default=[20])
    parser.add_argument("--cfg", type=float, nargs="+", default=[3.0])
    parser.add_argument("--sampler", nargs="+", default=["euler"])
    parser.add_argument("--schedule", default="normal")
    parser.add_argument("--sheet", type=Path, help="only write a PNG of 64 random pictures")
    parser.add_argument("--painter-only", action="store_true", help="leave out autoencoder and judge")
    options = parser.parse_args()
    checkpoint = load_checkpoint(CHECKPOINTS / f"{options.checkpoint}.safetensors", options.device)
    if options.unet:
        checkpoint = checkpoint._replace(model=load_unet(options.unet, options.device))
    if options.towers:
        assert checkpoint.clip is not None
        kept = {name: checkpoint.clip.towers[name] for name in options.towers}
        checkpoint = checkpoint._replace(clip=replace(checkpoint.clip, towers=kept))
    settings = [
        Settings(steps, cfg, sampler, options.schedule)
        for sampler in options.sampler
        for steps in options.steps
        for cfg in options.cfg
    ]
    if options.sheet:
        save_sheet(checkpoint, settings[0], options.sheet)
        return
    if not options.painter_only and vocabulary.SPRITES.exists():
        print(json.dumps(ceilings(checkpoint, options.device)), flush=True)
    for one in settings:
        figures = measure(checkpoint, options.kinds, options.count, one, options.batch, options.device)
        print(json.dumps(figures, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
