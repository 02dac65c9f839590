"""Nodes that make a model out of models."""

from __future__ import annotations

from typing import Annotated

from diffusion.blocks import CURVES, Ratios, parse_rules
from diffusion.merging.formulas import FORMULAS
from diffusion.merging.merge import Recipe, merge_clips, merge_models, merge_vaes
from graph import NO_CONTEXT, Choice, Context, Seed, Slider, Text, node
from nodes.types import CLIP, VAE, Model, needed


@node("ModelMerge", category="model", title="Merge models", resource="gpu")
def model_merge(model_a: Model, model_b: Model, ratio: Annotated[float, Slider(0, 1, 0.05)] = 0.5) -> Model:
    """Mix two models of one kind into a third that paints a bit like both.

    model_a, model_b: from loaders. ratio: how much of B is in the mix; 0 is A, 1 is B.
    """
    return merge_models([model_a, model_b], Recipe(Ratios(ratio)))


@node("ModelMergeBlocks", category="model", title="Merge models by blocks", resource="gpu")
def model_merge_blocks(
    model_a: Model,
    model_b: Model,
    ratio: Annotated[float, Slider(0, 1, 0.05)] = 1.0,
    curve: Annotated[str, Choice(tuple(CURVES))] = "grad_v",
    blocks: Annotated[str, Text(multiline=True)] = "",
    ctx: Context = NO_CONTEXT,
) -> Model:
    """Mix two models with a ratio of its own for every block: outer ones make style and detail, inner ones subjects.

    model_a, model_b: from loaders. ratio: how much of B, times the curve. curve: how the ratio goes from the first
    block to the last. blocks: ratios that stand above it, such as `IN00-IN05:0.2, M00:1, OUT*:attn2:0.7`: a block, a
    range or a pattern, a part of the tensors' names if wanted, the ratio; the last that fits counts. U-Nets have BASE,
    IN00..., M00 and OUT00..., MMDiTs BASE, J00... and FINAL.
    """
    return merge_models([model_a, model_b], Recipe(Ratios(ratio, curve, parse_rules(blocks))), ctx.progress)


@node("ModelMergeFormula", category="model", title="Merge models by a formula", resource="gpu")
def model_merge_formula(
    model_a: Model,
    model_b: Model,
    model_c: Model | None = None,
    formula: Annotated[str, Choice(tuple(FORMULAS))] = "add_difference",
    alpha: Annotated[float, Slider(-2, 2, 0.05)] = 1.0,
    beta: Annotated[float, Slider(0, 1, 0.05)] = 0.0,
    gamma: Annotated[float, Slider(0, 4, 0.05)] = 1.0,
    seed: Annotated[int, Seed()] = 0,
    curve: Annotated[str, Choice(tuple(CURVES))] = "flat",
    blocks: Annotated[str, Text(multiline=True)] = "",
    ctx: Context = NO_CONTEXT,
) -> Model:
    """Make one model of two or three in other ways than by mixing, such as adding to A what B has learned since C.

    model_a, model_b, model_c: from loaders; C is what A and B were made from, where a formula asks for it. formula:
    add_difference A + alpha (B - C), also where A takes masked pictures and the others do not; train_difference: less
    where A knows it already; perpendicular: what A did not learn; weighted_sum, slerp, geometric, cosine: between A and
    B; triple_sum, sum_twice: of all three, by alpha and beta; ties: the beta largest changes that agree; dare, della: a
    random part beta of the changes left out; extract: what B and C learned alike (beta 0) or apart (1); rows: alpha of
    B's rows, from beta on; model_stock, geometric_median: the middle of all. alpha: how much. beta, gamma: see formula;
    gamma is the sharpness of extract and the spread of della. seed: for dare and della. curve, blocks: alpha by blocks,
    as in Merge models by blocks.
    """
    recipe = Recipe(Ratios(alpha, curve, parse_rules(blocks)), formula, beta, gamma, seed)
    models = [model_a, model_b] if model_c is None else [model_a, model_b, model_c]
    return merge_models(models, recipe, ctx.progress)


@node("CLIPMerge", category="model", title="Merge text encoders", resource="gpu")
def clip_merge(clip_a: CLIP, clip_b: CLIP, ratio: Annotated[float, Slider(0, 1, 0.05)] = 0.5) -> CLIP:
    """Mix the text encoders of two models of one kind.

    clip_a, clip_b: from loaders. ratio: how much of B is in the mix; 0 is A, 1 is B.
    """
    return merge_clips([needed(clip, "text encoder") for clip in (clip_a, clip_b)], Recipe(Ratios(ratio)))


@node("VAEMerge", category="model", title="Merge VAEs", resource="gpu")
def vae_merge(vae_a: VAE, vae_b: VAE, ratio: Annotated[float, Slider(0, 1, 0.05)] = 0.5) -> VAE:
    """Mix two VAEs of one kind.

    vae_a, vae_b: from loaders. ratio: how much of B is in the mix; 0 is A, 1 is B.
    """
    return merge_vaes([needed(vae, "VAE") for vae in (vae_a, vae_b)], Recipe(Ratios(ratio)))
