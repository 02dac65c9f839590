"""Nodes that change how prompts are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from diffusion.model import FROM_EMPTY, Weighting
from diffusion.reading import from_layer, with_t5, with_words
from diffusion.text.a1111 import parse_a1111
from diffusion.text.encode import keeping_mean
from graph import Choice, ModelFile, Slider, Text, node
from nodes.types import CLIP, Conditioning, clip_in

_ABSENT: Mapping[str, int | None] = MappingProxyType(
    {"as the model says": None, "77 rows of zeros": 77, "256 rows of zeros": 256, "nothing": 0}
)


@node("CLIPTextEncodeEach", category="conditioning", title="Prompt for each encoder", resource="gpu")
def clip_text_encode_each(
    clip: CLIP,
    clip_l: Annotated[str, Text(multiline=True)] = "",
    clip_g: Annotated[str, Text(multiline=True)] = "",
    t5xxl: Annotated[str, Text(multiline=True)] = "",
) -> Conditioning:
    """Say something else to each text encoder of a model that has several, such as SDXL or Stable Diffusion 3.

    clip: the text encoders, from a loader. clip_l, clip_g, t5xxl: the prompt of each; those that are not there are
    passed over.
    """
    texts = {"clip_l": clip_l, "clip_g": clip_g, "t5xxl": t5xxl}
    return clip_in(clip).encode_each(texts)


@node("CLIPSetLastLayer", category="conditioning", title="Clip skip")
def clip_set_last_layer(clip: CLIP, layer: Annotated[int, Slider(-32, -1)] = -2) -> CLIP:
    """Listen to an earlier layer of a CLIP text encoder, as some models were taught to.

    clip: the text encoder. layer: counted from the end; -1 is the last, -2 is what others call clip skip 2.
    """
    return from_layer(clip_in(clip), -layer)


@node("CLIPSetWeighting", category="conditioning", title="Prompt weighting")
def clip_set_weighting(clip: CLIP, weighting: Annotated[str, Choice(("from empty", "web UI"))] = "from empty") -> CLIP:
    """Choose what weights in prompts do.

    clip: the text encoder. weighting: from empty moves a word away from what an empty prompt says; web UI reads and
    weighs prompts as AUTOMATIC1111 does, where `[x]` weakens and weights multiply, for pictures made there.
    """
    chosen = FROM_EMPTY if weighting == "from empty" else Weighting(parse_a1111, keeping_mean)
    clip = clip_in(clip)
    return replace(clip, weighting=chosen, origin=f"{clip.origin} weighting {weighting}")


@node("CLIPSetT5", category="conditioning", title="T5 reading")
def clip_set_t5(
    clip: CLIP,
    tokens: Annotated[int, Slider(1, 512)] = 77,
    without: Annotated[str, Choice(tuple(_ABSENT))] = "as the model says",
) -> CLIP:
    """Choose how long a text T5 is given, and what stands for it in Stable Diffusion 3 where it is not loaded.

    clip: the text encoders. tokens: shorter prompts are padded to as many; 77 as in Stable Diffusion 3's own code, 256
    as in diffusers. without: what the network gets where T5 is missing.
    """
    return with_t5(clip_in(clip), tokens, _ABSENT[without])


@node("EmbeddingLoader", category="loaders", title="Load learned word", resource="io")
def embedding_loader(clip: CLIP, embedding: Annotated[Path, ModelFile("embeddings")]) -> CLIP:
    """Teach a text encoder a word from a file (textual inversion): write `embedding:NAME` in a prompt to use it.

    clip: the text encoder it was learned with. embedding: a file in models/embeddings; NAME is its name without ending.
    """
    return with_words(clip_in(clip), embedding)
