"""Pictures, latents and masks in other sizes, each method as Pillow has it where Pillow has it too."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

METHODS = ("lanczos", "bicubic", "bilinear", "area", "nearest")


def resized(x_BCHW: Tensor, height: int, width: int, method: str) -> Tensor:
    """Of that size. Smaller pictures are averaged over what they stand for, with every method but "nearest".

    "lanczos" and "bicubic" may go a little beyond the values of the picture. ValueError for an unknown method.
    """
    if x_BCHW.shape[2:] == (height, width):
        return x_BCHW
    match method:
        case "bilinear" | "bicubic":
            return F.interpolate(x_BCHW, (height, width), mode=method, align_corners=False, antialias=True)
        case "area":
            return F.interpolate(x_BCHW, (height, width), mode="area")
        case "nearest":
            return F.interpolate(x_BCHW, (height, width), mode="nearest-exact")
        case "lanczos":
            down_YH, across_XW = (_lanczos(*sizes) for sizes in ((x_BCHW.shape[2], height), (x_BCHW.shape[3], width)))
            return down_YH.to(x_BCHW) @ x_BCHW @ across_XW.to(x_BCHW).T
        case _:
            raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")


def _lanczos(size: int, target: int) -> Tensor:
    """Weights, target x size, of the kernel sinc(x) sinc(x / 3), widened where the picture gets smaller."""
    ratio = size / target
    spread = max(ratio, 1.0)
    centres_T1 = ((torch.arange(target, dtype=torch.float64) + 0.5) * ratio)[:, None]
    places_TS = (torch.arange(size, dtype=torch.float64) + 0.5 - centres_T1) / spread
    weights_TS = torch.where(places_TS.abs() < 3, torch.sinc(places_TS) * torch.sinc(places_TS / 3), 0.0)
    return weights_TS / weights_TS.sum(1, keepdim=True)


def covering(x_BCHW: Tensor, height: int, width: int) -> Tensor:
    """The largest part around the middle that has the proportions of that size."""
    old_height, old_width = x_BCHW.shape[2:]
    scale = min(old_height / height, old_width / width)
    rows = min(old_height, max(1, round(height * scale)))
    columns = min(old_width, max(1, round(width * scale)))
    top, left = (old_height - rows) // 2, (old_width - columns) // 2
    return x_BCHW[:, :, top : top + rows, left : left + columns]


def proportional(size: tuple[int, int], height: int, width: int) -> tuple[int, int]:
    """Height and width to resize to; one that is 0 follows from the other, both 0 keep the size."""
    old_height, old_width = size
    if not height and not width:
        return size
    if not height:
        return max(1, round(old_height * width / old_width)), width
    return height, width or max(1, math.floor(old_width * height / old_height + 0.5))
