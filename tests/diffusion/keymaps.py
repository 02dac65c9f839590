"""Key maps from the layout of diffusers to the single-file layout, to load one set of random weights into both."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

State = Mapping[str, Tensor]


def rename(key: str, rules: Mapping[str, str]) -> str:
    for pattern, replacement in rules.items():
        key = re.sub(pattern, replacement, key)
    return key


def swap_halves(tensor: Tensor) -> Tensor:
    """diffusers' continuous adaLN has scale before shift, SD3's layout shift before scale."""
    return torch.cat(tensor.chunk(2)[::-1])


# --- MMDiT -----------------------------------------------------------------------------------------------------------

MMDIT_RULES = {
    r"^pos_embed\.pos_embed$": "pos_embed",
    r"^pos_embed\.proj": "x_embedder.proj",
    r"^time_text_embed\.timestep_embedder\.linear_1": "t_embedder.mlp.0",
    r"^time_text_embed\.timestep_embedder\.linear_2": "t_embedder.mlp.2",
    r"^time_text_embed\.text_embedder\.linear_1": "y_embedder.mlp.0",
    r"^time_text_embed\.text_embedder\.linear_2": "y_embedder.mlp.2",
    r"^norm_out\.linear": "final_layer.adaLN_modulation.1",
    r"^proj_out": "final_layer.linear",
    r"^transformer_blocks": "joint_blocks",
    r"norm1\.linear": "x_block.adaLN_modulation.1",
    r"norm1_context\.linear": "context_block.adaLN_modulation.1",
    r"\.ff\.net\.0\.proj": ".x_block.mlp.fc1",
    r"\.ff\.net\.2": ".x_block.mlp.fc2",
    r"\.ff_context\.net\.0\.proj": ".context_block.mlp.fc1",
    r"\.ff_context\.net\.2": ".context_block.mlp.fc2",
    r"\.(attn2?)\.to_out\.0": r".x_block.\1.proj",
    r"\.(attn2?)\.norm_([qk])\.": r".x_block.\1.ln_\2.",
    r"\.attn\.to_add_out": ".context_block.attn.proj",
    r"\.attn\.norm_added_([qk])": r".context_block.attn.ln_\1",
    r"\.(attn2?)\.to_q\.": r".x_block.\1.qkv.",
    r"\.attn\.add_q_proj\.": ".context_block.attn.qkv.",
}


def mmdit(reference: State) -> dict[str, Tensor]:
    """SD3Transformer2DModel to the SD3 layout: q, k, v fused; scale and shift swapped in the two continuous adaLNs."""
    last = max(int(key.split(".")[1]) for key in reference if key.startswith("transformer_blocks."))
    swapped = ("norm_out.linear.", f"transformer_blocks.{last}.norm1_context.linear.")
    result: dict[str, Tensor] = {}
    for key, tensor in reference.items():
        if re.search(r"\.(to_[kv]|add_[kv]_proj)\.", key):
            continue
        if fused := re.search(r"\.(to|add)_q(_proj)?\.", key):
            others = (key.replace("_q", letter, 1) if fused else key for letter in ("_k", "_v"))
            tensor = torch.cat([tensor, *(reference[other] for other in others)])
        if key.startswith(swapped):
            tensor = swap_halves(tensor)
        result[rename(key, MMDIT_RULES)] = tensor
    return result


# --- autoencoder -----------------------------------------------------------------------------------------------------

AUTOENCODER_RULES = {
    r"conv_norm_out": "norm_out",
    r"mid_block\.resnets\.0": "mid.block_1",
    r"mid_block\.resnets\.1": "mid.block_2",
    r"mid_block\.attentions\.0\.group_norm": "mid.attn_1.norm",
    r"mid_block\.attentions\.0\.to_out\.0": "mid.attn_1.proj_out",
    r"mid_block\.attentions\.0\.to_([qkv])": r"mid.attn_1.\1",
    r"down_blocks\.(\d+)\.resnets": r"down.\1.block",
    r"down_blocks\.(\d+)\.downsamplers\.0": r"down.\1.downsample",
    r"up\.(\d+)\.resnets": r"up.\1.block",
    r"up\.(\d+)\.upsamplers\.0": r"up.\1.upsample",
    r"conv_shortcut": "nin_shortcut",
}


def autoencoder(reference: State) -> dict[str, Tensor]:
    """AutoencoderKL to the LDM layout: decoder levels reversed, middle attention as 1x1 convolutions."""
    last = max(int(key.split(".")[2]) for key in reference if key.startswith("decoder.up_blocks."))
    result: dict[str, Tensor] = {}
    for key, tensor in reference.items():
        if ".attentions." in key and tensor.ndim == 2:
            tensor = tensor[:, :, None, None]
        key = re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{last - int(found[1])}", key)
        result[rename(key, AUTOENCODER_RULES)] = tensor
    return result


# --- U-Net -----------------------------------------------------------------------------------------------------------

UNET_RULES = {
    r"^time_embedding\.linear_1": "time_embed.0",
    r"^time_embedding\.linear_2": "time_embed.2",
    r"^add_embedding\.linear_1": "label_emb.0.0",
    r"^add_embedding\.linear_2": "label_emb.0.2",
    r"^conv_in": "input_blocks.0.0",
    r"^conv_norm_out": "out.0",
    r"^conv_out": "out.2",
    r"^mid_block\.resnets\.0": "middle_block.0",
    r"^mid_block\.attentions\.0": "middle_block.1",
    r"^mid_block\.resnets\.1": "middle_block.2",
}

RES_BLOCK_RULES = {
    r"\.norm1\.": ".in_layers.0.",
    r"\.conv1\.": ".in_layers.2.",
    r"\.time_emb_proj\.": ".emb_layers.1.",
    r"\.norm2\.": ".out_layers.0.",
    r"\.conv2\.": ".out_layers.3.",
    r"\.conv_shortcut\.": ".skip_connection.",
}


def unet(reference: State) -> dict[str, Tensor]:
    """UNet2DConditionModel to the LDM layout: nested levels to two flat lists of blocks."""
    per_level = 1 + max(int(key.split(".")[3]) for key in reference if key.startswith("down_blocks.0.resnets."))
    result: dict[str, Tensor] = {}
    for key, tensor in reference.items():
        renamed = rename(key, RES_BLOCK_RULES) if ".resnets." in key else key
        renamed = rename(renamed, UNET_RULES)
        if found := re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|\w+samplers)\.(\d+)\.(.*)", renamed):
            renamed = _block_key(found, reference, per_level)
        result[renamed] = tensor
    return result


def _block_key(found: re.Match[str], reference: State, per_level: int) -> str:
    way, level, kind, index, rest = found[1], int(found[2]), found[3], int(found[4]), found[5]
    part = 1 if kind == "attentions" else 0
    if way == "down":
        block = 1 + level * (per_level + 1) + (per_level if kind == "downsamplers" else index)
        return f"input_blocks.{block}.{part}.{rest.replace('conv.', 'op.') if kind == 'downsamplers' else rest}"
    if kind == "upsamplers":
        part = 1 + any(key.startswith(f"up_blocks.{level}.attentions.") for key in reference)
        index = per_level
    return f"output_blocks.{level * (per_level + 1) + index}.{part}.{rest}"
