"""What guidance may add: away from the estimate of a network that was made worse on purpose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffusion.guidance.rules import Ask, Moment
from diffusion.hooks import Hooks, Site, Skippable, probabilities
from diffusion.networks.layers import attention
from diffusion.networks.unet import UNet

MIDDLE = "middle_block.1"
"""The transformer in the middle of a U-Net."""


def blocks_of(network: nn.Module, chosen: str) -> frozenset[str]:
    """Names of blocks, of "middle" or of numbers and names between commas. ValueError for one there is not."""
    if not isinstance(network, Skippable):
        raise ValueError(f"model: expected one whose blocks can be left out, got a {type(network).__name__}")
    blocks, found = list(network.block_names), set[str]()
    for word in filter(None, map(str.strip, chosen.split(","))):
        if word == "middle":
            found.add(MIDDLE if MIDDLE in blocks else blocks[len(blocks) // 2])
        elif word in blocks:
            found.add(word)
        elif word.isdecimal() and int(word) < len(blocks):
            found.add(blocks[int(word)])
        else:
            raise ValueError(
                f"blocks: expected numbers from 0 to {len(blocks) - 1} or names as {blocks[0]}, got {word!r}"
            )
    if not found:
        raise ValueError(f"blocks: expected at least one of 0 to {len(blocks) - 1}, got {chosen!r}")
    return frozenset(found)


@dataclass(frozen=True)
class PerturbedAttention:
    """Perturbed-attention guidance (Ahn et al., arXiv 2403.17377): in the worse network's `blocks` a token of the
    picture looks at no other than itself, beside the text where text and picture attend jointly."""

    scale: float
    blocks: frozenset[str]

    def __call__(self, ask: Ask, at: Moment, towards: Tensor, _away: Tensor | None) -> Tensor:
        (worse,) = ask(at, (0,), Hooks(attend=self._attend))
        return self.scale * (towards - worse)

    def _attend(self, site: Site, q_BLND: Tensor, k_BSND: Tensor, v_BSND: Tensor) -> Tensor:
        if site.kind == "cross" or not any(site.name.startswith(f"{block}.") for block in self.blocks):
            return attention(q_BLND, k_BSND, v_BSND)
        if site.kind == "self":
            return v_BSND.flatten(2)
        text, picture = slice(None, site.text), slice(site.text, None)
        seen = attention(q_BLND[:, text], k_BSND, v_BSND)
        return torch.cat((seen, _text_and_self(q_BLND, k_BSND, v_BSND, text, picture)), dim=1)


def _text_and_self(q_BLND: Tensor, k_BLND: Tensor, v_BLND: Tensor, text: slice, picture: slice) -> Tensor:
    """Attention of each token of the picture over the text and itself: B P (N D)."""
    q, scale = q_BLND[:, picture], q_BLND.shape[-1] ** -0.5
    to_text_BNPT = torch.einsum("bpnd,btnd->bnpt", q, k_BLND[:, text])
    to_self_BNP1 = torch.einsum("bpnd,bpnd->bnp", q, k_BLND[:, picture])[..., None]
    weights = (torch.cat((to_text_BNPT, to_self_BNP1), dim=-1).float() * scale).softmax(-1).to(q.dtype)
    of_text = torch.einsum("bnpt,btnd->bpnd", weights[..., :-1], v_BLND[:, text])
    return (of_text + weights[..., -1].transpose(1, 2)[..., None] * v_BLND[:, picture]).flatten(2)


@dataclass(frozen=True)
class SkippedLayers:
    """Skip-layer guidance, as Stability AI gives it for SD3.5 medium: the worse network leaves `blocks` out."""

    scale: float
    blocks: frozenset[str]

    def __call__(self, ask: Ask, at: Moment, towards: Tensor, _away: Tensor | None) -> Tensor:
        (worse,) = ask(at, (0,), Hooks(skipped=self.blocks))
        return self.scale * (towards - worse)


@dataclass(frozen=True)
class SelfAttention:
    """Self-attention guidance (Hong et al., arXiv 2210.00939, algorithm 1) of a U-Net: the worse input is blurred, by a
    Gaussian of deviation `blur` in latent cells, where the middle of the network looks more than on average.

    `halvings`: how often latents are halved on the way to the middle. Only texts for the whole picture are watched.
    """

    scale: float
    blur: float
    halvings: int

    @staticmethod
    def of(network: nn.Module, scale: float, blur: float) -> SelfAttention:
        """For a network; ValueError for one without self-attention in its middle."""
        if not isinstance(network, UNet) or MIDDLE not in network.block_names:
            kind = type(network).__name__
            raise ValueError(f"model: expected a U-Net with a transformer in its middle, got a {kind}")
        return SelfAttention(scale, blur, len(network.params.multipliers) - 1)

    def __call__(self, ask: Ask, at: Moment, towards: Tensor, away: Tensor | None) -> Tensor:
        place, estimate = (0, towards) if away is None else (1, away)
        batch, _, height, width = estimate.shape
        rows, columns = ((side - 1 >> self.halvings) + 1 for side in (height, width))
        looked: list[Tensor] = []

        def watch(site: Site, q_BLND: Tensor, k_BSND: Tensor, v_BSND: Tensor) -> Tensor:
            if site.name == f"{MIDDLE}.transformer_blocks.0.attn1" and q_BLND.shape[1] == rows * columns:
                looked.append(probabilities(q_BLND, k_BSND).mean(1).sum(1))
            return attention(q_BLND, k_BSND, v_BSND)

        ask(at, (place,), Hooks(attend=watch))
        if not looked:
            return torch.zeros_like(estimate)
        marked_B1hw = (torch.cat(looked).unflatten(0, (-1, batch)).mean(0) > 1).unflatten(1, (1, rows, columns))
        mask_B1HW = F.interpolate(marked_B1hw.float(), (height, width), mode="nearest") > 0
        worse = torch.where(mask_B1HW, blurred(estimate, self.blur), estimate)
        (seen,) = ask(at._replace(x_BCHW=at.x_BCHW + at.alpha * (worse - estimate)), (place,))
        return self.scale * (worse - seen)


def blurred(x_BCHW: Tensor, deviation: float) -> Tensor:
    """Convolved with a Gaussian cut off at 9 cells, the edges mirrored."""
    radius = min(4, *(side - 1 for side in x_BCHW.shape[2:]))
    at = torch.arange(-radius, radius + 1, dtype=x_BCHW.dtype, device=x_BCHW.device)
    kernel = torch.exp(-(at**2) / (2 * deviation**2))
    kernel = (kernel / kernel.sum()).expand(x_BCHW.shape[1], 1, -1)
    padded = F.pad(x_BCHW, (radius,) * 4, mode="reflect")
    down = F.conv2d(padded, kernel[..., None], groups=x_BCHW.shape[1])
    return F.conv2d(down, kernel[:, :, None], groups=x_BCHW.shape[1])
