"""Which token a network looks at where: attention from the picture to the text, averaged over heads, layers and levels.

Tang et al. 2022, "What the DAAM", arXiv:2210.04885. In an MMDiT, where text and picture share one attention, what the
picture's tokens give to the text's is taken and made to add up to 1 again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from diffusion.conditioning import Conditioning
from diffusion.denoiser import denoise
from diffusion.hooks import Hooks, Site, probabilities
from diffusion.model import Model
from diffusion.networks.layers import attention
from diffusion.noise import per_item


@dataclass
class _Watcher:
    """Adds up maps S h w as attentions go by."""

    height: int
    width: int
    total_SHW: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    count: int = 0

    def __call__(self, site: Site, q_BLND: Tensor, k_BSND: Tensor, v_BSND: Tensor) -> Tensor:
        if site.kind != "self":
            text = site.text if site.kind == "joint" else k_BSND.shape[1]
            queries = q_BLND[:, text:] if site.kind == "joint" else q_BLND
            shares_LS = probabilities(queries, k_BSND)[0, :, :, :text].mean(0)
            self._add(shares_LS / shares_LS.sum(1, keepdim=True))
        return attention(q_BLND, k_BSND, v_BSND)

    def _add(self, shares_LS: Tensor) -> None:
        rows, columns = grid_of(len(shares_LS), self.height, self.width)
        maps_SHW = shares_LS.T.unflatten(1, (rows, columns))
        sized_SHW = F.interpolate(maps_SHW[None], (self.height, self.width), mode="bilinear")[0].cpu()
        tokens = len(sized_SHW)
        self.total_SHW[tokens] = self.total_SHW.get(tokens, torch.zeros(())) + sized_SHW
        self.count += 1


def attention_maps(model: Model, positive: Conditioning, latent_BCHW: Tensor, levels: int, seed: int) -> Tensor:
    """Maps S H W of the first latent, one for each token of the first text, at the resolution of the latents.

    At every place they add up to 1 over the tokens. The latent, in the autoencoder's scale, is brought to `levels`
    noise levels evenly along the schedule with noise of that seed, as if it were being painted. ControlNets and
    pictures do not count. Unfit for text of another family, ValueError for networks in which no picture looks at text.
    """
    clean = model.latent_format.process_in(latent_BCHW[:1].float().to(model.device))
    noise = per_item(seed, tuple(clean.shape))(0).to(clean.device)
    entry = replace(positive.entries[0], area=None, mask_BHW=None, start=0.0, end=1.0, controls=(), pictures=())
    height, width = clean.shape[2:]
    watcher = _Watcher(height, width)
    with torch.no_grad():
        for number in range(levels):
            sigma = model.prediction.level((number + 0.5) / levels)
            x = model.prediction.noised(clean, noise, sigma)
            denoise(model, x, sigma, [Conditioning((entry,))], Hooks(attend=watcher))
    if len(watcher.total_SHW) != 1:
        raise ValueError(f"attention: {model.family} networks do not look at text by attention alone")
    (total_SHW,) = watcher.total_SHW.values()
    return total_SHW / watcher.count


def grid_of(tokens: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a picture's tokens: the latents' sides, halved as often as it takes."""
    while height * width > tokens and max(height, width) > 1:
        height, width = -(-height // 2), -(-width // 2)
    if height * width != tokens:
        raise ValueError(f"attention: {tokens} tokens are no picture of these latents")
    return height, width
