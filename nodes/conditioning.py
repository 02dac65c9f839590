"""Nodes that turn words into what a model listens to, and say where, when and how much each of them counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from diffusion.conditioning import Rectangle, Sizes, combined, continued, mixed, silenced
from diffusion.regions import bounds
from graph import Choice, Slider, Text, node
from nodes.types import CLIP, Conditioning, Mask, clip_in

_Pixels = Annotated[int, Slider(0, 16384, 8)]
_Fraction = Annotated[float, Slider(0, 1, 0.01)]
_Strength = Annotated[float, Slider(0, 10, 0.05)]


@node("CLIPTextEncode", category="conditioning", title="Prompt", resource="gpu")
def clip_text_encode(clip: CLIP, text: Annotated[str, Text(multiline=True)] = "") -> Conditioning:
    """Write what the picture should show, or what it should not.

    clip: the text encoder, from a loader. text: the prompt; `(word:1.3)` makes a word count more, `(word:0.7)` less.
    """
    return clip_in(clip).encode(text)


@node("ConditioningCombine", category="conditioning", title="Combine")
def combine(conditionings: list[Conditioning]) -> Conditioning:
    """Follow several prompts at once, each for itself: the picture is what they agree on.

    conditionings: any number of links; give them areas or masks to have each rule a part of the picture.
    """
    return combined(conditionings)


@node("ConditioningConcat", category="conditioning", title="Append")
def concat(conditioning: Conditioning, more: Conditioning) -> Conditioning:
    """Read one prompt after the other, as if it were one text, but without a word of either changing the other's.

    conditioning: the first prompt. more: what follows it.
    """
    return continued(conditioning, more)


@node("ConditioningAverage", category="conditioning", title="Mix")
def average(conditioning_a: Conditioning, conditioning_b: Conditioning, ratio: _Fraction = 0.5) -> Conditioning:
    """Mean something between two prompts.

    conditioning_a, conditioning_b: two prompts. ratio: how much of B is in the mix; 0 is A, 1 is B.
    """
    return mixed(conditioning_a, conditioning_b, ratio)


@node("ConditioningZeroOut", category="conditioning", title="Silence")
def zero_out(conditioning: Conditioning) -> Conditioning:
    """Say nothing at all, not even the empty text: what some models were taught to take for no prompt.

    conditioning: whose form to keep.
    """
    return silenced(conditioning)


@node("ConditioningSetArea", category="conditioning", title="Area in pixels")
def set_area(
    conditioning: Conditioning,
    width: _Pixels = 256,
    height: _Pixels = 256,
    x: _Pixels = 0,
    y: _Pixels = 0,
    strength: _Strength = 1.0,
) -> Conditioning:
    """Follow a prompt in a rectangle of the picture only; combine it with one for the whole.

    conditioning: the prompt. width, height, x, y: the rectangle in pixels, x from the left, y from the top; rounded
    down to 8. strength: how much it counts there, beside others.
    """
    return _placed(conditioning, Rectangle(x, y, width, height), strength)


@node("ConditioningSetAreaFraction", category="conditioning", title="Area")
def set_area_fraction(
    conditioning: Conditioning,
    width: _Fraction = 0.5,
    height: _Fraction = 1.0,
    x: _Fraction = 0.0,
    y: _Fraction = 0.0,
    strength: _Strength = 1.0,
) -> Conditioning:
    """Follow a prompt in a rectangle of the picture only; combine it with one for the whole.

    conditioning: the prompt. width, height, x, y: the rectangle in fractions of the picture, x from the left, y from
    the top. strength: how much it counts there, beside others.
    """
    return _placed(conditioning, Rectangle(x, y, width, height, "fractions"), strength)


@node("ConditioningSetMask", category="conditioning", title="Area by mask")
def set_mask(
    conditioning: Conditioning,
    mask: Mask,
    strength: _Strength = 1.0,
    context: Annotated[str, Choice(("whole picture", "around the mask"))] = "whole picture",
) -> Conditioning:
    """Follow a prompt where a mask says so; combine it with one for the rest.

    conditioning: the prompt. mask: 1 where it counts, 0 where not, stretched over the picture. strength: how much it
    counts there, beside others. context: what the model sees while it paints there; around the mask is faster.
    """
    rectangle = None if context == "whole picture" else bounds(mask)
    return conditioning.each(
        lambda entry: replace(entry, mask_BHW=mask, area=rectangle, strength=entry.strength * strength)
    )


@node("ConditioningSetTimestepRange", category="conditioning", title="Time range")
def set_timestep_range(conditioning: Conditioning, start: _Fraction = 0.0, end: _Fraction = 1.0) -> Conditioning:
    """Follow a prompt for a part of the way only; combine it with others for the rest.

    conditioning: the prompt. start, end: fractions of the schedule; early on the layout is decided, late the details.
    """
    if start > end:
        raise ValueError(f"expected a start before the end, got {start} and {end}")
    return conditioning.each(lambda entry: replace(entry, start=start, end=end))


@node("ConditioningSetSizes", category="conditioning", title="Sizes")
def set_sizes(
    conditioning: Conditioning,
    width: _Pixels = 1024,
    height: _Pixels = 1024,
    crop_x: _Pixels = 0,
    crop_y: _Pixels = 0,
    target_width: _Pixels = 1024,
    target_height: _Pixels = 1024,
    aesthetic: Annotated[float, Slider(0, 10, 0.5)] = 6.0,
) -> Conditioning:
    """Tell a model that was taught to listen for it, such as SDXL, what size of photograph to imitate.

    conditioning: the prompt. width, height: the size it was taken in; small ones look blurred. crop_x, crop_y: how far
    it was cropped at the left and at the top. target_width, target_height: the size it is shown in. aesthetic: how
    beautiful it is, heard by the refiner; 6 for what to show, 2.5 for what to avoid.
    """
    sizes = Sizes(height, width, crop_y, crop_x, target_height, target_width, aesthetic)
    return conditioning.each(lambda entry: replace(entry, sizes=sizes))


def _placed(conditioning: Conditioning, area: Rectangle, strength: float) -> Conditioning:
    return conditioning.each(lambda entry: replace(entry, area=area, strength=entry.strength * strength))
