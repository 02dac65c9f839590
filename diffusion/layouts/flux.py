"""Flux: names of diffusers' FluxTransformer2DModel to those of its authors.

diffusers has query, key, value and the first layer of an MLP apart, and scale before shift at the end.
"""

from __future__ import annotations

from diffusion.layouts.arranged import Arranged, Made, renamed
from diffusion.weights import Weights

OUTER = (
    ("x_embedder", "img_in"),
    ("context_embedder", "txt_in"),
    ("time_text_embed.timestep_embedder.linear_1", "time_in.in_layer"),
    ("time_text_embed.timestep_embedder.linear_2", "time_in.out_layer"),
    ("time_text_embed.guidance_embedder.linear_1", "guidance_in.in_layer"),
    ("time_text_embed.guidance_embedder.linear_2", "guidance_in.out_layer"),
    ("time_text_embed.text_embedder.linear_1", "vector_in.in_layer"),
    ("time_text_embed.text_embedder.linear_2", "vector_in.out_layer"),
    ("norm_out.linear", "final_layer.adaLN_modulation.1"),
    ("proj_out", "final_layer.linear"),
)
DOUBLE = (
    ("norm1.linear", "img_mod.lin"),
    ("norm1_context.linear", "txt_mod.lin"),
    ("attn.to_out.0", "img_attn.proj"),
    ("attn.to_add_out", "txt_attn.proj"),
    ("attn.norm_q.weight", "img_attn.norm.query_norm.scale"),
    ("attn.norm_k.weight", "img_attn.norm.key_norm.scale"),
    ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"),
    ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"),
    ("ff.net.0.proj", "img_mlp.0"),
    ("ff.net.2", "img_mlp.2"),
    ("ff_context.net.0.proj", "txt_mlp.0"),
    ("ff_context.net.2", "txt_mlp.2"),
)
SINGLE = (
    ("norm.linear", "modulation.lin"),
    ("proj_out", "linear2"),
    ("attn.norm_q.weight", "norm.query_norm.scale"),
    ("attn.norm_k.weight", "norm.key_norm.scale"),
)
FUSED = (
    ("transformer_blocks.", "attn.to_q", ("attn.to_k", "attn.to_v"), "img_attn.qkv"),
    ("transformer_blocks.", "attn.add_q_proj", ("attn.add_k_proj", "attn.add_v_proj"), "txt_attn.qkv"),
    ("single_transformer_blocks.", "attn.to_q", ("attn.to_k", "attn.to_v", "proj_mlp"), "linear1"),
)
BLOCKS = (
    ("transformer_blocks.", "double_blocks.", DOUBLE),
    ("single_transformer_blocks.", "single_blocks.", SINGLE),
)


def recognises(tensors: Weights) -> bool:
    return len(tensors.shapes.get("x_embedder.weight", ())) == 2 and any(
        name.startswith("single_transformer_blocks.") for name in tensors
    )


def single_file(tensors: Weights) -> Arranged:
    result: dict[str, Made] = {}
    for name in tensors:
        found = next(((outer, ours, inner) for outer, ours, inner in BLOCKS if name.startswith(outer)), None)
        if found is None:
            swapped = name.startswith("norm_out.linear.")
            result[renamed(name, OUTER)] = Made((name,), swapped=swapped)
            continue
        outer, ours, inner = found
        block, _, rest = name.removeprefix(outer).partition(".")
        layer, _, kind = rest.rpartition(".")
        fused = next(
            (
                (first, others, made)
                for where, first, others, made in FUSED
                if where == outer and layer in (first, *others)
            ),
            None,
        )
        if fused is None:
            result[f"{ours}{block}.{renamed(rest, inner)}"] = Made((name,))
        elif layer == fused[0]:
            names = tuple(f"{outer}{block}.{part}.{kind}" for part in (layer, *fused[1]))
            absent = [other for other in names if other not in tensors.shapes]
            if absent:
                raise ValueError(
                    f"expected a tensor {absent[0]!r} beside {name!r}; the checkpoint has none of that name"
                )
            result[f"{ours}{block}.{fused[2]}.{kind}"] = Made(names)
    return Arranged(tensors, result)
