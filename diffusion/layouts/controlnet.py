"""ControlNets: names of diffusers to those of the published ones."""

from __future__ import annotations

import re

from diffusion.layouts import mmdit, unet
from diffusion.layouts.arranged import Arranged, Tensors
from diffusion.weights import Weights

PREFIX = "control_model."
_MMDIT_HINT = "pos_embed_input.proj.weight"


def single_file(tensors: Weights) -> Tensors:
    """A ControlNet's tensors under the names its network has here, whichever layout came."""
    tensors = tensors.with_prefix(PREFIX) or tensors
    if _MMDIT_HINT in tensors.shapes:
        return Arranged(tensors, mmdit.recipes(tensors, swapped=()))
    if not unet.recognises(tensors):
        return tensors
    return unet.single_file(tensors.select({_renamed(name): name for name in tensors}))


def is_mmdit(tensors: Tensors) -> bool:
    return _MMDIT_HINT in tensors.shapes


def _renamed(name: str) -> str:
    name = name.replace("controlnet_cond_embedding.conv_in.", "input_hint_block.0.")
    name = name.replace("controlnet_cond_embedding.conv_out.", "input_hint_block.14.")
    name = re.sub(
        r"^controlnet_cond_embedding\.blocks\.(\d+)\.", lambda n: f"input_hint_block.{2 * int(n[1]) + 2}.", name
    )
    name = re.sub(r"^controlnet_down_blocks\.(\d+)\.", r"zero_convs.\1.0.", name)
    return name.replace("controlnet_mid_block.", "middle_block_out.0.")
