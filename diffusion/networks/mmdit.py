"""MMDiT: the two-stream transformer of Stable Diffusion 3 and 3.5.

Text and image tokens have their own weights and meet in one attention per block (Esser et al. 2024,
"Scaling Rectified Flow Transformers for High-Resolution Image Synthesis", arXiv:2403.03206). SD 3.5 adds RMS
normalisation of queries and keys and, in its medium size, a second attention over the image alone in the first blocks.
Timestep and pooled text modulate every block by adaLN-Zero (Peebles & Xie 2022, arXiv:2212.09748).
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

HEAD_WIDTH = 64
EPS = 1e-6


@dataclass(frozen=True)
class MMDiTParams:
    """`positions` is the side of the square table of position embeddings, in patches: the largest image side.

    `dual_blocks` are the indices of the blocks with a second attention over the image tokens alone.
    """

    depth: int
    width: int
    context_dim: int
    y_dim: int | None
    in_channels: int = 16
    out_channels: int = 16
    patch: int = 2
    positions: int = 192
    time_dim: int = 256
    qk_norm: bool = False
    dual_blocks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.depth < 1 or self.width < 1 or self.width % HEAD_WIDTH:
            raise ValueError(
                f"MMDiT: expected at least one block and a width that is a multiple of {HEAD_WIDTH}, "
                f"got depth {self.depth}, width {self.width}"
            )

    @property
    def heads(self) -> int:
        return self.width // HEAD_WIDTH

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> MMDiTParams:
        """Read everything from the tensors of a checkpoint whose prefix is stripped."""
        width, in_channels, patch, _ = shape_of(shapes, "x_embedder.proj.weight", 4)
        depth = count(shapes, "joint_blocks.")
        has_y = "y_embedder.mlp.0.weight" in shapes
        return cls(
            depth=depth,
            width=width,
            context_dim=shape_of(shapes, "context_embedder.weight", 2)[1],
            y_dim=shape_of(shapes, "y_embedder.mlp.0.weight", 2)[1] if has_y else None,
            in_channels=in_channels,
            out_channels=shape_of(shapes, "final_layer.linear.weight", 2)[0] // patch**2,
            patch=patch,
            positions=math.isqrt(shape_of(shapes, "pos_embed", 3)[1]),
            time_dim=shape_of(shapes, "t_embedder.mlp.0.weight", 2)[1],
            qk_norm="joint_blocks.0.x_block.attn.ln_q.weight" in shapes,
            dual_blocks=tuple(n for n in range(depth) if f"joint_blocks.{n}.x_block.attn2.qkv.weight" in shapes),
        )


class MMDiT(nn.Module):
    def __init__(self, params: MMDiTParams) -> None:
        super().__init__()
        p = self.params = params
        self.x_embedder = PatchEmbed(p.in_channels, p.width, p.patch)
        self.pos_embed: Tensor
        self.register_buffer("pos_embed", position_table(p.positions, p.width))
        self.t_embedder = TimestepEmbedder(p.time_dim, p.width)
        self.y_embedder = None if p.y_dim is None else VectorEmbedder(p.y_dim, p.width)
        self.context_embedder = nn.Linear(p.context_dim, p.width)
        self.joint_blocks = nn.ModuleList(
            JointBlock(p.width, p.heads, qk_norm=p.qk_norm, dual=n in p.dual_blocks, last=n == p.depth - 1)
            for n in range(p.depth)
        )
        self.final_layer = FinalLayer(p.width, p.out_channels * p.patch**2)
        name_sites(self)
        self.block_names = [f"joint_blocks.{n}" for n in range(p.depth)]

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None = None, hooks: Hooks = NO_HOOKS
    ) -> Tensor:
        """Velocity B C H W of latent `x` at time `t` = 1000 sigma; H and W need not be multiples of the patch.

        x, context and the pooled text y are in the network's dtype. Raises ValueError when y does not fit the network
        or the image is larger than the position table.
        """
        c_BW = self.t_embedder(t_B, x_BCHW.dtype)
        if self.y_embedder is not None:
            if y_BD is None:
                raise ValueError(f"MMDiT: expected a pooled text vector of {self.params.y_dim} values, got none")
            c_BW = c_BW + self.y_embedder(y_BD)
        context_BLW, x_BLW = self.context_embedder(context_BLD), self.embedded(x_BCHW)
        for n, block in enumerate(self.joint_blocks):
            if f"joint_blocks.{n}" not in hooks.skipped:
                context_BLW, x_BLW = block(context_BLW, x_BLW, c_BW, hooks)
            if hooks.residuals is not None and n < self.params.depth - 1:
                x_BLW = x_BLW + residual_of(hooks.residuals, n, self.params.depth)
        height, width = x_BCHW.shape[-2:]
        patch = self.params.patch
        rows, columns = -(-height // patch), -(-width // patch)
        return unpatchify(self.final_layer(x_BLW, c_BW), rows, columns, patch)[..., :height, :width]

    def embedded(self, x_BCHW: Tensor) -> Tensor:
        """The tokens B L W of a latent. ValueError if it is larger than the position table."""
        padded = padded_to(self.params.patch, x_BCHW)
        rows, columns = (side // self.params.patch for side in padded.shape[-2:])
        return self.x_embedder(padded) + centre_of(self.pos_embed, self.params, rows, columns)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Fill every weight for training: Xavier, but zero for adaLN and last layer: each block starts as identity."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.view(len(module.weight), -1), generator=generator)
                nn.init.zeros_(_bias(module))
            elif isinstance(module, RMSNorm):
                nn.init.ones_(module.weight)
        for embedder in (self.t_embedder, self.y_embedder):
            if embedder is not None:
                for layer in (embedder.mlp[0], embedder.mlp[2]):
                    assert isinstance(layer, nn.Linear)
                    nn.init.normal_(layer.weight, std=0.02, generator=generator)
        for name, parameter in self.named_parameters():
            if ".adaLN_modulation." in name or name.startswith("final_layer."):
                nn.init.zeros_(parameter)
        self.pos_embed.copy_(position_table(self.params.positions, self.params.width))


class PatchEmbed(nn.Module):
    def __init__(self, in_channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, width, patch, stride=patch)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        # Sums keep the order in memory of what they start from: left transposed, every block would read across rows.
        return self.proj(x_BCHW).flatten(2).transpose(1, 2).contiguous()


class TimestepEmbedder(nn.Module):
    def __init__(self, time_dim: int, width: int) -> None:
        super().__init__()
        self.time_dim = time_dim
        self.mlp = nn.Sequential(nn.Linear(time_dim, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t_B: Tensor, dtype: torch.dtype) -> Tensor:
        return self.mlp(timestep_embedding(t_B, self.time_dim).to(dtype))


class VectorEmbedder(nn.Module):
    def __init__(self, y_dim: int, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(y_dim, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, y_BD: Tensor) -> Tensor:
        return self.mlp(y_BD)


class JointBlock(nn.Module):
    """One block: both streams attend to both, context tokens first, then each goes through its own MLP."""

    def __init__(self, width: int, heads: int, *, qk_norm: bool, dual: bool, last: bool) -> None:
        super().__init__()
        self.site = Site("", "joint")
        self.context_block = (
            LastContextBlock(width, heads, qk_norm) if last else StreamBlock(width, heads, qk_norm, dual=False)
        )
        self.x_block = StreamBlock(width, heads, qk_norm, dual)

    def forward(self, context_BLW: Tensor, x_BLW: Tensor, c_BW: Tensor, hooks: Hooks) -> tuple[Tensor, Tensor]:
        context_modulation = self.context_block.modulation(c_BW)
        x_modulation = self.x_block.modulation(c_BW)
        q, k, v = (
            torch.cat(pair, dim=1)
            for pair in zip(
                self.context_block.qkv(context_BLW, context_modulation),
                self.x_block.qkv(x_BLW, x_modulation),
                strict=True,
            )
        )
        tokens = context_BLW.shape[1]
        joint = attended(hooks, self.site._replace(text=tokens), q, k, v)
        return (
            self.context_block.finish(context_BLW, joint[:, :tokens], context_modulation, hooks),
            self.x_block.finish(x_BLW, joint[:, tokens:], x_modulation, hooks),
        )


class StreamBlock(nn.Module):
    """One stream's half of a joint block: what comes before the shared attention, and what comes after."""

    def __init__(self, width: int, heads: int, qk_norm: bool, dual: bool) -> None:
        super().__init__()
        self.attn = Attention(width, heads, qk_norm)
        self.attn2 = Attention(width, heads, qk_norm) if dual else None
        self.mlp = MLP(width)
        self.parts = 9 if dual else 6
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, self.parts * width))

    def modulation(self, c_BW: Tensor) -> tuple[Tensor, ...]:
        """(shift, scale, gate) of attention, of the MLP and, in a dual block, of the second attention; each B 1 W."""
        return self.adaLN_modulation(c_BW)[:, None].chunk(self.parts, dim=-1)

    def qkv(self, x_BLW: Tensor, modulation: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        return self.attn.heads_of(modulated(x_BLW, *modulation[:2]))

    def finish(self, x_BLW: Tensor, attended_BLW: Tensor, modulation: tuple[Tensor, ...], hooks: Hooks) -> Tensor:
        _, _, gate, mlp_shift, mlp_scale, mlp_gate, *second = modulation
        h = x_BLW + gate * self.attn.proj(attended_BLW)
        if self.attn2 is not None:
            shift, scale, gate = second
            h = h + gate * self.attn2(modulated(x_BLW, shift, scale), hooks)
        return h + mlp_gate * self.mlp(modulated(h, mlp_shift, mlp_scale))


class LastContextBlock(nn.Module):
    """Context half of the last block: it is attended to, and its own tokens are not needed afterwards."""

    def __init__(self, width: int, heads: int, qk_norm: bool) -> None:
        super().__init__()
        self.attn = KeyValueSource(width, heads, qk_norm)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def modulation(self, c_BW: Tensor) -> tuple[Tensor, ...]:
        return self.adaLN_modulation(c_BW)[:, None].chunk(2, dim=-1)

    def qkv(self, x_BLW: Tensor, modulation: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        return self.attn.heads_of(modulated(x_BLW, *modulation))

    def finish(self, x_BLW: Tensor, _attended: Tensor, _modulation: tuple[Tensor, ...], _hooks: Hooks) -> Tensor:
        return x_BLW


class KeyValueSource(nn.Module):
    """Queries, keys and values of one stream."""

    def __init__(self, width: int, heads: int, qk_norm: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.ln_q = RMSNorm(width // heads) if qk_norm else nn.Identity()
        self.ln_k = RMSNorm(width // heads) if qk_norm else nn.Identity()

    def heads_of(self, x_BLW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q_BLND, k_BLND, v_BLND = self.qkv(x_BLW).unflatten(-1, (3, self.heads, -1)).unbind(2)
        return self.ln_q(q_BLND), self.ln_k(k_BLND), v_BLND


class Attention(KeyValueSource):
    """Queries, keys, values and output projection of one stream; called, it is attention within that stream."""

    def __init__(self, width: int, heads: int, qk_norm: bool) -> None:
        super().__init__(width, heads, qk_norm)
        self.site = Site("", "self")
        self.proj = nn.Linear(width, width)

    def forward(self, x_BLW: Tensor, hooks: Hooks) -> Tensor:
        return self.proj(attended(hooks, self.site, *self.heads_of(x_BLW)))


class MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x_BLW: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x_BLW), approximate="tanh"))


class RMSNorm(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        # The cast matters under autocast only, where activations are half and weights are not.
        return F.rms_norm(x, self.weight.shape, self.weight.to(x.dtype), EPS)


class FinalLayer(nn.Module):
    def __init__(self, width: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, out_features)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x_BLW: Tensor, c_BW: Tensor) -> Tensor:
        return self.linear(modulated(x_BLW, *self.adaLN_modulation(c_BW)[:, None].chunk(2, dim=-1)))


def name_sites(network: nn.Module) -> None:
    """Tell attentions what hooks call them."""
    for name, module in network.named_modules():
        if isinstance(module, JointBlock):
            module.site = Site(f"{name}.attn", "joint")
        elif isinstance(module, Attention):
            module.site = Site(name, "self")


def residual_of(residuals: Residuals, block: int, depth: int) -> Tensor:
    """The one for a block, where there may be fewer than blocks. Unfit for those of another network."""
    if not residuals.blocks or residuals.middle is not None or len(residuals.blocks) > depth:
        raise Unfit(
            f"ControlNet: this MMDiT takes 1 to {depth} residuals and none for a middle, got {len(residuals.blocks)}; "
            "use a ControlNet made for this kind of model"
        )
    return residuals.blocks[int(block / (depth / len(residuals.blocks)))]


def padded_to(patch: int, x_BCHW: Tensor) -> Tensor:
    """Sides brought to multiples of the patch, the last row and column again."""
    return F.pad(x_BCHW, (0, -x_BCHW.shape[-1] % patch, 0, -x_BCHW.shape[-2] % patch), mode="replicate")


def centre_of(positions: Tensor, params: MMDiTParams, rows: int, columns: int) -> Tensor:
    """The centre rows x columns window of a position table, 1 x (rows columns) x W; ValueError if it is too small."""
    side, patch = params.positions, params.patch
    if max(rows, columns) > side:
        raise ValueError(
            f"latent: this MMDiT takes at most {side * patch} x {side * patch} cells of 8 pixels, got {rows * patch} x "
            f"{columns * patch}"
        )
    top, left = (side - rows) // 2, (side - columns) // 2
    return positions.unflatten(1, (side, side))[:, top : top + rows, left : left + columns].flatten(1, 2)


def modulated(x_BLW: Tensor, shift_B1W: Tensor, scale_B1W: Tensor) -> Tensor:
    """LayerNorm whose gain and offset come from the conditioning."""
    return F.layer_norm(x_BLW, x_BLW.shape[-1:], eps=EPS) * (1 + scale_B1W) + shift_B1W


def unpatchify(patches_BLD: Tensor, rows: int, columns: int, patch: int) -> Tensor:
    """B x (rows columns) x (patch patch C) to B x C x (rows patch) x (columns patch)."""
    grid = patches_BLD.unflatten(2, (patch, patch, -1)).unflatten(1, (rows, columns))
    return grid.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def position_table(side: int, width: int) -> Tensor:
    """Sine-cosine embedding of a side x side grid, 1 x side^2 x width, fp32.

    Order of DiT (arXiv:2212.09748): column in the first half, row in the second; each half is
    cat(sin, cos) with frequencies 10000^(-i / (width / 4)).
    """
    quarter = width // 4
    frequencies = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat((angles.sin(), angles.cos()), dim=1)
    table = torch.cat((waves[None].expand(side, -1, -1), waves[:, None].expand(-1, side, -1)), dim=2)
    return table.flatten(0, 1)[None].float()


def _bias(layer: nn.Linear | nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
