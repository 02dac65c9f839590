"""Autoencoders: names of diffusers' AutoencoderKL to those of single files.

diffusers numbers the decoder's levels the other way round and has linear layers where single files have 1x1
convolutions.
"""

from __future__ import annotations

import re

from diffusion.layouts.arranged import Arranged, Made
from diffusion.weights import Weights

_NAMES = (
    (r"\.resnets\.", ".block."),
    (r"\.conv_shortcut\.", ".nin_shortcut."),
    (r"\.downsamplers\.0\.", ".downsample."),
    (r"\.upsamplers\.0\.", ".upsample."),
    (r"\bmid_block\.block\.0\.", "mid.block_1."),
    (r"\bmid_block\.block\.1\.", "mid.block_2."),
    (r"\bmid_block\.attentions\.0\.", "mid.attn_1."),
    (r"\.group_norm\.", ".norm."),
    (r"\.(?:to_q|query)\.", ".q."),
    (r"\.(?:to_k|key)\.", ".k."),
    (r"\.(?:to_v|value)\.", ".v."),
    (r"\.(?:to_out\.0|proj_attn)\.", ".proj_out."),
    (r"\.conv_norm_out\.", ".norm_out."),
    (r"\.down_blocks\.", ".down."),
)


def single_file(tensors: Weights) -> Arranged:
    """Names as in single files, whichever of the two layouts came; training leftovers are dropped."""
    kept = [name for name in tensors if not name.startswith(("loss.", "model_ema."))]
    levels = {int(found[1]) for name in kept if (found := re.match(r"decoder\.up_blocks\.(\d+)\.", name))}
    if not levels:
        return Arranged(tensors, {name: Made((name,)) for name in kept})
    result: dict[str, Made] = {}
    for name in kept:
        ours = re.sub(r"\.up_blocks\.(\d+)\.", lambda found: f".up.{max(levels) - int(found[1])}.", name)
        for theirs, replacement in _NAMES:
            ours = re.sub(theirs, replacement, ours)
        result[ours] = Made((name,), as_conv=".attn_1." in ours and ours.endswith(".weight"))
    return Arranged(tensors, result)
