"""The U-Net of Stable Diffusion 1, 2 and XL.

Rombach et al. 2021, "High-Resolution Image Synthesis with Latent Diffusion Models", arXiv:2112.10752; Podell et al.
2023, "SDXL", arXiv:2307.01952. Residual convolutions carry the timestep, transformers between them carry the text;
every output of the way down is joined to its mirror image on the way up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion.hooks import NO_HOOKS, Hooks, Residuals, Site
from diffusion.networks.layers import attended, timestep_embedding
from diffusion.networks.shapes import Shapes, count, shape_of
from diffusion.unfit import Unfit

GROUPS = 32
HEAD_WIDTH = 64


@dataclass(frozen=True)
class UNetParams:
    """A level has `channels * multiplier` channels and `res_blocks` residual blocks; all but the last halve the image.

    `depths_down` and `depths_up` give, for each residual block in the order of running, how many transformer blocks
    follow it; the way up has one residual block more per level. A `depth_mid` of 0 leaves the middle a single residual
    block. `heads` is the fixed number of attention heads, or None where heads are 64 wide.
    """

    channels: int
    multipliers: tuple[int, ...]
    res_blocks: tuple[int, ...]
    depths_down: tuple[int, ...]
    depth_mid: int
    depths_up: tuple[int, ...]
    context_dim: int
    linear_projection: bool
    heads: int | None
    y_dim: int | None = None
    in_channels: int = 4
    out_channels: int = 4

    def __post_init__(self) -> None:
        down, up = sum(self.res_blocks), sum(n + 1 for n in self.res_blocks)
        if len(self.multipliers) != len(self.res_blocks) or (len(self.depths_down), len(self.depths_up)) != (down, up):
            raise ValueError(
                f"U-Net: {self.res_blocks} residual blocks a level need {len(self.res_blocks)} multipliers, "
                f"{down} depths down and {up} up; got {self.multipliers}, {self.depths_down} and {self.depths_up}"
            )
        unit = math.lcm(GROUPS, self.heads or HEAD_WIDTH)
        if min(self.widths, default=0) < 1 or any(width % unit for width in self.widths):
            raise ValueError(
                f"U-Net: expected at least one level and channels in multiples of {unit}, got levels of {self.widths}"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(self.channels * multiplier for multiplier in self.multipliers)

    @property
    def time_dim(self) -> int:
        return 4 * self.channels

    def heads_of(self, width: int) -> int:
        return self.heads or width // HEAD_WIDTH

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> UNetParams:
        """Read everything from the tensors of a checkpoint whose prefix is stripped.

        The number of heads leaves no trace in the weights. It follows the projections around the transformers: the
        networks that have 1x1 convolutions there (SD 1) have 8 heads, those that have linear layers (SD 2, SDXL) have
        heads 64 wide.
        """
        channels, in_channels, _, _ = shape_of(shapes, "input_blocks.0.0.weight", 4)
        multipliers, res_blocks, depths_down = [], [0], []
        for n in range(1, count(shapes, "input_blocks.")):
            if f"input_blocks.{n}.0.op.weight" in shapes:
                res_blocks.append(0)
                continue
            if not res_blocks[-1]:
                multipliers.append(shape_of(shapes, f"input_blocks.{n}.0.out_layers.3.weight", 4)[0] // channels)
            res_blocks[-1] += 1
            depths_down.append(count(shapes, f"input_blocks.{n}.1.transformer_blocks."))
        transformer = _first_transformer(shapes)
        linear = len(shapes[f"{transformer}.proj_in.weight"]) == 2
        return cls(
            channels=channels,
            multipliers=tuple(multipliers),
            res_blocks=tuple(res_blocks),
            depths_down=tuple(depths_down),
            depth_mid=count(shapes, "middle_block.1.transformer_blocks."),
            depths_up=tuple(
                count(shapes, f"output_blocks.{n}.1.transformer_blocks.")
                for n in range(count(shapes, "output_blocks."))
            ),
            context_dim=shape_of(shapes, f"{transformer}.transformer_blocks.0.attn2.to_k.weight", 2)[1],
            linear_projection=linear,
            heads=None if linear else 8,
            y_dim=shape_of(shapes, "label_emb.0.0.weight", 2)[1] if "label_emb.0.0.weight" in shapes else None,
            in_channels=in_channels,
            out_channels=shape_of(shapes, "out.2.weight", 4)[0],
        )


def _first_transformer(shapes: Shapes) -> str:
    """Key prefix of any one spatial transformer; all have the same context and projections."""
    suffix = ".proj_in.weight"
    prefixes = sorted(key.removesuffix(suffix) for key in shapes if key.endswith(suffix))
    if not prefixes:
        raise ValueError(f"U-Net: expected a tensor '*{suffix}', the mark of a text-conditioned level; there is none")
    return prefixes[0]


class UNet(nn.Module):
    def __init__(self, params: UNetParams) -> None:
        super().__init__()
        p = self.params = params
        self.time_embed = EmbeddingMLP(p.channels, p.time_dim)
        self.label_emb = None if p.y_dim is None else nn.Sequential(EmbeddingMLP(p.y_dim, p.time_dim))

        self.input_blocks, skips = way_down(p)
        width = skips[-1]
        self.middle_block = MidBlock(p, width, p.depth_mid)

        up: list[UpBlock] = []
        depths = iter(p.depths_up)
        for level, blocks in reversed(list(enumerate(p.res_blocks))):
            for n in range(blocks + 1):
                upsample = level > 0 and n == blocks
                up.append(UpBlock(p, width + skips.pop(), p.widths[level], next(depths), upsample=upsample))
                width = p.widths[level]
        self.output_blocks = nn.ModuleList(up)
        self.out = NormActConv(p.channels, p.out_channels)
        name_sites(self)
        self.block_names = [module.name for module in self.modules() if isinstance(module, SpatialTransformer)]

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None = None, hooks: Hooks = NO_HOOKS
    ) -> Tensor:
        """Prediction B C H W for latent `x` at timestep `t` (0..999, fractions allowed); H and W may be odd.

        x, context and the extra vector y are in the network's dtype. Raises ValueError when y does not fit the network.
        """
        emb_BD = self.time_embed(timestep_embedding(t_B, self.params.channels).to(x_BCHW.dtype))
        if self.label_emb is not None:
            if y_BD is None:
                raise ValueError(f"U-Net: expected an extra vector of {self.params.y_dim} values, got none")
            emb_BD = emb_BD + self.label_emb(y_BD)

        h, skips = x_BCHW, []
        for block in self.input_blocks:
            h = block(h, emb_BD, context_BLD, hooks) if isinstance(block, DownBlock) else block(h)
            skips.append(h)
        h = self.middle_block(h, emb_BD, context_BLD, hooks)
        if hooks.residuals is not None:
            h, skips = with_residuals(h, skips, hooks.residuals)
        for block in self.output_blocks:
            skip = skips.pop()
            size = skips[-1].shape[-2:] if skips else skip.shape[-2:]
            h = block(torch.cat((h, skip), dim=1), emb_BD, context_BLD, size, hooks)
        return self.out(h)

    def cross_attentions(self) -> dict[str, int]:
        """Names and widths: those of the way down, of the way up, then of the middle."""
        ways = (self.input_blocks, self.output_blocks, self.middle_block)
        found = (m for way in ways for m in way.modules() if isinstance(m, CrossAttention))
        return {attention.site.name: attention.to_q.out_features for attention in found}


def way_down(p: UNetParams) -> tuple[nn.ModuleList, list[int]]:
    """The input blocks, and the channels each of them puts out."""
    down: list[nn.Module] = [nn.Sequential(conv3(p.in_channels, p.channels))]
    skips, width, depths = [p.channels], p.channels, iter(p.depths_down)
    for level, (level_width, blocks) in enumerate(zip(p.widths, p.res_blocks, strict=True)):
        if level:
            down.append(nn.Sequential(Downsample(width)))
            skips.append(width)
        for _ in range(blocks):
            down.append(DownBlock(p, width, level_width, next(depths)))
            width = level_width
            skips.append(width)
    return nn.ModuleList(down), skips


class EmbeddingMLP(nn.Sequential):
    def __init__(self, in_features: int, features: int) -> None:
        super().__init__(nn.Linear(in_features, features), nn.SiLU(), nn.Linear(features, features))


class DownBlock(nn.ModuleList):
    """A residual block and, where the level reads the text, a transformer."""

    def __init__(self, p: UNetParams, in_channels: int, channels: int, depth: int) -> None:
        super().__init__([ResBlock(in_channels, channels, p.time_dim)])
        if depth:
            self.append(SpatialTransformer(p, channels, depth))

    def forward(self, x_BCHW: Tensor, emb_BD: Tensor, context_BLD: Tensor, hooks: Hooks) -> Tensor:
        res, *transformer = self
        h = res(x_BCHW, emb_BD)
        for layer in transformer:
            h = layer(h, context_BLD, hooks)
        return h


class MidBlock(nn.ModuleList):
    """Residual block, transformer, residual block; without a transformer the first alone."""

    def __init__(self, p: UNetParams, channels: int, depth: int) -> None:
        super().__init__([ResBlock(channels, channels, p.time_dim)])
        if depth:
            self.extend([SpatialTransformer(p, channels, depth), ResBlock(channels, channels, p.time_dim)])

    def forward(self, x_BCHW: Tensor, emb_BD: Tensor, context_BLD: Tensor, hooks: Hooks) -> Tensor:
        first, *rest = self
        h = first(x_BCHW, emb_BD)
        if rest:
            transformer, second = rest
            h = second(transformer(h, context_BLD, hooks), emb_BD)
        return h


class UpBlock(nn.ModuleList):
    """A residual block over the joined skip, a transformer where the level reads the text, and the way up a level."""

    def __init__(self, p: UNetParams, in_channels: int, channels: int, depth: int, *, upsample: bool) -> None:
        super().__init__([ResBlock(in_channels, channels, p.time_dim)])
        if depth:
            self.append(SpatialTransformer(p, channels, depth))
        if upsample:
            self.append(Upsample(channels))

    def forward(self, x_BCHW: Tensor, emb_BD: Tensor, context_BLD: Tensor, size: torch.Size, hooks: Hooks) -> Tensor:
        res, *rest = self
        h = res(x_BCHW, emb_BD)
        for layer in rest:
            h = layer(h, size) if isinstance(layer, Upsample) else layer(h, context_BLD, hooks)
        return h


class NormActConv(nn.Sequential):
    """GroupNorm, SiLU, 3x3 convolution; `between` stands before the convolution."""

    def __init__(self, in_channels: int, channels: int, *between: nn.Module) -> None:
        super().__init__(nn.GroupNorm(GROUPS, in_channels), nn.SiLU(), *between, conv3(in_channels, channels))


class ResBlock(nn.Module):
    """Two convolutions, the timestep added between them, around a residual connection."""

    def __init__(self, in_channels: int, channels: int, time_dim: int) -> None:
        super().__init__()
        self.in_layers = NormActConv(in_channels, channels)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, channels))
        self.out_layers = NormActConv(channels, channels, nn.Identity())  # dropout's place in the key numbering
        self.skip_connection = nn.Identity() if in_channels == channels else nn.Conv2d(in_channels, channels, 1)

    def forward(self, x_BCHW: Tensor, emb_BD: Tensor) -> Tensor:
        h = self.in_layers(x_BCHW) + self.emb_layers(emb_BD)[..., None, None]
        return self.skip_connection(x_BCHW) + self.out_layers(h)


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.op(x_BCHW)


class Upsample(nn.Module):
    """Nearest neighbour to `size`, twice the input or one less where the way down met an odd side; a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3(channels, channels)

    def forward(self, x_BCHW: Tensor, size: torch.Size) -> Tensor:
        return self.conv(F.interpolate(x_BCHW, size=size, mode="nearest"))


class SpatialTransformer(nn.Module):
    """Transformer blocks over the positions of a feature map, around a residual connection."""

    def __init__(self, p: UNetParams, channels: int, depth: int) -> None:
        super().__init__()
        self.name = ""
        self.linear = p.linear_projection
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels) if self.linear else nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(channels, p.context_dim, p.heads_of(channels)) for _ in range(depth)
        )
        self.proj_out = nn.Linear(channels, channels) if self.linear else nn.Conv2d(channels, channels, 1)

    def forward(self, x_BCHW: Tensor, context_BLD: Tensor, hooks: Hooks) -> Tensor:
        if self.name in hooks.skipped:
            return x_BCHW
        size = x_BCHW.shape[-2:]
        h = self.norm(x_BCHW)
        h_BLC = self.proj_in(tokens(h)) if self.linear else tokens(self.proj_in(h))
        for block in self.transformer_blocks:
            h_BLC = block(h_BLC, context_BLD, hooks)
        h = feature_map(self.proj_out(h_BLC), size) if self.linear else self.proj_out(feature_map(h_BLC, size))
        return x_BCHW + h


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention to the text, feed-forward; each normalised before and added."""

    def __init__(self, width: int, context_dim: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1 = SelfAttention(width, heads)
        self.attn2 = CrossAttention(width, context_dim, heads)
        self.ff = FeedForward(width)

    def forward(self, x_BLC: Tensor, context_BSD: Tensor, hooks: Hooks) -> Tensor:
        x_BLC = x_BLC + self.attn1(self.norm1(x_BLC), hooks)
        x_BLC = x_BLC + self.attn2(self.norm2(x_BLC), context_BSD, hooks)
        return x_BLC + self.ff(self.norm3(x_BLC))


class SelfAttention(nn.Module):
    """Queries, keys and values all from the image."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.site = Site("", "self")
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x_BLC: Tensor, hooks: Hooks) -> Tensor:
        qkv = (layer(x_BLC).unflatten(-1, (self.heads, -1)) for layer in (self.to_q, self.to_k, self.to_v))
        return self.to_out(attended(hooks, self.site, *qkv))


class CrossAttention(nn.Module):
    """Queries from the image, keys and values from the text."""

    def __init__(self, width: int, context_dim: int, heads: int) -> None:
        super().__init__()
        self.site = Site("", "cross")
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_dim, width, bias=False)
        self.to_v = nn.Linear(context_dim, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x_BLC: Tensor, context_BSD: Tensor, hooks: Hooks) -> Tensor:
        q, k, v = self.to_q(x_BLC), self.to_k(context_BSD), self.to_v(context_BSD)
        qkv = (part.unflatten(-1, (self.heads, -1)) for part in (q, k, v))
        return self.to_out(attended(hooks, self.site, *qkv))


class GEGLU(nn.Module):
    """x * gelu(gate), both linear in the input (Shazeer 2020, arXiv:2002.05202)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x_BLC: Tensor) -> Tensor:
        x, gate = self.proj(x_BLC).chunk(2, dim=-1)
        return x * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = 4 * width
        self.net = nn.Sequential(GEGLU(width, hidden), nn.Identity(), nn.Linear(hidden, width))  # 1 was a dropout

    def forward(self, x_BLC: Tensor) -> Tensor:
        return self.net(x_BLC)


def name_sites(network: nn.Module) -> None:
    """Tell attentions and transformers what hooks call them."""
    for name, module in network.named_modules():
        if isinstance(module, SelfAttention | CrossAttention):
            module.site = module.site._replace(name=name)
        elif isinstance(module, SpatialTransformer):
            module.name = name


def with_residuals(middle: Tensor, skips: list[Tensor], residuals: Residuals) -> tuple[Tensor, list[Tensor]]:
    """The middle and the outputs of the way down with a ControlNet's added."""
    if len(residuals.blocks) != len(skips) or residuals.middle is None:
        raise Unfit(
            f"ControlNet: this U-Net takes {len(skips)} residuals and one for the middle, got {len(residuals.blocks)}; "
            "use a ControlNet made for this kind of model"
        )
    return middle + residuals.middle, [skip + more for skip, more in zip(skips, residuals.blocks, strict=True)]


def conv3(in_channels: int, channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, 3, padding=1)


def tokens(x_BCHW: Tensor) -> Tensor:
    return x_BCHW.flatten(2).transpose(1, 2)


def feature_map(x_BLC: Tensor, size: torch.Size) -> Tensor:
    return x_BLC.transpose(1, 2).unflatten(2, size)
