"""How the demo U-Net goes over to its second style: `python -m bench.demo_styles [--count 24] [--sheet FILE]`.

Held-out prompts and seeds are painted by the first model, by the second, and by what the nodes make of them: the LoRA
at several strengths, merges at several ratios, merges by blocks. The place of a picture between the two models'
pictures of the same prompt and seed, p = <x - a, b - a> / |b - a|^2, is 0 at the first and 1 at the second; told are
its mean, and the share of pictures whose places rise with every strength.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bench.demo_quality import CHECKPOINTS, SEED, save_grid
from bench.demo_trials import Settings, Trial, held_out_trials, paint
from bench.train_demo import export
from bench.train_demo.scenes import ALONE
from diffusion.loader import Checkpoint, load_checkpoint, load_unet
from diffusion.model import Model
from nodes.lora import lora_loader
from nodes.merging import model_merge, model_merge_blocks

SETTINGS = Settings(20, 3.0, "euler", "normal")
FIRST = CHECKPOINTS / "weft-emoji-unet.safetensors"
SECOND = export.FOLDER / export.KINDS["flat"].file
LORA = export.FOLDER / export.KINDS["lora"].file
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
BLOCKS = {"inputs": "IN*:1", "middle": "M*:1", "outputs": "OUT*:1"}


def models(first: Model, second: Model, lora: Path) -> dict[str, list[Model]]:
    """What lies between two styles, each row in the order of STRENGTHS or of BLOCKS."""
    return {
        "lora": [lora_loader(first, lora, strength_model=each).model for each in STRENGTHS],
        "merge": [model_merge(first, second, each) for each in STRENGTHS],
        "blocks": [model_merge_blocks(first, second, 0.0, "flat", text) for text in BLOCKS.values()],
    }


def places(x_B3HW: Tensor, a_B3HW: Tensor, b_B3HW: Tensor) -> Tensor:
    """Where pictures lie between those of two models, one number each."""
    way = (b_B3HW - a_B3HW).flatten(1)
    return ((x_B3HW - a_B3HW).flatten(1) * way).sum(1) / way.square().sum(1)


def rising(rows: Sequence[Tensor]) -> float:
    """The share of pictures whose place rises from each row to the next."""
    return round(float((torch.stack(list(rows)).diff(dim=0) > 0).all(0).float().mean()), 3)


def figures(painted: Mapping[str, Sequence[Tensor]], a_B3HW: Tensor, b_B3HW: Tensor) -> dict[str, object]:
    told: dict[str, object] = {"of": len(a_B3HW)}
    for name, rows in painted.items():
        found = [places(row, a_B3HW, b_B3HW) for row in rows]
        labels = BLOCKS if name == "blocks" else STRENGTHS
        told[name] = {str(label): round(float(place.mean()), 3) for label, place in zip(labels, found)}
        if name != "blocks":
            told[f"{name}, rises in all steps"] = rising(found)
            told[f"{name}, rises at 0, 0.5, 1"] = rising(found[::2])
    return told


def painted_by(checkpoint: Checkpoint, model: Model, trials: Sequence[Trial]) -> Tensor:
    return paint(checkpoint._replace(model=model), trials, SETTINGS, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--second", type=Path, default=SECOND)
    parser.add_argument("--lora", type=Path, default=LORA)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--sheet", type=Path, help="write eight of the pictures, a row for each model")
    options = parser.parse_args()
    checkpoint, second = load_checkpoint(FIRST, "cpu"), load_unet(options.second, "cpu")
    trials = held_out_trials(ALONE, options.count, torch.Generator().manual_seed(SEED))
    a, b = (painted_by(checkpoint, model, trials) for model in (checkpoint.model, second))
    between = models(checkpoint.model, second, options.lora)
    painted = {name: [painted_by(checkpoint, each, trials) for each in row] for name, row in between.items()}
    print(json.dumps(figures(painted, a, b), ensure_ascii=False))
    if options.sheet:
        rows = [*painted["lora"], *painted["merge"], *painted["blocks"], b]
        save_grid(torch.cat([row[:8] for row in rows]), options.sheet)


if __name__ == "__main__":
    main()
