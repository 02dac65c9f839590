"""Nodes that write models to files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

from diffusion.saving import PRECISIONS, Stored, checkpoint, chunks, metadata_of, network
from graph import NO_CONTEXT, Choice, Context, OutputFile, OutputName, node
from nodes.pictures import WORKFLOW
from nodes.types import CLIP, VAE, Model

MEDIA_TYPE = "application/x-safetensors"


@node("CheckpointSave", category="model", title="Save checkpoint", sink=True, resource="io")
def checkpoint_save(
    model: Model,
    clip: CLIP | None = None,
    vae: VAE | None = None,
    prefix: Annotated[str, OutputName()] = "checkpoints/weft",
    precision: Annotated[str, Choice(tuple(PRECISIONS))] = "float16",
    ctx: Context = NO_CONTEXT,
) -> list[OutputFile]:
    """Write a model, its text encoders and its VAE into one safetensors file, with this workflow as its recipe.

    model, clip, vae: what goes in; the last two may be left out. prefix: how the name begins; loaders find what is in
    the folder `checkpoints` of the outputs. precision: of the numbers; `as it is` may be larger than the file it came
    from.
    """
    tensors = checkpoint(model, clip, vae, PRECISIONS[precision])
    return [_written(tensors, model, prefix, ctx)]


@node("ModelSave", category="model", title="Save model", sink=True, resource="io")
def model_save(
    model: Model,
    prefix: Annotated[str, OutputName()] = "diffusion_models/weft",
    precision: Annotated[str, Choice(tuple(PRECISIONS))] = "float16",
    ctx: Context = NO_CONTEXT,
) -> list[OutputFile]:
    """Write a model alone into a safetensors file, with this workflow as its recipe.

    model: what goes in. prefix: how the name begins; loaders find what is in the folder `diffusion_models` of the
    outputs. precision: of the numbers; `as it is` may be larger than the file it came from.
    """
    return [_written(network(model, PRECISIONS[precision]), model, prefix, ctx)]


def _written(tensors: Mapping[str, Stored], model: Model, prefix: str, ctx: Context) -> OutputFile:
    metadata = metadata_of(model) | {WORKFLOW: json.dumps(ctx.document)}
    data = chunks(tensors, metadata, ctx.progress)
    return ctx.save(data, prefix=prefix, media_type=MEDIA_TYPE, width=0, height=0, temporary=False)
