"""Masks B H W in 0..1: grown, faded, drawn."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def grown(mask_BHW: Tensor, radius: int) -> Tensor:
    """The greatest value within a disc around each pixel, the least for a radius below 0; nothing is beyond edges."""
    if radius < 0:
        return -grown(-mask_BHW, -radius)
    result = mask_BHW
    for dy in range(-radius, radius + 1):
        reach = math.isqrt(radius**2 - dy**2)
        row = F.max_pool2d(mask_BHW[:, None], (1, 2 * reach + 1), stride=1, padding=(0, reach))[:, 0]
        height = mask_BHW.shape[1]
        if abs(dy) >= height:
            continue
        target, source = slice(max(0, -dy), height - max(0, dy)), slice(max(0, dy), height - max(0, -dy))
        result = result.index_copy(1, torch.arange(height)[target], torch.maximum(result[:, target], row[:, source]))
    return result


def edge_distance(height: int, width: int, left: bool, top: bool, right: bool, bottom: bool) -> Tensor:
    """How far each pixel, H W, is from the nearest of the named edges, 0 beside it; infinite where none is named."""
    far = torch.tensor(math.inf)
    rows, columns = torch.arange(height, dtype=torch.float32), torch.arange(width, dtype=torch.float32)
    from_rows = torch.minimum(rows if top else far, (height - rows if bottom else far))
    from_columns = torch.minimum(columns if left else far, (width - columns if right else far))
    return torch.minimum(from_rows.expand(height)[:, None], from_columns.expand(width)[None])


def outpainting_mask(height: int, width: int, sides: tuple[int, int, int, int], feather: int) -> Tensor:
    """1 around a picture of that size, `sides` pixels wide (left, top, right, bottom); into the picture it fades with
    the square of the distance, over `feather` pixels. H W; no fading where the picture is not twice as large."""
    left, top, right, bottom = sides
    inside_HW = torch.zeros(height, width)
    if feather > 0 and 2 * feather < height and 2 * feather < width:
        distance_HW = edge_distance(height, width, left > 0, top > 0, right > 0, bottom > 0)
        inside_HW = ((feather - distance_HW) / feather).clamp(0, 1) ** 2
    return F.pad(inside_HW, (left, right, top, bottom), value=1.0)


def faded(mask_BHW: Tensor, sides: tuple[int, int, int, int]) -> Tensor:
    """A mask that rises evenly from its edges over `sides` pixels (left, top, right, bottom)."""
    left, top, right, bottom = sides
    height, width = mask_BHW.shape[1:]
    rows = _rise(height, top) * _rise(height, bottom).flip(0)
    columns = _rise(width, left) * _rise(width, right).flip(0)
    return mask_BHW * rows[:, None] * columns


def _rise(length: int, over: int) -> Tensor:
    return ((torch.arange(length) + 1) / over).clamp(max=1) if over else torch.ones(length)


def pasted(base_BCHW: Tensor, patch_BCHW: Tensor, x: int, y: int, mask_BHW: Tensor) -> Tensor:
    """`patch` laid on `base` with its corner at (x, y), where its mask says; what hangs over is cut.

    Batches are of one length, or one of them is 1. The mask is of the patch's size.
    """
    height, width = base_BCHW.shape[2:]
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + patch_BCHW.shape[2], height), min(x + patch_BCHW.shape[3], width)
    if bottom <= top or right <= left:
        return base_BCHW
    batch = max(len(base_BCHW), len(patch_BCHW), len(mask_BHW))
    for what, tensor in (("picture", base_BCHW), ("patch", patch_BCHW), ("mask", mask_BHW)):
        if len(tensor) not in (1, batch):
            raise ValueError(f"{what}: expected 1 or {batch} items, got {len(tensor)}")
    result = base_BCHW.expand(batch, -1, -1, -1).clone()
    part = (..., slice(top - y, bottom - y), slice(left - x, right - x))
    below = result[..., top:bottom, left:right]
    mask_B1HW = mask_BHW[part][:, None]
    blend = torch.lerp(below, patch_BCHW[part].to(below), mask_B1HW.to(below))
    result[..., top:bottom, left:right] = torch.where(mask_B1HW == 0, below, blend)
    return result
