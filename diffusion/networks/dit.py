"""DiT: the class-conditional diffusion transformer.

Peebles & Xie 2022, "Scalable Diffusion Models with Transformers", arXiv:2212.09748. Timestep and class modulate every
block by adaLN-Zero. The output has the noise and, in as many channels more, the variance where that is learned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diffusion.hooks import NO_HOOKS, Hooks, Site
from diffusion.networks.layers import attended
from diffusion.networks.mmdit import (
    MLP,
    FinalLayer,
    PatchEmbed,
    TimestepEmbedder,
    modulated,
    position_table,
    unpatchify,
)
from diffusion.networks.shapes import Shapes, count, shape_of
from diffusion.unfit import Unfit

HEAD_WIDTH = 64
XL_WIDTH, XL_HEADS = 1152, 16  # the one size whose heads are wider
DIGIT = 256


@dataclass(frozen=True)
class DiTParams:
    """`positions` is the side of a picture in patches, the only size the network knows, None where its file does not
    say; `rows` of the table of classes include one for no class where the network was trained without, too."""

    depth: int
    width: int
    rows: int
    patch: int = 2
    positions: int | None = 16
    in_channels: int = 4
    out_channels: int = 8
    time_dim: int = 256

    def __post_init__(self) -> None:
        if self.depth < 1 or self.width < 1 or self.width % self.heads or self.width % 4:
            raise ValueError(
                f"DiT: expected at least one block and a width that is a multiple of {HEAD_WIDTH}, "
                f"got depth {self.depth}, width {self.width}"
            )

    @property
    def heads(self) -> int:
        return XL_HEADS if self.width == XL_WIDTH else max(1, -(-self.width // HEAD_WIDTH))

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> DiTParams:
        """Read everything from the tensors of a checkpoint."""
        width, in_channels, patch, _ = shape_of(shapes, "x_embedder.proj.weight", 4)
        return cls(
            depth=count(shapes, "blocks."),
            width=width,
            rows=shape_of(shapes, "y_embedder.embedding_table.weight", 2)[0],
            patch=patch,
            positions=math.isqrt(shape_of(shapes, "pos_embed", 3)[1]) if "pos_embed" in shapes else None,
            in_channels=in_channels,
            out_channels=shape_of(shapes, "final_layer.linear.weight", 2)[0] // patch**2,
            time_dim=shape_of(shapes, "t_embedder.mlp.0.weight", 2)[1],
        )


class DiT(nn.Module):
    def __init__(self, params: DiTParams) -> None:
        super().__init__()
        p = self.params = params
        self.x_embedder = PatchEmbed(p.in_channels, p.width, p.patch)
        self.pos_embed: Tensor | None
        self.register_buffer("pos_embed", None if p.positions is None else position_table(p.positions, p.width))
        self.t_embedder = TimestepEmbedder(p.time_dim, p.width)
        self.y_embedder = LabelEmbedder(p.rows, p.width)
        self.block_names = [f"blocks.{n}" for n in range(p.depth)]
        self.blocks = nn.ModuleList(DiTBlock(name, p.width, p.heads) for name in self.block_names)
        self.final_layer = FinalLayer(p.width, p.out_channels * p.patch**2)

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None = None, hooks: Hooks = NO_HOOKS
    ) -> Tensor:
        """Noise and variance B C H W of latent `x` at timestep `t` (0..999) for the class in `context`, see `digits`.

        ValueError for a latent of another size than that of training.
        """
        rows, columns = (side // self.params.patch for side in x_BCHW.shape[-2:])
        side = (self.params.positions or rows) * self.params.patch
        if x_BCHW.shape[-2:] != (side, side):
            raise ValueError(
                f"latent: this DiT was trained on {side} x {side} cells, {8 * side} pixels a side, and takes no other "
                f"size, nor an area of it; got {x_BCHW.shape[-2]} x {x_BCHW.shape[-1]}"
            )
        positions = self.pos_embed
        if positions is None:
            with x_BCHW.device:
                positions = position_table(rows, self.params.width)
        if hooks.residuals is not None:
            raise Unfit("ControlNet: there is none for a DiT")
        c_BW = self.t_embedder(t_B, x_BCHW.dtype) + self.y_embedder(label_of(context_BLD))
        x_BLW = self.x_embedder(x_BCHW) + positions.to(x_BCHW)
        for block in self.blocks:
            x_BLW = block(x_BLW, c_BW, hooks)
        return unpatchify(self.final_layer(x_BLW, c_BW), rows, columns, self.params.patch)


class LabelEmbedder(nn.Module):
    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.embedding_table = nn.Embedding(rows, width)

    def forward(self, labels_B: Tensor) -> Tensor:
        return self.embedding_table(labels_B)


class DiTBlock(nn.Module):
    """Self-attention and MLP; shift, scale and gate of both come from timestep and class."""

    def __init__(self, name: str, width: int, heads: int) -> None:
        super().__init__()
        self.name = name
        self.attn = SelfAttention(Site(f"{name}.attn", "self"), width, heads)
        self.mlp = MLP(width)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, x_BLW: Tensor, c_BW: Tensor, hooks: Hooks) -> Tensor:
        if self.name in hooks.skipped:
            return x_BLW
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = self.adaLN_modulation(c_BW)[:, None].chunk(6, dim=-1)
        x_BLW = x_BLW + gate * self.attn(modulated(x_BLW, shift, scale), hooks)
        return x_BLW + mlp_gate * self.mlp(modulated(x_BLW, mlp_shift, mlp_scale))


class SelfAttention(nn.Module):
    def __init__(self, site: Site, width: int, heads: int) -> None:
        super().__init__()
        self.site, self.heads = site, heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x_BLW: Tensor, hooks: Hooks) -> Tensor:
        q, k, v = self.qkv(x_BLW).unflatten(-1, (3, self.heads, -1)).unbind(2)
        return self.proj(attended(hooks, self.site, q, k, v))


def digits(label: int) -> Tensor:
    """A class as a context 1 1 2: two digits of base 256, which every floating-point type holds exactly."""
    return torch.tensor([[[label // DIGIT, label % DIGIT]]], dtype=torch.float32)


def label_of(context_BLD: Tensor) -> Tensor:
    """The classes B, integers, that `digits` wrote."""
    return (context_BLD[:, 0].float() @ context_BLD.new_tensor([DIGIT, 1], dtype=torch.float32)).round().long()
