"""How well a hole is filled with what the prompt says: `python -m bench.demo_inpaint [--unet FILE] [--count 24]`.

A held-out pair is painted, then its right half is painted anew as another subject, by the nodes of the tour's
inpainting workflows, and pasted back. It is right when the left subject is still the nearest of all at its place, and
the asked one on the right. `--unet` takes an inpainting network in place of the checkpoint's own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from bench.demo_quality import CHECKPOINTS, SEED
from bench.demo_trials import Settings, Trial, held_out_trials, paint, right_subjects
from bench.train_demo import judge as judging
from bench.train_demo import vocabulary
from bench.train_demo.captions import article
from bench.train_demo.scenes import BESIDE, GROUNDS, SIDE
from diffusion.loader import Checkpoint, load_checkpoint, load_unet
from nodes.batches import image_composite
from nodes.conditioning import clip_text_encode
from nodes.inpaint import inpaint_conditioning
from nodes.sampling import ksampler
from nodes.types import Image, Mask


@dataclass(frozen=True)
class Filled:
    """A picture before and after its right half was filled as `trial` says."""

    before_13HW: Tensor
    after_13HW: Tensor
    trial: Trial


def right_half() -> Mask:
    mask = torch.zeros(1, SIDE, SIDE)
    mask[..., SIDE // 2 :] = 1
    return Mask(mask)


def refilled(trial: Trial, other: int) -> Trial:
    """The same left subject and ground beside another right one."""
    names = [subject.name for subject in vocabulary.load()]
    left, right = (f"{article(names[n])} {names[n]}".strip() for n in (trial.first, other))
    prompt = f"{left} left of {right} on {list(GROUNDS)[trial.ground]} background"
    return replace(trial, prompt=prompt, second=other, seed=trial.seed + 1)


def fill(painter: Checkpoint, filler: Checkpoint, trial: Trial, other: int, settings: Settings) -> Filled:
    before, wanted = Image(paint(painter, [trial], settings, 1)), refilled(trial, other)
    prompts = [clip_text_encode(painter.clip, text) for text in (wanted.prompt, "")]
    mask = right_half()
    prepared = inpaint_conditioning(*prompts, painter.vae, before, mask)
    latent = ksampler(filler.model, *prepared, wanted.seed, settings.steps, settings.cfg, settings.sampler)
    painted = Image(painter.vae.decode(latent.samples_BCHW))
    return Filled(before, image_composite(before, painted, mask=mask), wanted)


def figures(filled: Sequence[Filled]) -> dict[str, object]:
    pictures = torch.cat([one.after_13HW for one in filled])
    trials = [one.trial for one in filled]
    right = right_subjects(pictures, trials, *judging.load())
    kept = right_half()[0] == 0
    apart = max(float((one.after_13HW - one.before_13HW)[..., kept].abs().max()) for one in filled)
    return {
        "filled right": round(float(right.float().mean()), 4),
        "of": len(filled),
        "kept within, of 255": round(apart * 255, 3),
        "wrong": [trial.prompt for trial, ok in zip(trials, right.tolist()) if not ok],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="weft-emoji-unet", help="name in models/demo/checkpoints")
    parser.add_argument("--unet", type=Path, help="file of an inpainting network")
    parser.add_argument("--count", type=int, default=24)
    options = parser.parse_args()
    painter = load_checkpoint(CHECKPOINTS / f"{options.checkpoint}.safetensors", "cpu")
    filler = painter._replace(model=load_unet(options.unet, "cpu")) if options.unet else painter
    generator = torch.Generator().manual_seed(SEED + 1)
    trials = held_out_trials(BESIDE, options.count, generator)
    others = torch.randint(0, len(vocabulary.load()), (len(trials),), generator=generator).tolist()
    settings = Settings(20, 3.0, "euler", "normal")
    filled = [fill(painter, filler, trial, other, settings) for trial, other in zip(trials, others)]
    print(json.dumps(figures(filled), ensure_ascii=False))


if __name__ == "__main__":
    main()
