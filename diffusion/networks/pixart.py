"""PixArt: a diffusion transformer that reads text by cross-attention.

Chen et al. 2023, "PixArt-alpha", arXiv:2310.00426; Chen et al. 2024, "PixArt-Sigma", arXiv:2403.04692. One MLP makes
the modulation of all blocks from the timestep (adaLN-single), each adds a table of its own. The largest alpha network
is told the picture's size and aspect, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion.hooks import NO_HOOKS, Hooks, Site
from diffusion.networks.dit import SelfAttention
from diffusion.networks.layers import attended, timestep_embedding
from diffusion.networks.mmdit import MLP, PatchEmbed, TimestepEmbedder, modulated, unpatchify
from diffusion.networks.shapes import Shapes, count, shape_of
from diffusion.unfit import Unfit

HEAD_WIDTH = 72
SPAN, SPAN_256 = 32.0, 16.0
SIDE_256 = 16


@dataclass(frozen=True)
class PixArtParams:
    """`tokens` is how much text it was trained with, `positions` the side of a table of position embeddings in patches;
    None where the file does not say. `told_size`: it takes the picture's height, width and aspect."""

    depth: int
    width: int
    context_dim: int
    tokens: int | None
    heads: int
    told_size: bool = False
    positions: int | None = None
    patch: int = 2
    in_channels: int = 4
    out_channels: int = 8
    time_dim: int = 256

    def __post_init__(self) -> None:
        if self.depth < 1 or self.width < 1 or self.width % (4 * self.heads):
            raise ValueError(
                f"PixArt: expected at least one block and {self.heads} heads that divide the width, "
                f"got depth {self.depth}, width {self.width}"
            )

    @property
    def span(self) -> float:
        """What positions reach up to, however large the picture: 32, as at 512 pixels, 16 in the alpha of 256."""
        return SPAN_256 if self.positions == SIDE_256 else SPAN

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> PixArtParams:
        """Read everything from the tensors of a checkpoint; heads are 72 wide, or 64 where the width says so."""
        width, in_channels, patch, _ = shape_of(shapes, "x_embedder.proj.weight", 4)
        nothing = "y_embedder.y_embedding"
        return cls(
            depth=count(shapes, "blocks."),
            width=width,
            context_dim=shape_of(shapes, "y_embedder.y_proj.fc1.weight", 2)[1],
            tokens=shape_of(shapes, nothing, 2)[0] if nothing in shapes else None,
            heads=max(1, width // HEAD_WIDTH if width % HEAD_WIDTH == 0 else width // 64),
            told_size="ar_embedder.mlp.0.weight" in shapes,
            positions=math.isqrt(shape_of(shapes, "pos_embed", 3)[1]) if "pos_embed" in shapes else None,
            patch=patch,
            in_channels=in_channels,
            out_channels=shape_of(shapes, "final_layer.linear.weight", 2)[0] // patch**2,
            time_dim=shape_of(shapes, "t_embedder.mlp.0.weight", 2)[1],
        )


class PixArt(nn.Module):
    def __init__(self, params: PixArtParams) -> None:
        super().__init__()
        p = self.params = params
        self.x_embedder = PatchEmbed(p.in_channels, p.width, p.patch)
        table = None if p.positions is None else positions(p.positions, p.positions, p.width, p.span)
        self.pos_embed: Tensor | None
        self.register_buffer("pos_embed", table)
        self.t_embedder = TimestepEmbedder(p.time_dim, p.width)
        self.t_block = nn.Sequential(nn.SiLU(), nn.Linear(p.width, 6 * p.width))
        self.y_embedder = CaptionEmbedder(p.tokens, p.context_dim, p.width)
        self.csize_embedder = NumbersEmbedder(p.time_dim, p.width // 3) if p.told_size else None
        self.ar_embedder = NumbersEmbedder(p.time_dim, p.width // 3) if p.told_size else None
        self.block_names = [f"blocks.{n}" for n in range(p.depth)]
        self.blocks = nn.ModuleList(PixArtBlock(name, p.width, p.heads) for name in self.block_names)
        self.final_layer = FinalLayer(p.width, p.out_channels * p.patch**2)

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None = None, hooks: Hooks = NO_HOOKS
    ) -> Tensor:
        """Noise and variance B C H W of latent `x` at timestep `t` (0..999); H and W may be odd.

        `y`, where the network is told the size: height and width in pixels, and height / width. ValueError without.
        """
        if hooks.residuals is not None:
            raise Unfit("ControlNet: there is none for a PixArt")
        height, width = x_BCHW.shape[-2:]
        patch = self.params.patch
        padded = F.pad(x_BCHW, (0, -width % patch, 0, -height % patch), mode="replicate")
        rows, columns = padded.shape[-2] // patch, padded.shape[-1] // patch
        x_BLW = self.x_embedder(padded) + self._positions(rows, columns).to(x_BCHW)

        t_BW = self.t_embedder(t_B, x_BCHW.dtype)
        if self.csize_embedder is not None and self.ar_embedder is not None:
            if y_BD is None:
                raise ValueError("PixArt: expected the picture's height, width and aspect, got none")
            sizes_BW = (self.csize_embedder(y_BD[:, :2], x_BCHW.dtype), self.ar_embedder(y_BD[:, 2:], x_BCHW.dtype))
            t_BW = t_BW + torch.cat(sizes_BW, dim=1)
        modulation_B6W = self.t_block(t_BW).unflatten(1, (6, -1))
        context_BLW = self.y_embedder(context_BLD)
        for block in self.blocks:
            x_BLW = block(x_BLW, context_BLW, modulation_B6W, hooks)
        return unpatchify(self.final_layer(x_BLW, t_BW), rows, columns, patch)[..., :height, :width]

    def _positions(self, rows: int, columns: int) -> Tensor:
        if self.pos_embed is not None and rows == columns == self.params.positions:
            return self.pos_embed
        device = self.x_embedder.proj.weight.device
        return positions(rows, columns, self.params.width, self.params.span, device)


class CaptionEmbedder(nn.Module):
    """Text to the network's width. `y_embedding` is what stood for no text in training."""

    def __init__(self, tokens: int | None, context_dim: int, width: int) -> None:
        super().__init__()
        self.y_proj = nn.ModuleDict({"fc1": nn.Linear(context_dim, width), "fc2": nn.Linear(width, width)})
        self.register_buffer("y_embedding", None if tokens is None else torch.zeros(tokens, context_dim))

    def forward(self, context_BLD: Tensor) -> Tensor:
        return self.y_proj["fc2"](F.gelu(self.y_proj["fc1"](context_BLD), approximate="tanh"))


class NumbersEmbedder(nn.Module):
    """Numbers B N, each embedded by the same MLP, side by side: B x (N width)."""

    def __init__(self, time_dim: int, width: int) -> None:
        super().__init__()
        self.time_dim = time_dim
        self.mlp = nn.Sequential(nn.Linear(time_dim, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, numbers_BN: Tensor, dtype: torch.dtype) -> Tensor:
        waves = timestep_embedding(numbers_BN.flatten(), self.time_dim).to(dtype)
        return self.mlp(waves).unflatten(0, numbers_BN.shape).flatten(1)


class PixArtBlock(nn.Module):
    """Self-attention, cross-attention to the text, MLP."""

    def __init__(self, name: str, width: int, heads: int) -> None:
        super().__init__()
        self.name = name
        self.attn = SelfAttention(Site(f"{name}.attn", "self"), width, heads)
        self.cross_attn = CrossAttention(Site(f"{name}.cross_attn", "cross"), width, heads)
        self.mlp = MLP(width)
        self.scale_shift_table = nn.Parameter(torch.zeros(6, width))

    def forward(self, x_BLW: Tensor, context_BLW: Tensor, modulation_B6W: Tensor, hooks: Hooks) -> Tensor:
        if self.name in hooks.skipped:
            return x_BLW
        parts = (self.scale_shift_table + modulation_B6W).chunk(6, dim=1)
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = parts
        x_BLW = x_BLW + gate * self.attn(modulated(x_BLW, shift, scale), hooks)
        x_BLW = x_BLW + self.cross_attn(x_BLW, context_BLW, hooks)
        return x_BLW + mlp_gate * self.mlp(modulated(x_BLW, mlp_shift, mlp_scale))


class CrossAttention(nn.Module):
    def __init__(self, site: Site, width: int, heads: int) -> None:
        super().__init__()
        self.site, self.heads = site, heads
        self.q_linear = nn.Linear(width, width)
        self.kv_linear = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x_BLW: Tensor, context_BLW: Tensor, hooks: Hooks) -> Tensor:
        q = self.q_linear(x_BLW).unflatten(-1, (self.heads, -1))
        k, v = self.kv_linear(context_BLW).unflatten(-1, (2, self.heads, -1)).unbind(2)
        return self.proj(attended(hooks, self.site, q, k, v))


class FinalLayer(nn.Module):
    def __init__(self, width: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, out_features)
        self.scale_shift_table = nn.Parameter(torch.zeros(2, width))

    def forward(self, x_BLW: Tensor, t_BW: Tensor) -> Tensor:
        shift, scale = (self.scale_shift_table + t_BW[:, None]).chunk(2, dim=1)
        return self.linear(modulated(x_BLW, shift, scale))


def positions(rows: int, columns: int, width: int, span: float, device: torch.device | None = None) -> Tensor:
    """Sine-cosine embedding of a grid, 1 x (rows columns) x W, fp32: positions 0..span however many there are.

    Order as in `mmdit.position_table`: column first, then row, each cat(sin, cos).
    """
    quarter = width // 4
    frequencies = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64, device=device) / quarter)

    def waves(count: int) -> Tensor:
        places = torch.arange(count, dtype=torch.float64, device=device) * (span / count)
        angles = places[:, None] * frequencies
        return torch.cat((angles.sin(), angles.cos()), dim=1)

    across = waves(columns)[None].expand(rows, -1, -1)
    down = waves(rows)[:, None].expand(-1, columns, -1)
    return torch.cat((across, down), dim=2).flatten(0, 1)[None].float()
