"""How long the demo models take for a picture: `python -m bench.demo_times`.

A prompt at 128x128, 20 steps, cfg 3, encoding and decoding included, on the CPU with as many threads as it has cores:
the first run of the process, and the best of the next ones, in wall time, with a seed of its own each.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import torch

from bench.demo_classes import DIT
from bench.demo_classes import paint as paint_classes
from bench.demo_quality import CHECKPOINTS
from bench.demo_trials import Settings, Trial, paint
from bench.train_demo.scenes import ALONE
from diffusion.loader import load_checkpoint, load_dit

SETTINGS = Settings(20, 3.0, "euler", "normal")


def timed(paint_once: Callable[[int], object], runs: int) -> dict[str, float]:
    seconds = []
    for seed in range(runs):
        start = time.perf_counter()
        paint_once(seed)
        seconds.append(time.perf_counter() - start)
    return {"first, s": round(seconds[0], 2), "next, s": round(min(seconds[1:]), 2)}


def of_checkpoint(name: str) -> Callable[[int], object]:
    checkpoint = load_checkpoint(CHECKPOINTS / f"{name}.safetensors", "cpu")
    return lambda seed: paint(checkpoint, [Trial("a fox on blue background", ALONE, 0, 0, 0, seed)], SETTINGS, 1)


def of_classes() -> Callable[[int], object]:
    dit, vae = load_dit(DIT, "cpu"), load_checkpoint(CHECKPOINTS / "weft-emoji-unet.safetensors", "cpu").vae
    assert vae is not None
    return lambda seed: paint_classes(dit, vae, [seed], SETTINGS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4)
    runs = parser.parse_args().runs
    print(json.dumps({"threads": torch.get_num_threads()}))
    for name in ("weft-emoji", "weft-emoji-unet"):
        print(json.dumps({name: timed(of_checkpoint(name), runs)}), flush=True)
    print(json.dumps({"weft-emoji-dit": timed(of_classes(), runs)}))


if __name__ == "__main__":
    main()
