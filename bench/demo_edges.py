"""How well the demo ControlNet is followed: `python -m bench.demo_edges [--count 32]`.

A picture of something small, or in a corner or at a side, is painted; a prompt that names the subject and the colour
but not the place is painted with another seed, alone and with the ControlNet and the first picture's edges. Agreement
is F1 of the edges of the two pictures, those within a pixel of each other counting as the same.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.demo_quality import CHECKPOINTS, SEED, save_grid
from bench.demo_trials import PLACES, Settings, Trial, held_out_trials, paint, right_subjects, say_english
from bench.train_demo import export, vocabulary
from bench.train_demo import judge as judging
from bench.train_demo.scenes import ALONE, SMALL
from diffusion import hints
from diffusion.loader import Checkpoint, load_checkpoint
from nodes.conditioning import clip_text_encode
from nodes.controlnet import canny_edges, controlnet_apply, controlnet_loader
from nodes.latent import empty_latent
from nodes.sampling import ksampler
from nodes.types import ControlNet, Image

SETTINGS = Settings(20, 3.0, "euler", "normal")
CONTROL = export.FOLDER / export.KINDS["edges"].file
NEAR = 3
"""Side of the square of pixels among which an edge counts as there."""


def without_place(trial: Trial) -> Trial:
    """The same subject and ground from another seed, with no word of where."""
    subject = vocabulary.load()[trial.first]
    prompt = say_english(subject, subject, ALONE, trial.ground, 0)
    return replace(trial, prompt=prompt, seed=trial.seed + 1)


def followed(checkpoint: Checkpoint, control: ControlNet, trial: Trial, like: Tensor, strength: float) -> Tensor:
    assert checkpoint.clip is not None
    assert checkpoint.vae is not None
    positive, negative = (clip_text_encode(checkpoint.clip, text) for text in (trial.prompt, ""))
    edges = canny_edges(Image(like))
    wanted = controlnet_apply(positive, negative, control, edges, strength=strength)
    latent = ksampler(
        checkpoint.model,
        wanted.positive,
        wanted.negative,
        empty_latent(128, 128),
        trial.seed,
        SETTINGS.steps,
        SETTINGS.cfg,
    )
    return checkpoint.vae.decode(latent.samples_BCHW)


def agreement(picture_B3HW: Tensor, like_B3HW: Tensor) -> Tensor:
    """F1 of edges, one number a picture."""
    found, wanted = (hints.canny(x, 0.1, 0.2) for x in (picture_B3HW, like_B3HW))
    near_found, near_wanted = (F.max_pool2d(x, NEAR, stride=1, padding=NEAR // 2) for x in (found, wanted))
    precision = (found * near_wanted).sum((1, 2, 3)) / found.sum((1, 2, 3)).clamp_min(1)
    recall = (wanted * near_found).sum((1, 2, 3)) / wanted.sum((1, 2, 3)).clamp_min(1)
    return 2 * precision * recall / (precision + recall).clamp_min(1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--control", type=Path, default=CONTROL)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--sheet", type=Path, help="write eight of them: the picture followed, without, with")
    options = parser.parse_args()
    checkpoint, control = (
        load_checkpoint(CHECKPOINTS / "weft-emoji-unet.safetensors", "cpu"),
        controlnet_loader(options.control),
    )
    generator, layouts = torch.Generator().manual_seed(SEED), (SMALL, *PLACES)
    trials = [held_out_trials(layouts[n % len(layouts)], 1, generator)[0] for n in range(options.count)]
    asked = [without_place(trial) for trial in trials]
    like, alone = (paint(checkpoint, each, SETTINGS, 1) for each in (trials, asked))
    along = torch.cat(
        [followed(checkpoint, control, trial, like[n : n + 1], options.strength) for n, trial in enumerate(asked)]
    )
    judge = judging.load()
    right = [bool(right_subjects(along[n : n + 1], [trial], *judge)) for n, trial in enumerate(trials)]
    without, with_control = (agreement(x, like).mean() for x in (alone, along))
    told = {
        "of": len(trials),
        "edges agree without": round(float(without), 3),
        "with": round(float(with_control), 3),
        "times": round(float(with_control / without), 2),
        "right subject at its place with": sum(right) / len(right),
    }
    print(json.dumps(told))
    if options.sheet:
        save_grid(torch.cat([like[:8], alone[:8], along[:8]]), options.sheet)


if __name__ == "__main__":
    main()
