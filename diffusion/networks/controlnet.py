"""ControlNets: copies of a network's first half that read a picture and say what to add to the network itself.

Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models", arXiv:2302.05543. For U-Nets under
the names of its authors, one of several kinds of pictures under those of ControlNet Union beside them. For MMDiTs
blocks under the names of SD3, the rest under those of diffusers.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion.hooks import NO_HOOKS, Residuals
from diffusion.networks.dit import DiTBlock
from diffusion.networks.layers import timestep_embedding
from diffusion.networks.mmdit import (
    HEAD_WIDTH,
    JointBlock,
    MMDiTParams,
    PatchEmbed,
    TimestepEmbedder,
    VectorEmbedder,
    centre_of,
    padded_to,
    position_table,
)
from diffusion.networks.shapes import Shapes, count, shape_of
from diffusion.networks.unet import DownBlock, EmbeddingMLP, MidBlock, UNetParams, conv3, way_down
from diffusion.unfit import Unfit

HINT_WIDTHS = (16, 32, 96, 256)
UNION_HEADS = 8


class ControlUNet(nn.Module):
    """For U-Nets: a residual for every output of the way down, and one for the middle."""

    def __init__(self, params: UNetParams, hint_channels: int) -> None:
        super().__init__()
        p = self.params = params
        self.time_embed = EmbeddingMLP(p.channels, p.time_dim)
        self.label_emb = None if p.y_dim is None else nn.Sequential(EmbeddingMLP(p.y_dim, p.time_dim))
        self.input_blocks, widths = way_down(p)
        self.middle_block = MidBlock(p, widths[-1], p.depth_mid)
        self.input_hint_block = HintBlock(hint_channels, p.channels)
        self.zero_convs = nn.ModuleList(nn.Sequential(nn.Conv2d(width, width, 1)) for width in widths)
        self.middle_block_out = nn.Sequential(nn.Conv2d(widths[-1], widths[-1], 1))

    @staticmethod
    def from_shapes(shapes: Shapes) -> ControlUNet:
        """Of these tensors. ValueError if they are of no ControlNet."""
        channels = shape_of(shapes, "input_blocks.0.0.weight", 4)[1]
        # The half it does not have, in shapes that tell nothing but how many blocks there would be.
        other = {f"output_blocks.{n}.0": () for n in range(count(shapes, "input_blocks."))}
        params = UNetParams.from_shapes({**shapes, **other, "out.2.weight": (channels, 1, 1, 1)})
        hint_channels = shape_of(shapes, "input_hint_block.0.weight", 4)[1]
        if "task_embedding" not in shapes:
            return ControlUNet(params, hint_channels)
        kinds = shape_of(shapes, "task_embedding", 2)[0]
        kind_dim = shape_of(shapes, "control_add_embedding.linear_1.weight", 2)[1] // kinds
        return ControlUnion(params, hint_channels, kinds, kind_dim)

    def embed(self, hint_BCHW: Tensor) -> Tensor:
        """A picture in 0..1, 8 times the size of the latents, to what is added to them."""
        return self.input_hint_block(hint_BCHW)

    def forward(
        self,
        x_BCHW: Tensor,
        t_B: Tensor,
        context_BLD: Tensor,
        y_BD: Tensor | None,
        embedded_BCHW: Tensor,
        kind: int | None = None,
    ) -> Residuals:
        """All but `embedded` and `kind` as the U-Net itself gets them. Unfit for text or a vector of another
        family, and for no kind where there are several."""
        check_text(context_BLD, self.params.context_dim)
        emb_BD = self.time_embed(timestep_embedding(t_B, self.params.channels).to(x_BCHW.dtype))
        if self.label_emb is not None:
            if y_BD is None:
                raise Unfit(f"ControlNet: expected an extra vector of {self.params.y_dim} values, got none")
            emb_BD = emb_BD + self.label_emb(y_BD)
        emb_BD = emb_BD + self.told(kind)
        h, residuals = x_BCHW, []
        for block, out in zip(self.input_blocks, self.zero_convs, strict=True):
            h = block(h, emb_BD, context_BLD, NO_HOOKS) if isinstance(block, DownBlock) else block(h)
            if not residuals:
                h = h + self.seen(h, embedded_BCHW, kind)
            residuals.append(out(h))
        return Residuals(tuple(residuals), self.middle_block_out(self.middle_block(h, emb_BD, context_BLD, NO_HOOKS)))

    def told(self, _kind: int | None) -> Tensor | float:
        """What is added to the embedding of time."""
        return 0.0

    def seen(self, _h_BCHW: Tensor, embedded_BCHW: Tensor, _kind: int | None) -> Tensor:
        """What is added to the first features."""
        return embedded_BCHW


class ControlUnion(ControlUNet):
    """For U-Nets, of several kinds of pictures (ControlNet Union)."""

    def __init__(self, params: UNetParams, hint_channels: int, kinds: int, kind_dim: int) -> None:
        super().__init__(params, hint_channels)
        width = params.channels
        self.task_embedding = nn.Parameter(torch.zeros(kinds, width))
        self.transformer_layes = nn.ModuleList([AloneBlock(width)])  # spelt so in the files
        self.spatial_ch_projs = nn.Linear(width, width)
        self.control_add_embedding = KindMLP(kinds * kind_dim, params.time_dim)

    def told(self, kind: int | None) -> Tensor:
        kinds = len(self.task_embedding)
        if kind is None:
            raise Unfit(f"ControlNet: this one follows {kinds} kinds of pictures; say which one it gets")
        marks_K = torch.zeros(kinds, device=self.task_embedding.device)
        marks_K[kind] = 1
        dim = self.control_add_embedding.linear_1.in_features // kinds
        return self.control_add_embedding(
            timestep_embedding(marks_K, dim).flatten()[None].to(self.task_embedding.dtype)
        )

    def seen(self, h_BCHW: Tensor, embedded_BCHW: Tensor, kind: int | None) -> Tensor:
        x_BC = embedded_BCHW.mean((2, 3)) + self.task_embedding[kind]
        for layer in self.transformer_layes:
            x_BC = layer(x_BC)
        return embedded_BCHW + self.spatial_ch_projs(x_BC)[:, :, None, None]


class AloneBlock(nn.Module):
    """A transformer block over one token: attention to nothing but itself.

    It was trained with the pictures of a batch for a sequence; of one picture, guided or not, that is the same.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, UNION_HEADS)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x_BC: Tensor) -> Tensor:
        weight, bias = (part.chunk(3)[2] for part in (self.attn.in_proj_weight, self.attn.in_proj_bias))
        x_BC = x_BC + self.attn.out_proj(F.linear(self.ln_1(x_BC), weight, bias))
        h = self.mlp["c_fc"](self.ln_2(x_BC))
        return x_BC + self.mlp["c_proj"](h * torch.sigmoid(1.702 * h))


class KindMLP(nn.Module):
    def __init__(self, in_features: int, features: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(in_features, features)
        self.linear_2 = nn.Linear(features, features)

    def forward(self, x_BD: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x_BD)))


class HintBlock(nn.Sequential):
    """Convolutions that bring a picture to the resolution of latents."""

    def __init__(self, hint_channels: int, channels: int) -> None:
        layers: list[nn.Module] = [conv3(hint_channels, HINT_WIDTHS[0]), nn.SiLU()]
        for width, wider in pairwise(HINT_WIDTHS):
            layers += [conv3(width, width), nn.SiLU(), nn.Conv2d(width, wider, 3, stride=2, padding=1), nn.SiLU()]
        super().__init__(*layers, conv3(HINT_WIDTHS[-1], channels))


class ControlMMDiT(nn.Module):
    """For MMDiTs: a residual for each of its blocks, which are fewer than those of the network. The hint is a picture's
    latents, and behind them a mask where the ControlNet takes one."""

    def __init__(self, params: MMDiTParams, hint_channels: int) -> None:
        super().__init__()
        p = self.params = params
        self.x_embedder = PatchEmbed(p.in_channels, p.width, p.patch)
        self.pos_embed: Tensor
        self.register_buffer("pos_embed", position_table(p.positions, p.width))
        self.t_embedder = TimestepEmbedder(p.time_dim, p.width)
        self.y_embedder = None if p.y_dim is None else VectorEmbedder(p.y_dim, p.width)
        self.context_embedder = nn.Linear(p.context_dim, p.width)
        self.joint_blocks = nn.ModuleList(
            JointBlock(p.width, p.heads, qk_norm=p.qk_norm, dual=n in p.dual_blocks, last=False) for n in range(p.depth)
        )
        self.controlnet_blocks = nn.ModuleList(nn.Linear(p.width, p.width) for _ in range(p.depth))
        self.pos_embed_input = PatchEmbed(hint_channels, p.width, p.patch)

    @staticmethod
    def from_shapes(shapes: Shapes) -> ControlMMDiT:
        """Of these tensors. ValueError if they are of no ControlNet, or of one that takes more than a picture and a
        mask."""
        _, channels, patch, _ = shape_of(shapes, "x_embedder.proj.weight", 4)
        taken = shape_of(shapes, "pos_embed_input.proj.weight", 4)[1]
        if taken not in (channels, channels + 1):
            raise ValueError(
                f"it takes hints of {taken} channels; expected {channels}, a picture's, or {channels + 1}, a mask's too"
            )
        params = MMDiTParams.from_shapes({**shapes, "final_layer.linear.weight": (channels * patch**2, 1)})
        return ControlMMDiT(params, taken)

    @property
    def takes_mask(self) -> bool:
        return self.pos_embed_input.proj.in_channels > self.params.in_channels

    def embed(self, hint_BCHW: Tensor) -> Tensor:
        """Scaled latents, which it takes as they are."""
        return hint_BCHW

    def forward(
        self,
        x_BCHW: Tensor,
        t_B: Tensor,
        context_BLD: Tensor,
        _y_BD: Tensor | None,
        embedded_BCHW: Tensor,
        _kind: int | None = None,
    ) -> Residuals:
        """All but `embedded` as the MMDiT itself gets them. The pooled text is not looked at: they were trained with
        zeros in its place."""
        check_text(context_BLD, self.params.context_dim)
        c_BW = self.t_embedder(t_B, x_BCHW.dtype)
        if self.y_embedder is not None:
            c_BW = c_BW + self.y_embedder(x_BCHW.new_zeros(len(x_BCHW), self.params.y_dim or 0))
        context_BLW = self.context_embedder(context_BLD)
        patch = self.params.patch
        padded = padded_to(patch, x_BCHW)
        rows, columns = padded.shape[-2] // patch, padded.shape[-1] // patch
        x_BLW = self.x_embedder(padded) + centre_of(self.pos_embed, self.params, rows, columns)
        x_BLW = x_BLW + self.pos_embed_input(padded_to(patch, embedded_BCHW))
        residuals = []
        for block, out in zip(self.joint_blocks, self.controlnet_blocks, strict=True):
            context_BLW, x_BLW = block(context_BLW, x_BLW, c_BW, NO_HOOKS)
            residuals.append(out(x_BLW))
        return Residuals(tuple(residuals))


class ControlTokens(nn.Module):
    """For the large MMDiT of Stable Diffusion 3.5, by Stability AI: blocks that see the tokens of the picture alone, as
    the network itself embeds them. The hint is a picture's latents."""

    def __init__(self, depth: int, width: int, y_dim: int, hint_channels: int, patch: int, time_dim: int) -> None:
        super().__init__()
        self.patch, self.width = patch, width
        self.t_embedder = TimestepEmbedder(time_dim, width)
        self.y_embedder = VectorEmbedder(y_dim, width)
        self.transformer_blocks = nn.ModuleList(DiTBlock("", width, width // HEAD_WIDTH) for _ in range(depth))
        self.controlnet_blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.pos_embed_input = PatchEmbed(hint_channels, width, patch)

    @staticmethod
    def from_shapes(shapes: Shapes) -> ControlTokens:
        """Of these tensors. ValueError if they are of no such ControlNet."""
        width, channels, patch, _ = shape_of(shapes, "pos_embed_input.proj.weight", 4)
        return ControlTokens(
            depth=count(shapes, "transformer_blocks."),
            width=width,
            y_dim=shape_of(shapes, "y_embedder.mlp.0.weight", 2)[1],
            hint_channels=channels,
            patch=patch,
            time_dim=shape_of(shapes, "t_embedder.mlp.0.weight", 2)[1],
        )

    def embed(self, hint_BCHW: Tensor) -> Tensor:
        """Scaled latents, which it takes as they are."""
        return hint_BCHW

    def forward(
        self,
        x_BLW: Tensor,
        t_B: Tensor,
        _context_BLD: Tensor,
        y_BD: Tensor | None,
        embedded_BCHW: Tensor,
        _kind: int | None = None,
    ) -> Residuals:
        """`x`: what `MMDiT.embedded` makes of the latents. Unfit for those of a network of another width."""
        if x_BLW.shape[2] != self.width or y_BD is None:
            raise Unfit(
                f"ControlNet: this one is for networks {self.width} wide that read pooled text, got one "
                f"{x_BLW.shape[2]} wide; use one made for this kind of model"
            )
        c_BW = self.t_embedder(t_B, x_BLW.dtype) + self.y_embedder(y_BD)
        x_BLW = x_BLW + self.pos_embed_input(padded_to(self.patch, embedded_BCHW))
        residuals = []
        for block, out in zip(self.transformer_blocks, self.controlnet_blocks, strict=True):
            x_BLW = block(x_BLW, c_BW, NO_HOOKS)
            residuals.append(out(x_BLW))
        return Residuals(tuple(residuals))


def check_text(context_BLD: Tensor, width: int) -> None:
    if context_BLD.shape[2] != width:
        raise Unfit(
            f"ControlNet: this one takes text {width} wide, got {context_BLD.shape[2]}; "
            "use one made for this kind of model"
        )
