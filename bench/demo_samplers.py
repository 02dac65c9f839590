"""Which samplers get to the end in how many steps: `python -m bench.demo_samplers [--schedule karras] [--count 12]`.

A table of all samplers: the share of held-out pictures with the right subjects, half of them one subject and half two
beside each other, all sampled together. A sampler that calls the model twice a step takes twice as long.
"""

from __future__ import annotations

import argparse

import torch

from bench.demo_quality import CHECKPOINTS, SEED
from bench.demo_trials import Settings, held_out_trials, paint, right_subjects
from bench.train_demo import judge as judging
from bench.train_demo.scenes import ALONE, BESIDE
from diffusion import samplers
from diffusion.loader import load_checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="weft-emoji-unet", help="name in models/demo/checkpoints")
    parser.add_argument("--schedule", default="normal")
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 8, 12, 20])
    parser.add_argument("--cfg", type=float, default=3.0)
    parser.add_argument("--count", type=int, default=12, help="pictures")
    options = parser.parse_args()
    checkpoint = load_checkpoint(CHECKPOINTS / f"{options.checkpoint}.safetensors", "cpu")
    judge, prototypes = judging.load("cpu")
    generator = torch.Generator().manual_seed(SEED)
    half = options.count // 2
    trials = [held_out_trials(layout, half, generator) for layout in (ALONE, BESIDE)]
    print(f"| sampler | {' | '.join(map(str, options.steps))} |\n|{'---|' * (len(options.steps) + 1)}")
    for sampler in samplers.names():
        shares = []
        for steps in options.steps:
            settings = Settings(steps, options.cfg, sampler, options.schedule)
            pictures = paint(checkpoint, [*trials[0], *trials[1]], settings, 2 * half)
            right = [right_subjects(part, kind, judge, prototypes) for part, kind in zip(pictures.split(half), trials)]
            shares.append(f"{float(torch.cat(right).float().mean()):.0%}")
        print(f"| {sampler} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
