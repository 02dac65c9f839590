"""Nodes that say what the model's estimates are guided by, and how."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from diffusion import guides
from diffusion.guidance.rules import Guidance, Span, Term, on_first_channels, projected, rescaled, zero_star
from diffusion.guidance.terms import PerturbedAttention, SelfAttention, SkippedLayers, blocks_of
from graph import Choice, Curve, Slider, Text, node
from nodes.reading import read
from nodes.types import Conditioning, Guide, Model

Scale = Annotated[float, Slider(0, 100, 0.1)]
Share = Annotated[float, Slider(0, 1, 0.01)]
STRICTNESS = Curve(0, 100)


@node("BasicGuider", category="sampling/guides", title="Guide by one prompt")
def basic_guider(model: Model, conditioning: Conditioning) -> Guide:
    """The model's estimate as it is, for models that need no guidance.

    model: from a loader. conditioning: what to show.
    """
    return guides.unguided(model, conditioning)


@node("CFGGuider", category="sampling/guides", title="Guide by two prompts")
def cfg_guider(model: Model, positive: Conditioning, negative: Conditioning, cfg: Scale = 7.0) -> Guide:
    """Towards what to show and away from what to avoid, as KSampler does.

    model: from a loader. positive: what to show. negative: what to avoid. cfg: how strictly to follow the prompt.
    """
    return guides.classifier_free(model, positive, negative, cfg)


@node("DualCFGGuider", category="sampling/guides", title="Guide by three prompts")
def dual_cfg_guider(
    model: Model,
    first: Conditioning,
    second: Conditioning,
    negative: Conditioning,
    cfg_first: Scale = 7.0,
    cfg_second: Scale = 1.5,
    style: Annotated[str, Choice(("regular", "nested"))] = "regular",
) -> Guide:
    """Towards two things with a strictness each, such as text and picture of InstructPix2Pix.

    model: from a loader. first: all that is wanted. second: what is wanted with a strictness of its own. negative:
    what to avoid. cfg_first: from the second towards the first. cfg_second: from the negative one towards the
    second. style: "nested" guides what the first two came to.
    """
    make = guides.dual if style == "regular" else guides.nested
    return make(model, first, second, negative, (cfg_first, cfg_second))


@node("PerpNegGuider", category="sampling/guides", title="Guide by what contradicts")
def perp_neg_guider(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    empty: Conditioning,
    cfg: Scale = 7.0,
    negative_scale: Scale = 1.0,
) -> Guide:
    """Away from that alone of the negative prompt which the positive one does not want anyway.

    model: from a loader. positive: what to show. negative: what to avoid. empty: the conditioning of an empty
    prompt. cfg: how strictly to follow the positive one. negative_scale: how much the negative one counts.
    """
    return guides.perpendicular(model, positive, negative, empty, cfg, negative_scale)


@node("RescaleCFG", category="model/guidance", title="Rescale guidance")
def rescale_cfg(model: Model, amount: Share = 0.7) -> Model:
    """Keep strict guidance from burning the picture.

    model: to guide so. amount: how far contrast is brought back.
    """
    return _joined_by(model, replace(model.guidance, join=rescaled(amount)), f"rescale {amount}")


@node("CFGZeroStar", category="model/guidance", title="CFG-Zero*")
def cfg_zero_star(model: Model, zero_start: bool = True) -> Model:
    """Guidance for flow models that fits the negative estimate to the positive one.

    model: to guide so. zero_start: let the first step, whose estimate is poor, do nothing.
    """
    return _joined_by(model, replace(model.guidance, join=zero_star(zero_start)), f"zero* {zero_start}")


@node("APG", category="model/guidance", title="Adaptive projected guidance")
def apg(
    model: Model,
    parallel: Annotated[float, Slider(-2, 2, 0.05)] = 0.0,
    most: Annotated[float, Slider(0, 100, 0.5)] = 10.0,
    momentum: Annotated[float, Slider(-1, 1, 0.05)] = -0.5,
) -> Model:
    """Strict guidance without oversaturation.

    model: to guide so. parallel: how much counts what only makes the estimate stronger; 1 is plain guidance. most:
    how far one step may be guided, 0 as far as it is. momentum: below 0 the steps before are pushed against.
    """
    changed = replace(model.guidance, join=projected(parallel, most, momentum))
    return _joined_by(model, changed, f"apg {parallel} {most} {momentum}")


@node("CFGFirstChannels", category="model/guidance", title="Guide some channels")
def cfg_first_channels(model: Model, channels: Annotated[int, Slider(1, 64)] = 3) -> Model:
    """Guidance of the first channels of the latent only.

    model: to guide so. channels: how many; the pictures published with DiT were made with 3 of 4.
    """
    return _joined_by(model, replace(model.guidance, join=on_first_channels(channels)), f"channels {channels}")


@node("GuidanceInterval", category="model/guidance", title="Guide part of the way")
def guidance_interval(model: Model, start: Share = 0.0, end: Share = 1.0) -> Model:
    """Guidance on a part of the way only; on the rest the negative prompt does not count, which takes half the time.

    model: to guide so. start, end: where on the way from noise (0) to picture (1).
    """
    return _joined_by(model, replace(model.guidance, span=Span(start, end)), f"guided {start} to {end}")


@node("GuidanceCurve", category="model/guidance", title="Guidance along the way")
def guidance_curve(model: Model, points: Annotated[str, STRICTNESS] = "0: 7, 0.5: 5, 1: 1") -> Model:
    """A strictness for each part of the way, in place of the sampler's cfg.

    model: to guide so. points: pairs of how much of the way from noise to picture is done, 0 to 1, and the
    strictness there, between commas; straight lines in between.
    """
    curve = read("points", points, STRICTNESS.points)
    return _joined_by(model, replace(model.guidance, curve=curve), f"curve {points}")


@node("PerturbedAttentionGuidance", category="model/guidance", title="Perturbed-attention guidance")
def perturbed_attention_guidance(
    model: Model, scale: Scale = 3.0, blocks: Annotated[str, Text()] = "middle", start: Share = 0.0, end: Share = 1.0
) -> Model:
    """Away from what the model paints when its parts do not see each other: better structure, a step takes longer.

    model: to guide so. scale: how far. blocks: where they do not; "middle", or numbers and names of blocks between
    commas. start, end: the part of the way on which it counts.
    """
    term = PerturbedAttention(scale, blocks_of(model.network, blocks))
    return _with_term(model, term, Span(start, end), f"pag {scale} {blocks} {start} {end}")


@node("SkipLayerGuidance", category="model/guidance", title="Skip-layer guidance")
def skip_layer_guidance(
    model: Model,
    scale: Scale = 2.5,
    blocks: Annotated[str, Text()] = "7, 8, 9",
    start: Share = 0.01,
    end: Share = 0.2,
) -> Model:
    """Away from what the model paints without some of its blocks; made for SD3.5 medium, with cfg 4.

    model: to guide so. scale: how far. blocks: which to leave out; numbers and names between commas. start, end:
    the part of the way on which it counts.
    """
    term = SkippedLayers(scale, blocks_of(model.network, blocks))
    return _with_term(model, term, Span(start, end), f"slg {scale} {blocks} {start} {end}")


@node("SelfAttentionGuidance", category="model/guidance", title="Self-attention guidance")
def self_attention_guidance(
    model: Model, scale: Annotated[float, Slider(-2, 5, 0.05)] = 0.5, blur: Annotated[float, Slider(0.1, 10, 0.1)] = 2.0
) -> Model:
    """Away from what a U-Net paints when the parts it looks at most are blurred: finer detail, a step takes longer.

    model: to guide so. scale: how far. blur: how much, in latent cells.
    """
    return _with_term(model, SelfAttention.of(model.network, scale, blur), Span(), f"sag {scale} {blur}")


def _with_term(model: Model, term: Term, span: Span, told: str) -> Model:
    terms = (*model.guidance.terms, (term, span))
    return _joined_by(model, replace(model.guidance, terms=terms), told)


def _joined_by(model: Model, guidance: Guidance, told: str) -> Model:
    return replace(model, guidance=guidance, origin=f"{model.origin}, {told}")
