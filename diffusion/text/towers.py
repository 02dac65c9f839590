"""Text towers from a file's tensors, prefix stripped."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from diffusion.fill import Part, build, compute_dtype
from diffusion.networks.shapes import Shapes
from diffusion.residency import Home
from diffusion.text.clip import ClipNetwork, ClipParams, ClipTower, transformers_layout
from diffusion.text.encode import TextTower
from diffusion.text.slots import ClipRules, T5Rules, TextSlot
from diffusion.text.t5 import T5Network, T5Tower, encoder_names, t5_config
from diffusion.weights import BadWeights, Weights

HEADS = "weft.text_heads"
"""Metadata of a file whose CLIP tower has heads that are not 64 wide: their number."""


def build_tower(weights: Weights, slot: TextSlot, home: Home) -> TextTower:
    """The tower of one slot; BadWeights if the tensors do not make one."""
    match slot.rules:
        case ClipRules() as rules:
            return _clip(weights, slot.name, rules, home)
        case T5Rules() as rules:
            return _t5(weights, slot.name, rules, home)


def _clip(weights: Weights, title: str, rules: ClipRules, home: Home) -> ClipTower:
    try:
        tensors = transformers_layout(weights)
    except ValueError as error:
        raise BadWeights(weights.header.path, f"{title}: {error}") from error
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    heads = _heads(weights)

    def network(shapes: Shapes) -> ClipNetwork:
        return ClipNetwork(ClipParams.from_shapes(shapes, heads), rules.activation)

    dtype = compute_dtype(home.device, weights.dtypes, torch.float16)
    built = build(Part(weights.header.path, title, tensors, shapes, home, dtype, weights.header.identity), network)
    # The one buffer that no checkpoint has.
    positions_1L = torch.arange(built.params.positions, device=home.device)[None]
    built.text_model.embeddings.position_ids = nn.Buffer(positions_1L, persistent=False)
    if built.params.layers == rules.cut_at:
        rules = replace(rules, layer=rules.layer - 1)
    return ClipTower(built, rules, home.device)


def _t5(weights: Weights, title: str, rules: T5Rules, home: Home) -> T5Tower:
    encoder = weights.select(encoder_names(weights))
    # Its activations leave the range of float16.
    dtype = torch.float32 if home.device.type == "cpu" else torch.bfloat16
    part = Part(weights.header.path, title, encoder, encoder.shapes, home, dtype, weights.header.identity)
    return T5Tower(build(part, lambda shapes: T5Network(t5_config(shapes))), rules, home.device)


def _heads(weights: Weights) -> int | None:
    stated = weights.header.metadata.get(HEADS)
    if stated is None:
        return None
    if not stated.isdecimal() or len(stated) > 4 or int(stated) < 1:
        raise BadWeights(weights.header.path, f"metadata {HEADS}: expected a number of heads, got {stated!r:.40}")
    return int(stated)
