"""MMDiTs: names of diffusers' SD3Transformer2DModel to those of SD3's single files.

diffusers has query, key and value apart, and scale before shift where a stream ends.
"""

from __future__ import annotations

from diffusion.layouts.arranged import Arranged, Made, renamed
from diffusion.networks.shapes import count
from diffusion.weights import Weights

_OUTER = (
    ("pos_embed.pos_embed", "pos_embed"),
    ("pos_embed.proj", "x_embedder.proj"),
    ("time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0"),
    ("time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2"),
    ("time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0"),
    ("time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2"),
    ("norm_out.linear", "final_layer.adaLN_modulation.1"),
    ("proj_out", "final_layer.linear"),
)
_BLOCK = (
    ("norm1.linear", "x_block.adaLN_modulation.1"),
    ("norm1_context.linear", "context_block.adaLN_modulation.1"),
    ("ff.net.0.proj", "x_block.mlp.fc1"),
    ("ff.net.2", "x_block.mlp.fc2"),
    ("ff_context.net.0.proj", "context_block.mlp.fc1"),
    ("ff_context.net.2", "context_block.mlp.fc2"),
    ("attn.to_out.0", "x_block.attn.proj"),
    ("attn2.to_out.0", "x_block.attn2.proj"),
    ("attn.to_add_out", "context_block.attn.proj"),
    ("attn.norm_q", "x_block.attn.ln_q"),
    ("attn.norm_k", "x_block.attn.ln_k"),
    ("attn2.norm_q", "x_block.attn2.ln_q"),
    ("attn2.norm_k", "x_block.attn2.ln_k"),
    ("attn.norm_added_q", "context_block.attn.ln_q"),
    ("attn.norm_added_k", "context_block.attn.ln_k"),
    ("attn.to_q", "x_block.attn.qkv"),
    ("attn2.to_q", "x_block.attn2.qkv"),
    ("attn.add_q_proj", "context_block.attn.qkv"),
)
_KEYS_AND_VALUES = (".to_k.", ".to_v.", ".add_k_proj.", ".add_v_proj.")


def recognises(tensors: Weights) -> bool:
    wanted = ("transformer_blocks.0.attn.add_q_proj.weight", "pos_embed.proj.weight")
    return all(name in tensors.shapes for name in wanted)


def single_file(tensors: Weights) -> Arranged:
    last = f"transformer_blocks.{count(tensors.shapes, 'transformer_blocks.') - 1}.norm1_context.linear."
    return Arranged(tensors, recipes(tensors, swapped=("norm_out.linear.", last)))


def recipes(tensors: Weights, swapped: tuple[str, ...]) -> dict[str, Made]:
    """How each tensor is made; `swapped`: beginnings of the names of those that have scale before shift."""
    result: dict[str, Made] = {}
    for name in tensors:
        names = (name,)
        if ".attn" in name and (".to_q." in name or ".add_q_proj." in name):
            names = (name, *(_of(name, letter) for letter in "kv"))
        if any(part in name for part in _KEYS_AND_VALUES) and _of(name, "q") in tensors.shapes:
            continue
        block, _, rest = name.removeprefix("transformer_blocks.").partition(".")
        inner = renamed(rest, _BLOCK)
        ours = f"joint_blocks.{block}.{inner}" if name.startswith("transformer_blocks.") else renamed(name, _OUTER)
        absent = [other for other in names if other not in tensors.shapes]
        if absent:
            raise ValueError(f"expected a tensor {absent[0]!r} beside {name!r}; the checkpoint has none of that name")
        result[ours] = Made(names, swapped=name.startswith(swapped))
    return result


def _of(name: str, letter: str) -> str:
    """The name of a query, key or value, with another of the three."""
    layer, end = name.rsplit(".", 1)
    head = layer.removesuffix("_proj")
    return f"{head[:-1]}{letter}{layer[len(head) :]}.{end}"
