"""CLIP's text transformer as a trainable network, with the keys of the `transformers` layout.

The same function as the product's encoder, reduced to what compiles well: ids in, and out what Stable Diffusion 3 takes
(the states after the last layer but one, and the pooled state) or Stable Diffusion 1 (the last states). Radford et al.
2021, arXiv:2103.00020.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VOCABULARY, POSITIONS, END, HEAD_WIDTH = 49408, 77, 49407, 64


class TextTower(nn.Module):
    """`activation`: "quick_gelu" as in CLIP's own towers, or "gelu"."""

    def __init__(self, width: int, layers: int, activation: str = "quick_gelu") -> None:
        super().__init__()
        self.text_model = nn.Module()
        self.text_model.embeddings = nn.Module()
        self.text_model.embeddings.token_embedding = nn.Embedding(VOCABULARY, width)
        self.text_model.embeddings.position_embedding = nn.Embedding(POSITIONS, width)
        self.text_model.encoder = nn.Module()
        self.text_model.encoder.layers = nn.ModuleList(Layer(width, activation) for _ in range(layers))
        self.text_model.final_layer_norm = nn.LayerNorm(width)

    def initialise(self, generator: torch.Generator) -> None:
        for name, parameter in self.named_parameters():
            if "norm" in name:
                nn.init.ones_(parameter) if name.endswith("weight") else nn.init.zeros_(parameter)
            elif parameter.ndim == 1:
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=0.02, generator=generator)

    def forward(self, ids_BL: Tensor) -> tuple[Tensor, Tensor]:
        """Context B L D (before the last layer, not normalised) and pooled B D (at the first end token, normalised)."""
        embeddings = self.text_model.embeddings
        x = embeddings.token_embedding(ids_BL) + embeddings.position_embedding.weight[: ids_BL.shape[1]]
        layers = self.text_model.encoder.layers
        for layer in layers[:-1]:
            x = layer(x)
        end = (ids_BL == END).int().argmax(1)
        last = layers[-1](x)[torch.arange(len(x), device=x.device), end]
        return x, self.text_model.final_layer_norm(last)

    def last(self, ids_BL: Tensor) -> Tensor:
        """Context B L D after the last layer, normalised."""
        embeddings = self.text_model.embeddings
        x = embeddings.token_embedding(ids_BL) + embeddings.position_embedding.weight[: ids_BL.shape[1]]
        for layer in self.text_model.encoder.layers:
            x = layer(x)
        return self.text_model.final_layer_norm(x)


class Layer(nn.Module):
    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.self_attn = SelfAttention(width)
        self.mlp = MLP(width, activation)

    def forward(self, x_BLD: Tensor) -> Tensor:
        x_BLD = x_BLD + self.self_attn(self.layer_norm1(x_BLD))
        return x_BLD + self.mlp(self.layer_norm2(x_BLD))


class SelfAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x_BLD: Tensor) -> Tensor:
        q, k, v = (
            proj(x_BLD).unflatten(2, (-1, HEAD_WIDTH)).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.out_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))


class MLP(nn.Module):
    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.quick = activation == "quick_gelu"
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x_BLD: Tensor) -> Tensor:
        h = self.fc1(x_BLD)
        return self.fc2(h * torch.sigmoid(1.702 * h) if self.quick else F.gelu(h))
