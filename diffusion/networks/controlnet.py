"""ControlNets: copies of a network's first half that read a picture and say what to add to the network itself.

Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models", arXiv:2302.05543. One for U-Nets,
under the names of its authors, and one for MMDiTs, blocks under the names of SD3, the rest under those of diffusers.
"""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from diffusion.hooks import NO_HOOKS, Residuals
from diffusion.networks.layers import timestep_embedding
from diffusion.networks.mmdit import (
    JointBlock,
    MMDiTParams,
    PatchEmbed,
    TimestepEmbedder,
    VectorEmbedder,
    centre_of,
    position_table,
)
from diffusion.networks.shapes import Shapes, count, shape_of
from diffusion.networks.unet import DownBlock, EmbeddingMLP, MidBlock, UNetParams, conv3, way_down

HINT_WIDTHS = (16, 32, 96, 256)


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
        return ControlUNet(params, shape_of(shapes, "input_hint_block.0.weight", 4)[1])

    def embed(self, hint_BCHW: Tensor) -> Tensor:
        """A picture in 0..1, 8 times the size of the latents, to what is added to them."""
        return self.input_hint_block(hint_BCHW)

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None, embedded_BCHW: Tensor
    ) -> Residuals:
        """All but `embedded` as the U-Net itself gets them. ValueError for text or a vector of another family."""
        check_text(context_BLD, self.params.context_dim)
        emb_BD = self.time_embed(timestep_embedding(t_B, self.params.channels).to(x_BCHW.dtype))
        if self.label_emb is not None:
            if y_BD is None:
                raise ValueError(f"ControlNet: expected an extra vector of {self.params.y_dim} values, got none")
            emb_BD = emb_BD + self.label_emb(y_BD)
        h, residuals = x_BCHW, []
        for block, out in zip(self.input_blocks, self.zero_convs, strict=True):
            h = block(h, emb_BD, context_BLD, NO_HOOKS) if isinstance(block, DownBlock) else block(h)
            if not residuals:
                h = h + embedded_BCHW
            residuals.append(out(h))
        return Residuals(tuple(residuals), self.middle_block_out(self.middle_block(h, emb_BD, context_BLD, NO_HOOKS)))


class HintBlock(nn.Sequential):
    """Convolutions that bring a picture to the resolution of latents."""

    def __init__(self, hint_channels: int, channels: int) -> None:
        layers: list[nn.Module] = [conv3(hint_channels, HINT_WIDTHS[0]), nn.SiLU()]
        for width, wider in pairwise(HINT_WIDTHS):
            layers += [conv3(width, width), nn.SiLU(), nn.Conv2d(width, wider, 3, stride=2, padding=1), nn.SiLU()]
        super().__init__(*layers, conv3(HINT_WIDTHS[-1], channels))


class ControlMMDiT(nn.Module):
    """For MMDiTs: a residual for each of its blocks, which are fewer than those of the network. The hint is a picture's
    latents."""

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
            JointBlock(p.width, p.heads, qk_norm=p.qk_norm, dual=n in p.dual_blocks, last=False) for n in range(p.depth)
        )
        self.controlnet_blocks = nn.ModuleList(nn.Linear(p.width, p.width) for _ in range(p.depth))
        self.pos_embed_input = PatchEmbed(p.in_channels, p.width, p.patch)

    @staticmethod
    def from_shapes(shapes: Shapes) -> ControlMMDiT:
        """Of these tensors. ValueError if they are of no ControlNet, or of one that takes a mask too."""
        _, channels, patch, _ = shape_of(shapes, "x_embedder.proj.weight", 4)
        taken = shape_of(shapes, "pos_embed_input.proj.weight", 4)[1]
        if taken != channels:
            raise ValueError(f"it takes hints of {taken} channels; only those of {channels}, a picture's, can be used")
        return ControlMMDiT(MMDiTParams.from_shapes({**shapes, "final_layer.linear.weight": (channels * patch**2, 1)}))

    def embed(self, hint_BCHW: Tensor) -> Tensor:
        """Scaled latents, which it takes as they are."""
        return hint_BCHW

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None, embedded_BCHW: Tensor
    ) -> Residuals:
        """All but `embedded` as the MMDiT itself gets them. The pooled text is not looked at: they were trained with
        zeros in its place."""
        check_text(context_BLD, self.params.context_dim)
        c_BW = self.t_embedder(t_B, x_BCHW.dtype)
        if self.y_embedder is not None:
            c_BW = c_BW + self.y_embedder(x_BCHW.new_zeros(len(x_BCHW), self.params.y_dim or 0))
        context_BLW = self.context_embedder(context_BLD)
        patch = self.params.patch
        margin = (0, -x_BCHW.shape[-1] % patch, 0, -x_BCHW.shape[-2] % patch)
        padded = F.pad(x_BCHW, margin, mode="replicate")
        rows, columns = padded.shape[-2] // patch, padded.shape[-1] // patch
        x_BLW = self.x_embedder(padded) + centre_of(self.pos_embed, self.params, rows, columns)
        x_BLW = x_BLW + self.pos_embed_input(F.pad(embedded_BCHW, margin, mode="replicate"))
        residuals = []
        for block, out in zip(self.joint_blocks, self.controlnet_blocks, strict=True):
            context_BLW, x_BLW = block(context_BLW, x_BLW, c_BW, NO_HOOKS)
            residuals.append(out(x_BLW))
        return Residuals(tuple(residuals))


def check_text(context_BLD: Tensor, width: int) -> None:
    if context_BLD.shape[2] != width:
        raise ValueError(
            f"ControlNet: this one takes text {width} wide, got {context_BLD.shape[2]}; "
            "use one made for this kind of model"
        )
