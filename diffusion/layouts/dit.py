"""DiTs and PixArts: names of diffusers' DiTTransformer2DModel and PixArtTransformer2DModel to those of their authors.

diffusers has query, key and value apart, and in every block of a DiT a copy of the embedders of time and class, of
which the first is taken. It has no tables of positions, and no text that stands for none.
"""

from __future__ import annotations

import re

from diffusion.layouts.arranged import Arranged, Made, renamed
from diffusion.weights import Weights

_DIT = "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight"
_PIXART = "adaln_single.emb.timestep_embedder.linear_1.bias"
_PATCHES = "pos_embed.proj.bias"
_OUTER = (
    ("pos_embed.proj", "x_embedder.proj"),
    ("transformer_blocks.0.norm1.emb.timestep_embedder.linear_1", "t_embedder.mlp.0"),
    ("transformer_blocks.0.norm1.emb.timestep_embedder.linear_2", "t_embedder.mlp.2"),
    ("transformer_blocks.0.norm1.emb.class_embedder", "y_embedder"),
    ("adaln_single.emb.timestep_embedder.linear_1", "t_embedder.mlp.0"),
    ("adaln_single.emb.timestep_embedder.linear_2", "t_embedder.mlp.2"),
    ("adaln_single.emb.resolution_embedder.linear_1", "csize_embedder.mlp.0"),
    ("adaln_single.emb.resolution_embedder.linear_2", "csize_embedder.mlp.2"),
    ("adaln_single.emb.aspect_ratio_embedder.linear_1", "ar_embedder.mlp.0"),
    ("adaln_single.emb.aspect_ratio_embedder.linear_2", "ar_embedder.mlp.2"),
    ("adaln_single.linear", "t_block.1"),
    ("caption_projection.linear_1", "y_embedder.y_proj.fc1"),
    ("caption_projection.linear_2", "y_embedder.y_proj.fc2"),
    ("proj_out_1", "final_layer.adaLN_modulation.1"),
    ("proj_out_2", "final_layer.linear"),
    ("proj_out", "final_layer.linear"),
    ("scale_shift_table", "final_layer.scale_shift_table"),
)
_BLOCK = (
    ("norm1.linear", "adaLN_modulation.1"),
    ("attn1.to_out.0", "attn.proj"),
    ("attn2.to_q", "cross_attn.q_linear"),
    ("attn2.to_out.0", "cross_attn.proj"),
    ("ff.net.0.proj", "mlp.fc1"),
    ("ff.net.2", "mlp.fc2"),
)
_FUSED = (
    (("attn1.to_q", "attn1.to_k", "attn1.to_v"), "attn.qkv"),
    (("attn2.to_k", "attn2.to_v"), "cross_attn.kv_linear"),
)


def recognises(tensors: Weights) -> bool:
    return _PATCHES in tensors.shapes and (_DIT in tensors.shapes or _PIXART in tensors.shapes)


def single_file(tensors: Weights) -> Arranged:
    result: dict[str, Made] = {}
    for name in tensors:
        found = re.match(r"transformer_blocks\.(\d+)\.(.+)\.(\w+)$|transformer_blocks\.(\d+)\.(\w+)$", name)
        if found is None or ".norm1.emb." in name:
            if not re.match(r"transformer_blocks\.[1-9]\d*\.norm1\.emb\.", name):
                result[renamed(name, _OUTER)] = Made((name,))
            continue
        block, layer, kind = found[1] or found[4], found[2], found[3] or found[5]
        if layer is None:
            result[f"blocks.{block}.{kind}"] = Made((name,))
            continue
        fused = next(((parts, ours) for parts, ours in _FUSED if layer in parts), None)
        if fused is None:
            result[f"blocks.{block}.{renamed(layer, _BLOCK)}.{kind}"] = Made((name,))
        elif layer == fused[0][0]:
            names = tuple(f"transformer_blocks.{block}.{part}.{kind}" for part in fused[0])
            absent = [other for other in names if other not in tensors.shapes]
            if absent:
                raise ValueError(
                    f"expected a tensor {absent[0]!r} beside {name!r}; the checkpoint has none of that name"
                )
            result[f"blocks.{block}.{fused[1]}.{kind}"] = Made(names)
    return Arranged(tensors, result)
