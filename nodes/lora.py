"""Nodes that add small trained changes to a model, and that make such changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, cast

import torch
from torch import Tensor

from diffusion.blocks import parse_rules
from diffusion.patches.apply import matching, network_of, patch_clip, patch_model
from diffusion.patches.combine import Weighted, combine, differences, shrunk, tensors_of
from diffusion.patches.file import read_adapters
from diffusion.saving import chunks, stored
from graph import NO_CONTEXT, Choice, Context, ModelFile, OutputFile, OutputName, Slider, Text, node
from nodes.pictures import WORKFLOW
from nodes.types import CLIP, Model


class Patched(NamedTuple):
    """`clip` is None where none came in; `left_out`: the names of adapters that have no place, one a line."""

    model: Model
    clip: CLIP
    left_out: str


class Made(NamedTuple):
    """A file of LoRAs and a sentence about it."""

    files: list[OutputFile]
    report: str


@node("LoRALoader", category="loaders", title="Load LoRA", resource="gpu")
def lora_loader(
    model: Model,
    lora: Annotated[Path, ModelFile("loras")],
    clip: CLIP | None = None,
    strength_model: Annotated[float, Slider(-4, 4, 0.05)] = 1.0,
    strength_clip: Annotated[float, Slider(-4, 4, 0.05)] = 1.0,
    blocks: Annotated[str, Text(multiline=True)] = "",
    unmatched: Annotated[str, Choice(("refuse", "leave out"))] = "refuse",
) -> Patched:
    """Teach a model a style, a character or a subject from a small file, and leave the model itself as it is.

    model: from a loader. clip: the text encoder that goes with it; without one, only the model learns. lora: a file in
    models/loras, a LoRA or one of its kin (LoHa, LoKr, DoRA, OFT, ...), made for this kind of model. strength_model,
    strength_clip: how much of it is added to each; 0 is none, 1 is as it was trained, below 0 takes it away. blocks:
    factors of strength_model for parts of the model, such as `IN00-IN05:0, OUT*:attn2:0.5`, as in Merge models by
    blocks. unmatched: what to do with parts of the file this model has no place for; left_out names them.
    """
    if strength_model == 0 and (clip is None or strength_clip == 0):
        return Patched(model, cast(CLIP, clip), "")
    adapters, left_out = read_adapters(lora), ()
    if unmatched == "leave out":
        adapters, left_out = matching(adapters, model, clip)
    patched_clip = None if clip is None else patch_clip(clip, adapters, strength_clip)
    patched = patch_model(model, adapters, strength_model, parse_rules(blocks))
    return Patched(patched, cast(CLIP, patched_clip), "\n".join(left_out))


@node("LoRAMerge", category="model", title="Merge LoRAs", sink=True, resource="cpu")
def lora_merge(
    lora_1: Annotated[Path, ModelFile("loras")],
    lora_2: Annotated[Path, ModelFile("loras")],
    strength_1: Annotated[float, Slider(-4, 4, 0.05)] = 1.0,
    strength_2: Annotated[float, Slider(-4, 4, 0.05)] = 1.0,
    rank: Annotated[int, Slider(0, 512)] = 0,
    prefix: Annotated[str, OutputName()] = "loras/merged",
    ctx: Context = NO_CONTEXT,
) -> Made:
    """Write one LoRA file that does what two do together.

    lora_1, lora_2: files in models/loras. strength_1, strength_2: how much of each; the result is used with strength 1.
    rank: 0 joins them exactly, at the sum of their ranks; otherwise the closest of that rank, and report says how much
    is kept. prefix: how the name begins; Load LoRA finds what is in the folder `loras` of the outputs.
    """
    joined = combine([Weighted(read_adapters(lora_1), strength_1), Weighted(read_adapters(lora_2), strength_2)])
    kept: Mapping[str, float] = {}
    if rank:
        joined, kept = shrunk(joined, rank)
    return _written(tensors_of(joined), kept, prefix, ctx)


@node("LoRAExtract", category="model", title="LoRA from two models", sink=True, resource="gpu")
def lora_extract(
    model_a: Model,
    model_b: Model,
    clip_a: CLIP | None = None,
    clip_b: CLIP | None = None,
    rank: Annotated[int, Slider(1, 512)] = 32,
    prefix: Annotated[str, OutputName()] = "loras/extracted",
    ctx: Context = NO_CONTEXT,
) -> Made:
    """Write what one model has learned since another as a LoRA file.

    model_a: the model it began as. model_b: what became of it. clip_a, clip_b: their text encoders, if those are to be
    in it. rank: more is closer and larger; report says how much of the difference is in the file. prefix: how the name
    begins; Load LoRA finds what is in the folder `loras` of the outputs.
    """
    pairs = [("lora_unet_", model_a.network, model_b.network)]
    if clip_a is not None and clip_b is not None:
        if clip_a.towers.keys() != clip_b.towers.keys():
            raise ValueError(f"LoRA: expected the same text encoders, got {list(clip_a.towers)}, {list(clip_b.towers)}")
        prefixes = {"clip_l": "lora_te1_", "clip_h": "lora_te1_", "clip_g": "lora_te2_", "t5xxl": "lora_te3_"}
        pairs += [(prefixes[s], network_of(t), network_of(clip_b.towers[s])) for s, t in clip_a.towers.items()]
    tensors: dict[str, Tensor] = {}
    kept: dict[str, float] = {}
    for done, (beginning, a, b) in enumerate(pairs):
        ctx.progress(done, len(pairs))
        found, shares = differences(a, b, beginning, rank)
        tensors |= found
        kept |= shares
    if not tensors:
        raise ValueError("LoRA: the two models are equal, there is nothing to extract")
    return _written(tensors, kept, prefix, ctx)


def _written(tensors: Mapping[str, Tensor], kept: Mapping[str, float], prefix: str, ctx: Context) -> Made:
    report = "everything is kept"
    if kept:
        worst = min(kept, key=lambda key: kept[key])
        report = (
            f"{len(kept)} layers, {sum(kept.values()) / len(kept):.1%} of the change kept on average, "
            f"least in {worst}: {kept[worst]:.1%}"
        )
    data = chunks(
        {name: stored(tensor, torch.float16) for name, tensor in tensors.items()},
        {WORKFLOW: json.dumps(ctx.document), "weft.kept": report},
        ctx.progress,
    )
    file = ctx.save(data, prefix=prefix, media_type="application/x-safetensors", width=0, height=0, temporary=False)
    return Made([file], report)
