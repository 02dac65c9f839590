"""Nodes that steer with pictures, and that make pictures to steer with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, NamedTuple

from diffusion import hints
from diffusion.conditioning import Entry
from diffusion.controls import Control
from diffusion.steering import LARGE_KINDS, UNION_KINDS, load_controlnet, preparation
from graph import NO_CONTEXT, Choice, Context, ModelFile, Slider, Toggle, node
from nodes.loaders import home
from nodes.types import VAE, Conditioning, ControlNet, Image, Mask

KINDS = (*UNION_KINDS, *(kind for kind in LARGE_KINDS if kind not in UNION_KINDS))
_Fraction = Annotated[float, Slider(0, 1, 0.01)]


class Steered(NamedTuple):
    positive: Conditioning
    negative: Conditioning


@node("ControlNetLoader", category="loaders", title="Load ControlNet", resource="io")
def controlnet_loader(control_net: Annotated[Path, ModelFile("controlnet")], ctx: Context = NO_CONTEXT) -> ControlNet:
    """Open a ControlNet, a small model that makes another one follow a picture: edges, depth, a pose.

    control_net: a file in models/controlnet, for Stable Diffusion 1, 2, XL, 3 or 3.5.
    """
    return load_controlnet(control_net, home(ctx))


@node("ControlNetKind", category="conditioning", title="Kind of picture")
def controlnet_kind(control_net: ControlNet, kind: Annotated[str, Choice(KINDS)] = "edges") -> ControlNet:
    """Tell a ControlNet that follows several kinds of pictures which one it gets.

    control_net: a ControlNet Union, or one for Stable Diffusion 3.5 large whose file does not say it. kind: of the
    picture to follow.
    """
    return control_net.of_kind(kind)


@node("ControlNetApply", category="conditioning", title="Follow a picture")
def controlnet_apply(
    positive: Conditioning,
    negative: Conditioning,
    control_net: ControlNet,
    image: Image,
    vae: VAE | None = None,
    mask: Mask | None = None,
    strength: Annotated[float, Slider(0, 4, 0.05)] = 1.0,
    start: _Fraction = 0.0,
    end: _Fraction = 1.0,
) -> Steered:
    """Make what is painted follow a picture; several of these, one after the other, work together.

    positive, negative: the prompts. control_net: from Load ControlNet, made for the kind of model that paints. image:
    what to follow, as the ControlNet knows it (for instance edges), stretched to the canvas; one, or one for each
    picture. vae: the model's own, for Stable Diffusion 3. mask: 1 where to paint, for ControlNets that paint into a
    picture. strength: how closely to follow; 0 not at all. start, end: from where to where on the way from noise to
    picture.
    """
    if strength == 0:
        return Steered(positive, negative)
    control = Control(control_net, image, preparation(control_net, vae, mask), strength, start, end)

    def steer(entry: Entry) -> Entry:
        return replace(entry, controls=(*entry.controls, control))

    return Steered(positive.each(steer), negative.each(steer))


@node("CannyEdges", category="image", title="Edges")
def canny_edges(image: Image, low: _Fraction = 0.1, high: _Fraction = 0.2) -> Image:
    """Draw the edges of a picture as white lines on black, for ControlNets that follow edges.

    image: the picture. high: how strong an edge has to be. low: how strong it has to be where it goes on from such a
    one; lower is more edges.
    """
    return Image(hints.canny(image, low, high).expand(-1, 3, -1, -1))


@node("GrayImage", category="image", title="Gray")
def gray_image(image: Image) -> Image:
    """A picture without its colours.

    image: the picture.
    """
    return Image(hints.gray(image).expand(-1, 3, -1, -1))


@node("InvertImage", category="image", title="Invert")
def invert_image(image: Image) -> Image:
    """Black for white and white for black, every colour its opposite.

    image: the picture.
    """
    return Image(1 - image)


@node("Silhouette", category="image", title="Silhouette")
def silhouette(image: Image, threshold: _Fraction = 0.5, dark: Annotated[bool, Toggle()] = True) -> Image:
    """What is darker than a threshold in white, the rest in black.

    image: the picture. threshold: how bright is too bright. dark: off takes what is brighter instead.
    """
    marked = (hints.gray(image) < threshold) == dark
    return Image(marked.to(image.dtype).expand(-1, 3, -1, -1))
