"""U-Nets: names of diffusers' UNet2DConditionModel, nested in levels, to the numbered blocks of single files."""

from __future__ import annotations

import re
from itertools import accumulate

from diffusion.layouts.arranged import Arranged, Made, renamed
from diffusion.weights import Weights

_OUTER = (
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("add_embedding.linear_1", "label_emb.0.0"),
    ("add_embedding.linear_2", "label_emb.0.2"),
    ("conv_in", "input_blocks.0.0"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
    ("mid_block.resnets.0", "middle_block.0"),
    ("mid_block.attentions.0", "middle_block.1"),
    ("mid_block.resnets.1", "middle_block.2"),
)
_RES_BLOCK = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
)


def recognises(tensors: Weights) -> bool:
    return "conv_in.weight" in tensors.shapes and any(name.startswith("down_blocks.") for name in tensors)


def single_file(tensors: Weights) -> Arranged:
    blocks = _blocks(tensors)
    result: dict[str, Made] = {}
    for name in tensors:
        ours = renamed(name, _OUTER)
        found = re.match(r"((?:down|up)_blocks\.\d+\.\w+\.\d+)\.(.+)", name)
        if found and found[1] in blocks:
            ours = f"{blocks[found[1]]}.{_resized(found[1], found[2])}"
        if ".resnets." in name:
            ours = renamed(ours, _RES_BLOCK, where=_block_of(ours))
        result[ours] = Made((name,))
    return Arranged(tensors, result)


def _resized(block: str, rest: str) -> str:
    return "op" + rest.removeprefix("conv") if ".downsamplers." in block else rest


def _block_of(name: str) -> str:
    """`middle_block.0.` of `middle_block.0.norm1.weight`, with both numbers of the others."""
    found = re.match(r"(middle_block\.\d+|\w+_blocks\.\d+\.\d+)\.", name)
    return found[0] if found else ""


def _blocks(tensors: Weights) -> dict[str, str]:
    """Every residual block, transformer and change of size by its name in a level."""
    found = {match[0] for name in tensors if (match := re.match(r"(?:down|up)_blocks\.\d+\.\w+\.\d+", name))}
    result: dict[str, str] = {}
    counts = _res_blocks(found, "down")
    for level, first in enumerate(accumulate((n + 1 for n in counts), initial=1)):
        for i in range(counts[level] if level < len(counts) else 0):
            result[f"down_blocks.{level}.resnets.{i}"] = f"input_blocks.{first + i}.0"
            result[f"down_blocks.{level}.attentions.{i}"] = f"input_blocks.{first + i}.1"
            result[f"down_blocks.{level}.downsamplers.0"] = f"input_blocks.{first + i + 1}.0"
    counts = _res_blocks(found, "up")
    for level, first in enumerate(accumulate(counts, initial=0)):
        for i in range(counts[level] if level < len(counts) else 0):
            has_text = f"up_blocks.{level}.attentions.{i}" in found
            result[f"up_blocks.{level}.resnets.{i}"] = f"output_blocks.{first + i}.0"
            result[f"up_blocks.{level}.attentions.{i}"] = f"output_blocks.{first + i}.1"
            result[f"up_blocks.{level}.upsamplers.0"] = f"output_blocks.{first + i}.{1 + has_text}"
    return result


def _res_blocks(found: set[str], way: str) -> list[int]:
    """How many each level has."""
    levels = [int(name.split(".")[1]) for name in found if name.startswith(f"{way}_blocks.") and ".resnets." in name]
    return [levels.count(level) for level in sorted(set(levels))]
