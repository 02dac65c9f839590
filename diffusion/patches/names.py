"""What trainers call the layers of a network: the names of its own tensors, and those of diffusers.

Files write them with dots or, as kohya's do, with underscores; here all are compared with underscores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffusion.layouts import flux as flux_layout
from diffusion.networks.flux import Flux, FluxParams
from diffusion.networks.mmdit import MMDiT
from diffusion.networks.unet import UNet, UNetParams


@dataclass(frozen=True)
class Target:
    """A layer of the network, or a part of its rows: `length` of `parts` from `part` on.

    `swapped`: those who trained it have the two halves of its rows the other way round.
    """

    layer: str
    part: int = 0
    parts: int = 1
    length: int = 1
    swapped: bool = False

    def rows(self, tensor: Tensor) -> slice:
        size = tensor.shape[0] // self.parts
        return slice(self.part * size, (self.part + self.length) * size)

    def turned(self, rows: Tensor) -> Tensor:
        """From the order of the network to that of the trainer, and back."""
        return torch.cat(rows.chunk(2)[::-1]) if self.swapped else rows


class Called(NamedTuple):
    """A layer and the name diffusers has for it."""

    name: str
    target: Target


def flat(name: str) -> str:
    """A layer's name with underscores alone."""
    return name.replace(".processor.", ".").replace(".", "_")


def layers_of(network: nn.Module) -> Mapping[str, Target]:
    """Every layer that has a weight, by all the names it is known under."""
    own = [name.removesuffix(".weight") for name in network.state_dict() if name.endswith(".weight")]
    called = [Called(name, Target(name)) for name in own]
    # Text encoders are trained with and without their outer name, attention with and without the dropout behind it.
    called += [Called(name.removeprefix("text_model."), Target(name)) for name in own if name.startswith("text_model.")]
    match network:
        case UNet():
            called += _unet(network.params, own)
        case MMDiT():
            called += _mmdit(network.params.depth, set(own))
        case Flux():
            called += _flux(network.params, set(own))
        case _:
            pass
    called += [Called(name.removesuffix(".0"), target) for name, target in called if name.endswith(".to_out.0")]
    return {flat(name): target for name, target in called}


_UNET_OUTER = (
    ("time_embed.0", "time_embedding.linear_1"),
    ("time_embed.2", "time_embedding.linear_2"),
    ("label_emb.0.0", "add_embedding.linear_1"),
    ("label_emb.0.2", "add_embedding.linear_2"),
    ("input_blocks.0.0", "conv_in"),
    ("out.0", "conv_norm_out"),
    ("out.2", "conv_out"),
    ("middle_block.0", "mid_block.resnets.0"),
    ("middle_block.1", "mid_block.attentions.0"),
    ("middle_block.2", "mid_block.resnets.1"),
)
_UNET_RES_BLOCK = (
    ("in_layers.0", "norm1"),
    ("in_layers.2", "conv1"),
    ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"),
    ("skip_connection", "conv_shortcut"),
)


def _unet(params: UNetParams, own: list[str]) -> Iterator[Called]:
    """diffusers nests in levels what single files number through."""
    blocks = dict((*_UNET_OUTER, *_unet_levels(params)))
    inner = dict(_UNET_RES_BLOCK)
    for name in own:
        block = next((block for block in blocks if name == block or name.startswith(f"{block}.")), None)
        if block is not None:
            rest = name[len(block) + 1 :]
            yield Called(".".join(filter(None, (blocks[block], inner.get(rest, rest)))), Target(name))


def _unet_levels(params: UNetParams) -> Iterator[tuple[str, str]]:
    n, last = 1, len(params.res_blocks) - 1
    for level, count in enumerate(params.res_blocks):
        for i in range(count):
            yield f"input_blocks.{n}.0", f"down_blocks.{level}.resnets.{i}"
            yield f"input_blocks.{n}.1", f"down_blocks.{level}.attentions.{i}"
            n += 1
        if level < last:
            yield f"input_blocks.{n}.0.op", f"down_blocks.{level}.downsamplers.0.conv"
            n += 1
    n, depths = 0, iter(params.depths_up)
    for level, count in enumerate(reversed(params.res_blocks)):
        for i in range(count + 1):
            depth = next(depths)
            yield f"output_blocks.{n}.0", f"up_blocks.{level}.resnets.{i}"
            if level < last and i == count:
                yield f"output_blocks.{n}.{2 if depth else 1}.conv", f"up_blocks.{level}.upsamplers.0.conv"
            if depth:
                yield f"output_blocks.{n}.1", f"up_blocks.{level}.attentions.{i}"
            n += 1


_MMDIT_OUTER = (
    ("x_embedder.proj", "pos_embed.proj"),
    ("t_embedder.mlp.0", "time_text_embed.timestep_embedder.linear_1"),
    ("t_embedder.mlp.2", "time_text_embed.timestep_embedder.linear_2"),
    ("y_embedder.mlp.0", "time_text_embed.text_embedder.linear_1"),
    ("y_embedder.mlp.2", "time_text_embed.text_embedder.linear_2"),
    ("final_layer.linear", "proj_out"),
)
_MMDIT_BLOCK = (
    ("x_block.adaLN_modulation.1", "norm1.linear"),
    ("x_block.mlp.fc1", "ff.net.0.proj"),
    ("x_block.mlp.fc2", "ff.net.2"),
    ("context_block.mlp.fc1", "ff_context.net.0.proj"),
    ("context_block.mlp.fc2", "ff_context.net.2"),
    ("x_block.attn.proj", "attn.to_out.0"),
    ("x_block.attn2.proj", "attn2.to_out.0"),
    ("context_block.attn.proj", "attn.to_add_out"),
    ("x_block.attn.ln_q", "attn.norm_q"),
    ("x_block.attn.ln_k", "attn.norm_k"),
    ("x_block.attn2.ln_q", "attn2.norm_q"),
    ("x_block.attn2.ln_k", "attn2.norm_k"),
    ("context_block.attn.ln_q", "attn.norm_added_q"),
    ("context_block.attn.ln_k", "attn.norm_added_k"),
)
_MMDIT_FUSED = (
    ("x_block.attn.qkv", ("attn.to_q", "attn.to_k", "attn.to_v")),
    ("x_block.attn2.qkv", ("attn2.to_q", "attn2.to_k", "attn2.to_v")),
    ("context_block.attn.qkv", ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")),
)


def _mmdit(depth: int, own: set[str]) -> Iterator[Called]:
    """diffusers has query, key and value apart, and scale before shift where a stream ends."""
    for layer, name in _MMDIT_OUTER:
        yield Called(name, Target(layer))
    yield Called("norm_out.linear", Target("final_layer.adaLN_modulation.1", swapped=True))
    for n in range(depth):
        ours, theirs = f"joint_blocks.{n}.", f"transformer_blocks.{n}."
        last = Target(f"{ours}context_block.adaLN_modulation.1", swapped=n == depth - 1)
        yield Called(f"{theirs}norm1_context.linear", last)
        for layer, name in _MMDIT_BLOCK:
            if ours + layer in own:
                yield Called(theirs + name, Target(ours + layer))
        for layer, names in _MMDIT_FUSED:
            if ours + layer in own:
                for part, name in enumerate(names):
                    yield Called(theirs + name, Target(ours + layer, part, len(names)))


def _flux(params: FluxParams, own: set[str]) -> Iterator[Called]:
    """As `layouts.flux` has them; of the fused layer of a single block the last part is the first layer of its MLP."""
    for name, layer in flux_layout.OUTER:
        if layer in own:
            yield Called(name, Target(layer, swapped=name == "norm_out.linear"))
    counts = {"double_blocks.": params.double_blocks, "single_blocks.": params.single_blocks}
    for theirs, ours, layers in flux_layout.BLOCKS:
        for n in range(counts[ours]):
            for name, layer in layers:
                if f"{ours}{n}.{layer}" in own:
                    yield Called(f"{theirs}{n}.{name}", Target(f"{ours}{n}.{layer}"))
            for outer, first, others, layer in flux_layout.FUSED:
                lengths = [params.mlp_ratio if name == "proj_mlp" else 1 for name in (first, *others)]
                for part, name in enumerate((first, *others)) if outer == theirs else ():
                    yield Called(f"{theirs}{n}.{name}", Target(f"{ours}{n}.{layer}", part, sum(lengths), lengths[part]))
