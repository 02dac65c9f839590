"""ControlNets: names of diffusers to those of the published ones, and which kind of network the names tell."""

from __future__ import annotations

import re
from typing import Literal

from diffusion.layouts import mmdit, unet
from diffusion.layouts.arranged import Arranged, Tensors
from diffusion.mistaken import mistaken_for
from diffusion.networks.shapes import Shapes
from diffusion.weights import Weights

Kind = Literal["U-Net", "MMDiT", "tokens of an MMDiT"]

PREFIX = "control_model."
CONTROL_TYPE = "control_type"
"""A tensor of one number: for which kind of pictures Stability AI made one."""
_MMDIT_HINT = "pos_embed_input.proj.weight"
_HINTS = (_MMDIT_HINT, "input_hint_block.", "controlnet_cond_embedding.")
_JOINT = ("transformer_blocks.0.attn.add_q_proj.weight", "joint_blocks.0.context_block.attn.qkv.weight")


def single_file(tensors: Weights) -> Tensors:
    """A ControlNet's tensors under the names its network has here, whichever layout came.

    ValueError for those that are nothing without the model they were made from.
    """
    if "lora_controlnet" in tensors:
        raise ValueError("this is a Control-LoRA, which is nothing without its model; expected a whole ControlNet")
    if "difference" in tensors:
        raise ValueError("this ControlNet is stored as its difference from a model; expected a whole one")
    tensors = tensors.with_prefix(PREFIX) or tensors
    if not any(name.startswith(_HINTS) for name in tensors):
        raise ValueError(f"expected a ControlNet{mistaken_for(tensors)}")
    if any(name.startswith("double_blocks.") for name in tensors):
        raise ValueError("it is a ControlNet for Flux, which cannot be used")
    match kind_of(tensors.shapes):
        case "MMDiT":
            return Arranged(tensors, mmdit.recipes(tensors, swapped=()))
        case "tokens of an MMDiT":
            made = mmdit.recipes(tensors.select({n: n for n in tensors if n != CONTROL_TYPE}), swapped=())
            return Arranged(tensors, {_alone(name): recipe for name, recipe in made.items()})
        case "U-Net" if unet.recognises(tensors):
            return unet.single_file(tensors.select({_renamed(name): name for name in tensors}))
        case "U-Net":
            return tensors


def kind_of(shapes: Shapes) -> Kind:
    """What a ControlNet is for, by the names of either layout."""
    if _MMDIT_HINT not in shapes:
        return "U-Net"
    return "MMDiT" if any(name in shapes for name in _JOINT) else "tokens of an MMDiT"


def _alone(name: str) -> str:
    """Of a block that has one stream."""
    return name.replace("joint_blocks.", "transformer_blocks.").replace(".x_block.", ".")


def _renamed(name: str) -> str:
    name = name.replace("controlnet_cond_embedding.conv_in.", "input_hint_block.0.")
    name = name.replace("controlnet_cond_embedding.conv_out.", "input_hint_block.14.")
    name = re.sub(
        r"^controlnet_cond_embedding\.blocks\.(\d+)\.", lambda n: f"input_hint_block.{2 * int(n[1]) + 2}.", name
    )
    name = re.sub(r"^controlnet_down_blocks\.(\d+)\.", r"zero_convs.\1.0.", name)
    return name.replace("controlnet_mid_block.", "middle_block_out.0.")
