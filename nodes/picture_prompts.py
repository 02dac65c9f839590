"""Nodes that show pictures to a model as a part of its prompt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from torch import Tensor

from diffusion.conditioning import Conditioning as Texts
from diffusion.picture_prompts import PicturePrompt, load_ip_adapter
from graph import NO_CONTEXT, Context, ModelFile, Slider, node
from nodes.controlnet import Steered
from nodes.loaders import home
from nodes.types import Conditioning, Image, IPAdapter, Vision

_Fraction = Annotated[float, Slider(0, 1, 0.01)]


@node("IPAdapterLoader", category="loaders", title="Load IP-Adapter", resource="io")
def ip_adapter_loader(ip_adapter: Annotated[Path, ModelFile("ipadapter")], ctx: Context = NO_CONTEXT) -> IPAdapter:
    """Open an IP-Adapter, a small model that has another one read pictures as it reads a prompt.

    ip_adapter: a file in models/ipadapter, for Stable Diffusion 1 or XL.
    """
    return load_ip_adapter(ip_adapter, home(ctx))


@node("CLIPVisionLoader", category="loaders", title="Load image encoder", resource="io")
def clip_vision_loader(clip_vision: Annotated[Path, ModelFile("clip_vision")], ctx: Context = NO_CONTEXT) -> Vision:
    """Open an image encoder, through which IP-Adapters see pictures.

    clip_vision: a file in models/clip_vision; each IP-Adapter was made with one.
    """
    from diffusion.vision import load_vision  # noqa: PLC0415 - imports transformers, which takes seconds

    return load_vision(clip_vision, home(ctx))


@node("IPAdapterApply", category="conditioning", title="Picture as a prompt", resource="gpu")
def ip_adapter_apply(
    positive: Conditioning,
    negative: Conditioning,
    ip_adapter: IPAdapter,
    clip_vision: Vision,
    image: Image,
    weight: Annotated[float, Slider(-1, 3, 0.05)] = 1.0,
    start: _Fraction = 0.0,
    end: _Fraction = 1.0,
) -> Steered:
    """Paint something like a picture: its subject, its style, its mood.

    positive, negative: the prompts. ip_adapter: from Load IP-Adapter, made for the kind of model that paints.
    clip_vision: the image encoder it was made with. image: what to show it, cut to a square; several are seen
    together. weight: how much it counts beside the text; 0 not at all. start, end: from where to where on the way from
    noise to picture.
    """
    if weight == 0:
        return Steered(positive, negative)
    nothing = clip_vision.nothing()
    tokens = ip_adapter.of_pictures(clip_vision.look(image)), ip_adapter.of_none(len(image), nothing)

    def shown(texts: Texts, tokens_1LD: Tensor) -> Texts:
        prompt = PicturePrompt(ip_adapter, tokens_1LD, weight, start, end)
        return texts.each(lambda entry: replace(entry, pictures=(*entry.pictures, prompt)))

    return Steered(shown(positive, tokens[0]), shown(negative, tokens[1]))
