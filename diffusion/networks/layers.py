"""The two computations every network here shares: timestep embedding and the attention call."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion.hooks import Hooks, Site


def timestep_embedding(t_B: Tensor, dim: int) -> Tensor:
    """Sinusoidal embedding cat(cos, sin) of shape B x dim, always fp32; `dim` is even.

    Frequencies are 10000^(-i / half) for i = 0 .. half - 1 (Ho et al. 2020, arXiv:2006.11239, in the order of LDM).
    """
    half = dim // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device=t_B.device) / half)
    angles = t_B.float()[:, None] * frequencies
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


def attention(q_BLND: Tensor, k_BSND: Tensor, v_BSND: Tensor) -> Tensor:
    """Softmax attention per head over tokens; heads are joined again: B x L x (N D)."""
    q, k, v = (x.transpose(1, 2) for x in (q_BLND, k_BSND, v_BSND))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def attended(hooks: Hooks, site: Site, q_BLND: Tensor, k_BSND: Tensor, v_BSND: Tensor) -> Tensor:
    """The attention of a site, by the hook where there is one, and what it sees beside."""
    seen_BLC = attention(q_BLND, k_BSND, v_BSND) if hooks.attend is None else hooks.attend(site, q_BLND, k_BSND, v_BSND)
    for key_BSC, value_BSC, weight in hooks.beside.get(site.name, ()):
        heads = (part.unflatten(-1, q_BLND.shape[2:]) for part in (key_BSC, value_BSC))
        seen_BLC = seen_BLC + weight * attention(q_BLND, *heads)
    return seen_BLC
