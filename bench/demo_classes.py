"""How well DiTs paint the class they are asked for: `python -m bench.demo_classes [--dit FILE ...] [--count 64]`.

Random classes and seeds go through the product's own loading and sampling, and the autoencoder of the U-Net's
checkpoint; a picture is right when its subject is the nearest of all. `--sheet` writes the pictures, in rows of eight
or, of several models, in a row for each: a grid of patch sizes and widths.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from bench.demo_quality import SHEET_SEED, save_grid
from bench.demo_trials import Settings
from bench.train_demo import export, vocabulary
from bench.train_demo import judge as judging
from bench.train_demo.scenes import ALONE, SIDE
from diffusion.families.dit import conditioning
from diffusion.loader import load_checkpoint, load_dit
from diffusion.model import VAE, Model
from diffusion.sampling import sample

DIT = export.FOLDER / export.KINDS["dit"].file
UNET = export.FOLDER / export.KINDS["sd15"].file


def paint(model: Model, vae: VAE, labels: Sequence[int], settings: Settings) -> Tensor:
    """A picture of each class, 3 x 128 x 128 in 0..1, with the seeds 0, 1, 2..."""
    pictures = []
    for seed, label in enumerate(labels):
        empty = torch.zeros(1, vae.channels, SIDE // vae.downscale, SIDE // vae.downscale)
        latent = sample(
            model,
            conditioning(label),
            conditioning(None),
            empty,
            seed=seed,
            steps=settings.steps,
            cfg=settings.cfg,
            sampler=settings.sampler,
            schedule=settings.schedule,
        )
        pictures.append(vae.decode(latent))
    return torch.cat(pictures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dit", type=Path, nargs="+", default=[DIT])
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, default=3.0)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    settings = Settings(options.steps, options.cfg, "euler", "normal")
    vae = load_checkpoint(UNET, "cpu").vae
    assert vae is not None
    subjects, generator = vocabulary.load(), torch.Generator().manual_seed(SHEET_SEED)
    labels = torch.randint(0, len(subjects), (options.count,), generator=generator)
    judge, prototypes = judging.load()
    print("; ".join(subjects[label].name for label in labels.tolist()))
    painted = []
    for path in options.dit:
        start = time.perf_counter()
        pictures = paint(load_dit(path, "cpu"), vae, labels.tolist(), settings)
        seconds = (time.perf_counter() - start) / len(labels)
        seen = judging.nearest(judge, prototypes, judging.crops(pictures * 2 - 1, ALONE)[0])
        right = round(float((seen == labels).float().mean()), 4)
        print(json.dumps({"dit": path.stem, "right": right, "of": len(labels), "seconds per picture": seconds}))
        painted.append(pictures)
    if options.sheet:
        save_grid(torch.cat(painted), options.sheet, 8 if len(painted) == 1 else options.count)


if __name__ == "__main__":
    main()
