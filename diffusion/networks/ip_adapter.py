"""IP-Adapter: pictures as prompts, by keys and values of their own in every cross-attention of a U-Net.

Ye et al. 2023, "IP-Adapter: Text Compatible Image Prompt Adapter for Text-to-Image Diffusion Models", arXiv:2308.06721.
What an image encoder says of a picture becomes a few tokens as wide as text: of its vector (the plain one), of its rows
by a resampler (Plus) or one by one (Full). Names are those of the published files.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffusion.networks.layers import attention
from diffusion.networks.shapes import Shapes, count, shape_of

HEAD_WIDTH = 64


class IPAdapterNetwork(nn.Module):
    def __init__(self, image_proj: OfVector | OfRows | Resampler, text_dim: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.image_proj = image_proj
        # Even numbers would be those of self-attentions.
        self.ip_adapter = nn.ModuleDict({str(2 * n + 1): Projections(text_dim, w) for n, w in enumerate(widths)})
        self.widths = widths

    @staticmethod
    def from_shapes(shapes: Shapes) -> IPAdapterNetwork:
        """Of these tensors. ValueError if they are of no IP-Adapter, or of one for faces, which needs what recognises
        them."""
        if any("perceiver_resampler" in name or "_lora." in name for name in shapes):
            raise ValueError(
                "it is a FaceID adapter, which needs a network that recognises faces; expected another one"
            )
        names = [f"ip_adapter.{2 * n + 1}.to_k_ip.weight" for n in range(count(shapes, "ip_adapter."))]
        keys = [shape_of(shapes, name, 2) for name in names or ["ip_adapter.1.to_k_ip.weight"]]
        own = {name.removeprefix("image_proj."): s for name, s in shapes.items() if name.startswith("image_proj.")}
        return IPAdapterNetwork(_image_proj(own), keys[0][1], tuple(width for width, _ in keys))

    @property
    def reads_rows(self) -> bool:
        """Of an image encoder it takes the rows, not the vector."""
        return not isinstance(self.image_proj, OfVector)

    def tokens(self, seen: Tensor) -> Tensor:
        """What stands for pictures in attention, B L D, of their vectors B D or rows B L D. ValueError for those of
        another image encoder."""
        if seen.shape[-1] != self.image_proj.seen_dim:
            raise ValueError(
                f"IP-Adapter: this one was made with an image encoder that says {self.image_proj.seen_dim} numbers, "
                f"got one that says {seen.shape[-1]}; load the one it was made with"
            )
        return self.image_proj(seen)

    def keys_and_values(self, tokens_BLD: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
        """B L C each, for every cross-attention: those of the way down, of the way up, then of the middle."""
        return tuple(layer(tokens_BLD) for layer in self.ip_adapter.values())


class Projections(nn.Module):
    def __init__(self, text_dim: int, width: int) -> None:
        super().__init__()
        self.to_k_ip = nn.Linear(text_dim, width, bias=False)
        self.to_v_ip = nn.Linear(text_dim, width, bias=False)

    def forward(self, tokens_BLD: Tensor) -> tuple[Tensor, Tensor]:
        return self.to_k_ip(tokens_BLD), self.to_v_ip(tokens_BLD)


class OfVector(nn.Module):
    """A few tokens, side by side in one linear layer."""

    def __init__(self, vector_dim: int, text_dim: int, tokens: int) -> None:
        super().__init__()
        self.seen_dim = vector_dim
        self.proj = nn.Linear(vector_dim, tokens * text_dim)
        self.norm = nn.LayerNorm(text_dim)
        self.count = tokens

    def forward(self, vector_BD: Tensor) -> Tensor:
        return self.norm(self.proj(vector_BD).unflatten(1, (self.count, -1)))


class OfRows(nn.Module):
    """A token for every row."""

    def __init__(self, row_dim: int, text_dim: int) -> None:
        super().__init__()
        self.seen_dim = row_dim
        self.proj = nn.Sequential(
            nn.Linear(row_dim, row_dim), nn.GELU(), nn.Linear(row_dim, text_dim), nn.LayerNorm(text_dim)
        )

    def forward(self, rows_BLD: Tensor) -> Tensor:
        return self.proj(rows_BLD)


class Resampler(nn.Module):
    """Learned tokens that look at the rows and at themselves (Perceiver, Jaegle et al., arXiv:2103.03206)."""

    def __init__(
        self, row_dim: int, text_dim: int, width: int, inner: int, tokens: int, depth: int, hidden: int
    ) -> None:
        super().__init__()
        self.seen_dim = row_dim
        self.latents = nn.Parameter(torch.zeros(1, tokens, width))
        self.proj_in = nn.Linear(row_dim, width)
        self.proj_out = nn.Linear(width, text_dim)
        self.norm_out = nn.LayerNorm(text_dim)
        self.layers = nn.ModuleList(ResamplerLayer(width, inner, hidden) for _ in range(depth))

    def forward(self, rows_BLD: Tensor) -> Tensor:
        x_BLW = self.proj_in(rows_BLD)
        latents_BQW = self.latents.expand(len(x_BLW), -1, -1)
        for layer in self.layers:
            latents_BQW = layer(x_BLW, latents_BQW)
        return self.norm_out(self.proj_out(latents_BQW))


class ResamplerLayer(nn.ModuleList):
    """Attention and feed-forward, each added."""

    def __init__(self, width: int, inner: int, hidden: int) -> None:
        wide, narrow = nn.Linear(width, hidden, bias=False), nn.Linear(hidden, width, bias=False)
        feed_forward = nn.Sequential(nn.LayerNorm(width), wide, nn.GELU(), narrow)
        super().__init__([PerceiverAttention(width, inner), feed_forward])

    def forward(self, x_BLW: Tensor, latents_BQW: Tensor) -> Tensor:
        look, think = self
        latents_BQW = latents_BQW + look(x_BLW, latents_BQW)
        return latents_BQW + think(latents_BQW)


class PerceiverAttention(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)

    def forward(self, x_BLW: Tensor, latents_BQW: Tensor) -> Tensor:
        latents_BQW = self.norm2(latents_BQW)
        k, v = self.to_kv(torch.cat((self.norm1(x_BLW), latents_BQW), dim=1)).chunk(2, dim=-1)
        q, k, v = (part.unflatten(-1, (-1, HEAD_WIDTH)) for part in (self.to_q(latents_BQW), k, v))
        return self.to_out(attention(q, k, v))


def _image_proj(shapes: Shapes) -> OfVector | OfRows | Resampler:
    if "latents" in shapes:
        _, tokens, width = shape_of(shapes, "latents", 3)
        return Resampler(
            row_dim=shape_of(shapes, "proj_in.weight", 2)[1],
            text_dim=shape_of(shapes, "proj_out.weight", 2)[0],
            width=width,
            inner=shape_of(shapes, "layers.0.0.to_q.weight", 2)[0],
            tokens=tokens,
            depth=count(shapes, "layers."),
            hidden=shape_of(shapes, "layers.0.1.1.weight", 2)[0],
        )
    if "proj.3.weight" in shapes:
        return OfRows(shape_of(shapes, "proj.0.weight", 2)[1], shape_of(shapes, "proj.3.weight", 1)[0])
    features, vector_dim = shape_of(shapes, "proj.weight", 2)
    text_dim = shape_of(shapes, "norm.weight", 1)[0]
    return OfVector(vector_dim, text_dim, features // text_dim)
