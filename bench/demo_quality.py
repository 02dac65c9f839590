"""How well a demo model paints: `python -m bench.demo_quality [--checkpoint NAME] [--singles 500] [--pairs 500]`.

Held-out prompts and seeds go through the product's own loading and sampling; each picture is judged by the nearest of
all subjects in the feature space of `bench/train_demo/judge.py` and by the colour of its corners. Figures are shares of
pictures right, with the judge's own share on true pictures as the ceiling where the sprites have been drawn.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bench.train_demo import judge as judging
from bench.train_demo import scenes as scene
from bench.train_demo import train_autoencoder, vocabulary
from bench.train_demo.captions import article
from bench.train_demo.scenes import ABOVE, ALONE, BESIDE, GROUNDS, Scenes, Sprites
from diffusion.conditioning import Conditioning
from diffusion.loader import Checkpoint, load_checkpoint
from diffusion.sampling import sample

CHECKPOINTS = Path(__file__).parents[1] / "models" / "demo" / "checkpoints"
SEED, SHEET_SEED = 2024, 64
RELATIONS = {ALONE: ("",), BESIDE: ("left of", "right of"), ABOVE: ("above", "below")}


@dataclass(frozen=True)
class Settings:
    steps: int
    cfg: float
    sampler: str
    schedule: str


@dataclass(frozen=True)
class Trial:
    """A prompt with what must be seen where: (first, second) are left, right or top, bottom."""

    prompt: str
    layout: int
    first: int
    second: int
    ground: int
    seed: int


def held_out_trials(layout: int, count: int, generator: torch.Generator) -> list[Trial]:
    """Prompts of scenes that no training picture showed, each with a seed of its own."""
    names = [subject.name for subject in vocabulary.load()]
    drawn = train_autoencoder.draw_any(count * 30, len(names), float(layout != ALONE), generator)
    drawn = Scenes(drawn.first, drawn.second, torch.full_like(drawn.layout, layout), drawn.ground)
    drawn = drawn[scene.held_out(drawn).nonzero()[:count, 0]]
    trials = []
    for number, row in enumerate(zip(drawn.first.tolist(), drawn.second.tolist(), drawn.ground.tolist())):
        first, second, ground = row
        relation = RELATIONS[layout][number % len(RELATIONS[layout])]
        named = (second, first) if relation in ("right of", "below") else (first, second)
        subjects = [f"{article(names[n])} {names[n]}".strip() for n in named]
        text = subjects[0] if layout == ALONE else f"{subjects[0]} {relation} {subjects[1]}"
        seed = int(torch.randint(0, 1 << 31, (), generator=generator))
        trials.append(Trial(f"{text} on {list(GROUNDS)[ground]} background", layout, first, second, ground, seed))
    return trials


def paint(checkpoint: Checkpoint, trials: list[Trial], settings: Settings, batch: int) -> Tensor:
    """Pictures B x 3 x 128 x 128 in 0..1, on the CPU; a batch of one is exactly what the product paints."""
    assert checkpoint.clip is not None
    assert checkpoint.vae is not None
    pictures = []
    empty = checkpoint.clip.encode("")
    for at in range(0, len(trials), batch):
        part = trials[at : at + batch]
        encoded = [checkpoint.clip.encode(trial.prompt).entries[0] for trial in part]
        pooled = [one.pooled_BD for one in encoded if one.pooled_BD is not None]
        context_BLD = torch.cat([one.context_BLD for one in encoded])
        positive = Conditioning.of(context_BLD, torch.cat(pooled) if pooled else None)
        side = scene.SIDE // checkpoint.vae.downscale
        latent = sample(
            checkpoint.model,
            positive,
            empty,
            torch.zeros(len(part), checkpoint.vae.channels, side, side),
            seed=part[0].seed,
            steps=settings.steps,
            cfg=settings.cfg,
            sampler=settings.sampler,
            schedule=settings.schedule,
        )
        pictures.append(checkpoint.vae.decode(latent))
    return torch.cat(pictures)


def right_subjects(pictures: Tensor, trials: list[Trial], judge: judging.Judge, prototypes: Tensor) -> Tensor:
    """Which pictures have every subject nearest at its place; all trials of one layout."""
    wanted = [torch.tensor([trial.first for trial in trials]), torch.tensor([trial.second for trial in trials])]
    crops = judging.crops(pictures * 2 - 1, trials[0].layout)
    found = [
        torch.cat([judging.nearest(judge, prototypes, part).cpu() for part in crop.to(prototypes.device).split(256)])
        for crop in crops
    ]
    return torch.stack([seen == want for seen, want in zip(found, wanted)]).all(0)


def right_grounds(pictures: Tensor, trials: list[Trial]) -> Tensor:
    """Which pictures have the asked colour, of all named ones, nearest to the mean of their four corners."""
    corners = torch.stack([pictures[:, :, y, x] for y in (3, -4) for x in (3, -4)]).mean(0)
    colours = torch.tensor(list(GROUNDS.values())) / 255
    return torch.cdist(corners, colours).argmin(1) == torch.tensor([trial.ground for trial in trials])


def measure(checkpoint: Checkpoint, options: argparse.Namespace, settings: Settings) -> dict[str, object]:
    judge, prototypes = judging.load(options.device)
    generator = torch.Generator().manual_seed(SEED)
    figures: dict[str, object] = {"settings": vars(settings)}
    grounds, seconds, painted = [], 0.0, 0
    half = options.pairs // 2
    for name, layout, count in (("one", ALONE, options.singles), ("beside", BESIDE, half), ("above", ABOVE, half)):
        if not count:
            continue
        trials = held_out_trials(layout, count, generator)
        start = time.perf_counter()
        pictures = paint(checkpoint, trials, settings, options.batch)
        seconds, painted = seconds + time.perf_counter() - start, painted + count
        right = right_subjects(pictures, trials, judge, prototypes)
        grounds.append(right_grounds(pictures, trials))
        figures[name] = {"right": round(float(right.float().mean()), 4), "of": count}
        figures[f"{name} wrong"] = [trial.prompt for trial, ok in zip(trials, right.tolist()) if not ok][:12]
    figures["ground right"] = round(float(torch.cat(grounds).float().mean()), 4)
    figures["seconds per picture"] = round(seconds / painted, 3)
    return figures


def ceilings(checkpoint: Checkpoint, device: str) -> dict[str, object]:
    """What does not depend on the painter: the autoencoder's PSNR, and the judge on true pictures."""
    assert checkpoint.vae is not None
    sprites = Sprites.read(device, vocabulary.SPRITES)
    x = train_autoencoder.held_out_pictures(sprites, 256, torch.device(device))
    out = torch.cat([checkpoint.vae.decode(checkpoint.vae.encode((part + 1) / 2)) for part in x.split(32)])
    error = (out - (x.cpu() + 1) / 2).square().mean((1, 2, 3))
    judge, prototypes = judging.load(device)
    return {
        "autoencoder PSNR, dB": round(float((-10 * error.log10()).mean()), 2),
        "judge on true pictures": judging.accuracy(judge, prototypes, sprites, SEED, 1000),
    }


def save_sheet(checkpoint: Checkpoint, settings: Settings, path: Path) -> None:
    """A PNG of 64 held-out prompts drawn at random, 40 of one subject and 24 of two, printed in its order."""
    from PIL import Image  # noqa: PLC0415 (figures need no pictures)

    generator = torch.Generator().manual_seed(SHEET_SEED)
    parts = ((ALONE, 40), (BESIDE, 12), (ABOVE, 12))
    trials = [trial for layout, count in parts for trial in held_out_trials(layout, count, generator)]
    print("; ".join(trial.prompt for trial in trials))
    colours = (paint(checkpoint, trials, settings, 1) * 255).round().int()
    colours = ((colours + 2) // 4 * 4).clamp(max=255).byte()  # six bits a channel, to keep the file small
    grid = colours.unflatten(0, (8, 8)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray(grid.numpy()).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="weft-emoji", help="name in models/demo/checkpoints")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--singles", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--batch", type=int, default=1, help="pictures sampled together")
    parser.add_argument("--steps", type=int, nargs="+", default=[20])
    parser.add_argument("--cfg", type=float, nargs="+", default=[3.0])
    parser.add_argument("--sampler", nargs="+", default=["euler"])
    parser.add_argument("--schedule", default="normal")
    parser.add_argument("--sheet", type=Path, help="only write a PNG of 64 random pictures")
    parser.add_argument("--painter-only", action="store_true", help="leave out autoencoder and judge")
    options = parser.parse_args()
    checkpoint = load_checkpoint(CHECKPOINTS / f"{options.checkpoint}.safetensors", options.device)
    if not (options.painter_only or options.sheet) and vocabulary.SPRITES.exists():
        print(json.dumps(ceilings(checkpoint, options.device)), flush=True)
    if options.sheet:
        save_sheet(
            checkpoint, Settings(options.steps[0], options.cfg[0], options.sampler[0], options.schedule), options.sheet
        )
        return
    for sampler in options.sampler:
        for steps in options.steps:
            for cfg in options.cfg:
                figures = measure(checkpoint, options, Settings(steps, cfg, sampler, options.schedule))
                print(json.dumps(figures, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
