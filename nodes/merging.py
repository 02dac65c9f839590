"""Nodes that make a model out of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NamedTuple

from diffusion.blocks import CURVES, Ratios, parse_rules
from diffusion.merging.files import merge_files
from diffusion.merging.formulas import FORMULAS
from diffusion.merging.merge import merge_clips, merge_models, merge_vaes
from diffusion.merging.recipe import Recipe
from diffusion.saving import PRECISIONS, chunks
from graph import NO_CONTEXT, Choice, Context, ModelFile, OutputFile, OutputName, Seed, Slider, Text, node
from nodes.pictures import WORKFLOW
from nodes.saving import MEDIA_TYPE
from nodes.types import CLIP, VAE, Model, clip_in, vae_in


class MergedFile(NamedTuple):
    """A checkpoint and a sentence about it."""

    files: list[OutputFile]
    report: str


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
    add_difference A + alpha (B - C), also where A takes masked pictures and the others do not; train_difference:
    less where A knows it already; perpendicular: what A did not learn; weighted_sum, slerp, geometric, cosine:
    between A and B; cosine_a, cosine_b: B where the two are least alike; average: of all; crossover: low
    frequencies of B; rotate: A turned towards B; multiply_quotient A (B / C)^alpha; within: A between B and C;
    low_rank: add_difference at a rank of beta; triple_sum, sum_twice: of all three, by alpha and beta; ties: the
    beta largest changes that agree; dare, della: a random part beta of the changes left out; extract: what B and C
    learned alike (beta 0) or apart (1); rows, columns: alpha of B's, from beta on; model_stock, geometric_median:
    the middle of all. alpha: how much. beta, gamma: see formula; gamma is the sharpness of extract and the spread
    of della. seed: for dare and della. curve, blocks: alpha by blocks, as in Merge models by blocks.
    """
    recipe = Recipe.parsed(formula, alpha, curve, blocks, beta, gamma, seed)
    models = [model_a, model_b] if model_c is None else [model_a, model_b, model_c]
    return merge_models(models, recipe, ctx.progress)


@node("CLIPMerge", category="model", title="Merge text encoders", resource="gpu")
def clip_merge(clip_a: CLIP, clip_b: CLIP, ratio: Annotated[float, Slider(0, 1, 0.05)] = 0.5) -> CLIP:
    """Mix the text encoders of two models of one kind.

    clip_a, clip_b: from loaders. ratio: how much of B is in the mix; 0 is A, 1 is B.
    """
    return merge_clips([clip_in(clip_a, "clip_a"), clip_in(clip_b, "clip_b")], Recipe(Ratios(ratio)))


@node("VAEMerge", category="model", title="Merge VAEs", resource="gpu")
def vae_merge(vae_a: VAE, vae_b: VAE, ratio: Annotated[float, Slider(0, 1, 0.05)] = 0.5) -> VAE:
    """Mix two VAEs of one kind.

    vae_a, vae_b: from loaders. ratio: how much of B is in the mix; 0 is A, 1 is B.
    """
    return merge_vaes([vae_in(vae_a, "vae_a"), vae_in(vae_b, "vae_b")], Recipe(Ratios(ratio)))


@node("CheckpointMerge", category="model", title="Merge checkpoint files", sink=True, resource="io")
def checkpoint_merge(
    checkpoint_a: Annotated[Path, ModelFile("checkpoints")],
    checkpoint_b: Annotated[Path, ModelFile("checkpoints")],
    checkpoint_c: Annotated[Path | None, ModelFile("checkpoints")] = None,
    formula: Annotated[str, Choice(tuple(FORMULAS))] = "weighted_sum",
    alpha: Annotated[float, Slider(-2, 2, 0.05)] = 0.5,
    beta: Annotated[float, Slider(0, 1, 0.05)] = 0.0,
    gamma: Annotated[float, Slider(0, 4, 0.05)] = 1.0,
    seed: Annotated[int, Seed()] = 0,
    curve: Annotated[str, Choice(tuple(CURVES))] = "flat",
    blocks: Annotated[str, Text(multiline=True)] = "",
    precision: Annotated[str, Choice(tuple(PRECISIONS))] = "as it is",
    prefix: Annotated[str, OutputName()] = "checkpoints/merged",
    ctx: Context = NO_CONTEXT,
) -> MergedFile:
    """Merge whole checkpoint files into one, however large: only a piece of a tensor is in memory at a time.

    checkpoint_a, checkpoint_b, checkpoint_c: files in models/checkpoints; what only A has comes along as it is.
    formula, alpha, beta, gamma, seed, curve, blocks: as in Merge models by a formula; text encoders and VAE take alpha
    itself. precision: of the numbers; `as it is` is that of A. prefix: how the name begins; loaders find what is in the
    folder `checkpoints` of the outputs. The file tells its recipe, with the hashes of all files.
    """
    paths = [path for path in (checkpoint_a, checkpoint_b, checkpoint_c) if path is not None]
    recipe = Recipe.parsed(formula, alpha, curve, blocks, beta, gamma, seed)
    merged = merge_files(paths, recipe, PRECISIONS[precision])
    data = chunks(merged.tensors, {**merged.metadata, WORKFLOW: json.dumps(ctx.document)}, ctx.progress)
    file = ctx.save(data, prefix=prefix, media_type=MEDIA_TYPE, width=0, height=0, temporary=False)
    told = merged.told
    report = f"{told['mixed']} tensors mixed, {told['of_a_alone']} of A as they are, {told['left_out']} left out"
    return MergedFile([file], report)
