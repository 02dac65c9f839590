"""The transformer of Flux: blocks with two streams, then blocks with one, over text and image tokens.

Black Forest Labs 2024 (github.com/black-forest-labs/flux, Apache-2.0); parallel attention and MLP after Dehghani et
al. 2023, arXiv:2302.05442; rotary positions after Su et al. 2021, arXiv:2104.09864, on three axes of which images use
two.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion.hooks import NO_HOOKS, Hooks, Site
from diffusion.networks.layers import attended, timestep_embedding
from diffusion.networks.mmdit import FinalLayer, modulated
from diffusion.networks.shapes import Shapes, count, shape_of
from diffusion.unfit import Unfit

AXES = (16, 56, 56)
HEAD_WIDTH = sum(AXES)
THETA = 10000.0
PATCH = 2
TIME_DIM = 256
EPS = 1e-6


@dataclass(frozen=True)
class FluxParams:
    """`guided`: it is told a guidance scale, which it was distilled to follow (dev; schnell is not)."""

    double_blocks: int
    single_blocks: int
    width: int
    context_dim: int
    y_dim: int
    guided: bool
    in_channels: int = 16
    out_channels: int = 16
    mlp_ratio: int = 4

    def __post_init__(self) -> None:
        if self.double_blocks < 1 or self.width < 1 or self.width % HEAD_WIDTH:
            raise ValueError(
                f"Flux: expected at least one block with two streams and a width that is a multiple of {HEAD_WIDTH}, "
                f"got {self.double_blocks} and {self.width}"
            )
        if self.in_channels != self.out_channels:
            raise ValueError(
                f"its network takes {self.in_channels} input channels, {self.in_channels - self.out_channels} of them "
                "beside latents; only text-to-image networks of Flux can be used"
            )

    @property
    def heads(self) -> int:
        return self.width // HEAD_WIDTH

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> FluxParams:
        """Read everything from the tensors of a checkpoint whose prefix is stripped."""
        width, in_features = shape_of(shapes, "img_in.weight", 2)
        return cls(
            double_blocks=count(shapes, "double_blocks."),
            single_blocks=count(shapes, "single_blocks."),
            width=width,
            context_dim=shape_of(shapes, "txt_in.weight", 2)[1],
            y_dim=shape_of(shapes, "vector_in.in_layer.weight", 2)[1],
            guided="guidance_in.in_layer.weight" in shapes,
            in_channels=in_features // PATCH**2,
            out_channels=shape_of(shapes, "final_layer.linear.weight", 2)[0] // PATCH**2,
            mlp_ratio=shape_of(shapes, "double_blocks.0.img_mlp.0.weight", 2)[0] // width,
        )


class Flux(nn.Module):
    def __init__(self, params: FluxParams) -> None:
        super().__init__()
        p = self.params = params
        self.img_in = nn.Linear(p.in_channels * PATCH**2, p.width)
        self.txt_in = nn.Linear(p.context_dim, p.width)
        self.time_in = Embedder(TIME_DIM, p.width)
        self.vector_in = Embedder(p.y_dim, p.width)
        self.guidance_in = Embedder(TIME_DIM, p.width) if p.guided else None
        counts = {"double_blocks": p.double_blocks, "single_blocks": p.single_blocks}
        self.block_names = [f"{kind}.{n}" for kind, count in counts.items() for n in range(count)]
        self.double_blocks = nn.ModuleList(DoubleBlock(name, p) for name in self.block_names[: p.double_blocks])
        self.single_blocks = nn.ModuleList(SingleBlock(name, p) for name in self.block_names[p.double_blocks :])
        self.final_layer = FinalLayer(p.width, p.out_channels * PATCH**2)

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None = None, hooks: Hooks = NO_HOOKS
    ) -> Tensor:
        """Velocity B C H W of latent `x` at time `t` = sigma; H and W may be odd.

        `y` is the pooled text and, where the network is told, the guidance scale behind it. ValueError without.
        """
        p, dtype = self.params, x_BCHW.dtype
        if y_BD is None or y_BD.shape[1] != p.y_dim + p.guided:
            raise ValueError(f"Flux: expected a vector of {p.y_dim + p.guided} values for each latent")
        if hooks.residuals is not None:
            raise Unfit("ControlNet: none for Flux is known")
        c_BW = self.time_in(timestep_embedding(1000 * t_B.float(), TIME_DIM).to(dtype))
        c_BW = c_BW + self.vector_in(y_BD[:, : p.y_dim].to(dtype))
        if self.guidance_in is not None:
            c_BW = c_BW + self.guidance_in(timestep_embedding(1000 * y_BD[:, p.y_dim].float(), TIME_DIM).to(dtype))

        height, width = x_BCHW.shape[-2:]
        padded = F.pad(x_BCHW, (0, -width % PATCH, 0, -height % PATCH), mode="replicate")
        rows, columns = padded.shape[-2] // PATCH, padded.shape[-1] // PATCH
        x_BLW, context_BLW = self.img_in(patches(padded)), self.txt_in(context_BLD)
        turns = rotations(context_BLW.shape[1], rows, columns, x_BCHW.device)
        for block in self.double_blocks:
            context_BLW, x_BLW = block(context_BLW, x_BLW, c_BW, turns, hooks)
        joint_BLW = torch.cat((context_BLW, x_BLW), dim=1)
        for block in self.single_blocks:
            joint_BLW = block(joint_BLW, context_BLW.shape[1], c_BW, turns, hooks)
        out_BLD = self.final_layer(joint_BLW[:, context_BLW.shape[1] :], c_BW)
        return unpatched(out_BLD, rows, columns)[..., :height, :width]


class Embedder(nn.Module):
    def __init__(self, in_features: int, width: int) -> None:
        super().__init__()
        self.in_layer = nn.Linear(in_features, width)
        self.out_layer = nn.Linear(width, width)

    def forward(self, x_BD: Tensor) -> Tensor:
        return self.out_layer(F.silu(self.in_layer(x_BD)))


class Modulation(nn.Module):
    """Shift, scale and gate, each B 1 W, of each of `parts` / 3 places."""

    def __init__(self, width: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.lin = nn.Linear(width, parts * width)

    def forward(self, c_BW: Tensor) -> tuple[Tensor, ...]:
        return self.lin(F.silu(c_BW))[:, None].chunk(self.parts, dim=-1)


class RMSNorm(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.scale.shape, self.scale.to(x.dtype), EPS)


class QKNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query_norm = RMSNorm(HEAD_WIDTH)
        self.key_norm = RMSNorm(HEAD_WIDTH)


class StreamAttention(nn.Module):
    """Queries, keys and values of one stream, and its output projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.norm = QKNorm()
        self.proj = nn.Linear(width, width)

    def heads_of(self, x_BLW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.qkv(x_BLW).unflatten(-1, (3, self.heads, -1)).unbind(2)
        return self.norm.query_norm(q), self.norm.key_norm(k), v


class DoubleBlock(nn.Module):
    """Both streams attend to both, context tokens first, then each goes through its own MLP."""

    def __init__(self, name: str, p: FluxParams) -> None:
        super().__init__()
        self.name, self.site = name, Site(f"{name}.attn", "joint")
        self.img_mod, self.txt_mod = Modulation(p.width, 6), Modulation(p.width, 6)
        self.img_attn, self.txt_attn = StreamAttention(p.width, p.heads), StreamAttention(p.width, p.heads)
        self.img_mlp, self.txt_mlp = mlp(p.width, p.mlp_ratio), mlp(p.width, p.mlp_ratio)

    def forward(
        self, context_BLW: Tensor, x_BLW: Tensor, c_BW: Tensor, turns: Tensor, hooks: Hooks
    ) -> tuple[Tensor, Tensor]:
        if self.name in hooks.skipped:
            return context_BLW, x_BLW
        of_context, of_x = self.txt_mod(c_BW), self.img_mod(c_BW)
        q, k, v = (
            torch.cat(pair, dim=1)
            for pair in zip(
                self.txt_attn.heads_of(modulated(context_BLW, *of_context[:2])),
                self.img_attn.heads_of(modulated(x_BLW, *of_x[:2])),
                strict=True,
            )
        )
        tokens = context_BLW.shape[1]
        joint = attended(hooks, self.site._replace(text=tokens), rotated(q, turns), rotated(k, turns), v)
        context_BLW = context_BLW + of_context[2] * self.txt_attn.proj(joint[:, :tokens])
        context_BLW = context_BLW + of_context[5] * self.txt_mlp(modulated(context_BLW, *of_context[3:5]))
        x_BLW = x_BLW + of_x[2] * self.img_attn.proj(joint[:, tokens:])
        return context_BLW, x_BLW + of_x[5] * self.img_mlp(modulated(x_BLW, *of_x[3:5]))


class SingleBlock(nn.Module):
    """All tokens alike, `tokens` of the context first; attention and MLP side by side between two linear layers."""

    def __init__(self, name: str, p: FluxParams) -> None:
        super().__init__()
        self.name, self.site = name, Site(f"{name}.attn", "joint")
        self.width, self.heads, self.hidden = p.width, p.heads, p.mlp_ratio * p.width
        self.modulation = Modulation(p.width, 3)
        self.linear1 = nn.Linear(p.width, 3 * p.width + self.hidden)
        self.linear2 = nn.Linear(p.width + self.hidden, p.width)
        self.norm = QKNorm()

    def forward(self, x_BLW: Tensor, tokens: int, c_BW: Tensor, turns: Tensor, hooks: Hooks) -> Tensor:
        if self.name in hooks.skipped:
            return x_BLW
        shift, scale, gate = self.modulation(c_BW)
        fused, hidden = self.linear1(modulated(x_BLW, shift, scale)).split((3 * self.width, self.hidden), dim=-1)
        q, k, v = fused.unflatten(-1, (3, self.heads, -1)).unbind(2)
        q, k = rotated(self.norm.query_norm(q), turns), rotated(self.norm.key_norm(k), turns)
        joint = attended(hooks, self.site._replace(text=tokens), q, k, v)
        return x_BLW + gate * self.linear2(torch.cat((joint, F.gelu(hidden, approximate="tanh")), dim=-1))


def mlp(width: int, ratio: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, ratio * width), nn.GELU(approximate="tanh"), nn.Linear(ratio * width, width))


def rotations(tokens: int, rows: int, columns: int, device: torch.device) -> Tensor:
    """Cosine and sine, 2 L 1 D/2, by which each token's pairs of values are turned: not at all for text, by row and
    column for the image."""
    places_L3 = torch.zeros(tokens + rows * columns, len(AXES), dtype=torch.float64, device=device)
    places_L3[tokens:, 1] = torch.arange(rows, device=device).repeat_interleave(columns)
    places_L3[tokens:, 2] = torch.arange(columns, device=device).repeat(rows)
    angles = [
        places_L3[:, axis, None] * THETA ** (-torch.arange(0, dim, 2, dtype=torch.float64, device=device) / dim)
        for axis, dim in enumerate(AXES)
    ]
    angles_L1D = torch.cat(angles, dim=1)[:, None]
    return torch.stack((angles_L1D.cos(), angles_L1D.sin())).float()


def rotated(x_BLND: Tensor, turns: Tensor) -> Tensor:
    """Neighbouring pairs of values turned, in float32."""
    cos, sin = turns
    first, second = x_BLND.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack((cos * first - sin * second, sin * first + cos * second), dim=-1)
    return turned.flatten(-2).to(x_BLND.dtype)


def patches(x_BCHW: Tensor) -> Tensor:
    """B (rows columns) (C patch patch), unlike SD3's, whose channels come last."""
    grid = x_BCHW.unflatten(3, (-1, PATCH)).unflatten(2, (-1, PATCH))
    return grid.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpatched(patches_BLD: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `patches`."""
    grid = patches_BLD.unflatten(2, (-1, PATCH, PATCH)).unflatten(1, (rows, columns))
    return grid.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
