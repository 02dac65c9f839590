"""Autoencoder tensors under the names of single-file checkpoints, from those of diffusers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

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


def single_file_vae(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names as in single files, whichever of the two layouts came; training leftovers are dropped.

    diffusers numbers the decoder's levels the other way round and has linear layers where single files have 1x1
    convolutions.
    """
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(("loss.", "model_ema."))}
    levels = {int(found[1]) for name in kept if (found := re.match(r"decoder\.up_blocks\.(\d+)\.", name))}
    if not levels:
        return kept
    result: dict[str, Tensor] = {}
    for name, tensor in kept.items():
        name = re.sub(r"\.up_blocks\.(\d+)\.", lambda found: f".up.{max(levels) - int(found[1])}.", name)
        for theirs, ours in _NAMES:
            name = re.sub(theirs, ours, name)
        is_linear = ".attn_1." in name and name.endswith(".weight") and tensor.ndim == 2
        result[name] = tensor[:, :, None, None] if is_linear else tensor
    return result
