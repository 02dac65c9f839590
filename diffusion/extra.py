"""What networks that start from a picture take behind the noisy latents: to paint into it, or to edit it as told."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion.conditioning import Reference
from diffusion.latents import LatentFormat
from diffusion.regions import sized
from diffusion.unfit import Unfit


@dataclass(frozen=True)
class Inpaint:
    """Five channels: the mask, 1 where to paint, and the picture's latents, its masked part grey before encoding.

    `grey`: one latent of a grey picture, as the network sees latents; it stands for no picture where there is none,
    all of it to be painted. None where that latent is not known.
    """

    latent_format: LatentFormat
    grey: tuple[float, ...] | None

    def __call__(self, reference: Reference | None, x_BCHW: Tensor) -> Tensor:
        batch, _, height, width = x_BCHW.shape
        if reference is None:
            if self.grey is None:
                raise Unfit("this network paints into a picture; give it one, with a mask")
            grey_BCHW = x_BCHW.new_tensor(self.grey)[None, :, None, None].expand(batch, -1, height, width)
            return torch.cat((torch.ones_like(x_BCHW[:, :1]), grey_BCHW), dim=1)
        if reference.mask_BHW is None:
            raise Unfit("this network paints into a picture; give it a mask of what to paint")
        latent_BCHW = _picture(reference, x_BCHW, "picture to paint into")
        mask_B1HW = sized(reference.mask_BHW.to(x_BCHW), height, width)[:, None].round()
        return torch.cat((_each(mask_B1HW, batch, "mask"), self.latent_format.process_in(latent_BCHW)), dim=1)


@dataclass(frozen=True)
class Edit:
    """As many channels as latents have: the picture to edit, or zeros (InstructPix2Pix, arXiv 2211.09800).

    `latent_format` is None for networks that were trained with raw latents here.
    """

    latent_format: LatentFormat | None

    def __call__(self, reference: Reference | None, x_BCHW: Tensor) -> Tensor:
        if reference is None:
            return torch.zeros_like(x_BCHW)
        latent_BCHW = _picture(reference, x_BCHW, "picture to edit")
        return latent_BCHW if self.latent_format is None else self.latent_format.process_in(latent_BCHW)


def _picture(reference: Reference, x_BCHW: Tensor, what: str) -> Tensor:
    latent_BCHW = reference.latent_BCHW.to(x_BCHW)
    if latent_BCHW.shape[1:] != x_BCHW.shape[1:]:
        raise Unfit(
            f"{what}: expected latents of the size of the sampled ones, {list(x_BCHW.shape[1:])}, "
            f"got {list(latent_BCHW.shape[1:])}"
        )
    return _each(latent_BCHW, x_BCHW.shape[0], what)


def _each(tensor: Tensor, batch: int, what: str) -> Tensor:
    if tensor.shape[0] not in (1, batch):
        raise Unfit(f"{what}: expected 1 or {batch} items for {batch} latents, got {tensor.shape[0]}")
    return tensor.expand(batch, *tensor.shape[1:])
