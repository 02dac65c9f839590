"""Pictures for ControlNets that take no model to make."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)
_SIGMA = 1.4
_RADIUS = 2
_FAINTEST = 1e-3
"""Slopes below come from rounding; one of 256 levels of brightness is about twice that."""


def gray(image_B3HW: Tensor) -> Tensor:
    """Brightness B 1 H W as the eye has it (ITU-R BT.601)."""
    return torch.einsum("bchw,c->bhw", image_B3HW, image_B3HW.new_tensor(_LUMA))[:, None]


def canny(image_B3HW: Tensor, low: float, high: float) -> Tensor:
    """Edges B 1 H W, 1 or 0 (Canny 1986, "A Computational Approach to Edge Detection").

    The picture is smoothed, and the slope of its brightness (about 0.5 for a step from black to white) is thinned to
    ridges one pixel wide. Ridges above `high` are edges, and so is what is above `low` and touches one of them.
    """
    slope_x, slope_y = _slopes(_smoothed(gray(image_B3HW)))
    slope = torch.hypot(slope_x, slope_y)
    ridges = slope * _is_ridge(slope, slope_x, slope_y)
    weak = ridges > max(low, _FAINTEST)
    strong = weak & (ridges > high)
    while True:
        reached = (F.max_pool2d(strong.float(), 3, stride=1, padding=1) > 0) & weak
        if torch.equal(reached, strong):
            return strong.to(image_B3HW.dtype)
        strong = reached


def _smoothed(gray_B1HW: Tensor) -> Tensor:
    places = torch.arange(-_RADIUS, _RADIUS + 1, dtype=gray_B1HW.dtype, device=gray_B1HW.device)
    weights = torch.exp(-(places**2) / (2 * _SIGMA**2))
    weights = weights / weights.sum()
    padded = F.pad(gray_B1HW, (_RADIUS,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))


def _slopes(gray_B1HW: Tensor) -> tuple[Tensor, Tensor]:
    """Sobel's, across and down."""
    kernel = gray_B1HW.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
    padded = F.pad(gray_B1HW, (1, 1, 1, 1), mode="replicate")
    across, down = kernel.view(1, 1, 3, 3), kernel.T.reshape(1, 1, 3, 3)
    return F.conv2d(padded, across), F.conv2d(padded, down)


def _is_ridge(slope: Tensor, slope_x: Tensor, slope_y: Tensor) -> Tensor:
    """Where it is no smaller than on either side, in the nearest of four directions of the slope."""
    octant = torch.round(torch.atan2(slope_y, slope_x) / (math.pi / 4)).long() % 4
    padded = F.pad(slope, (1, 1, 1, 1))
    height, width = slope.shape[-2:]
    result = torch.zeros_like(slope, dtype=torch.bool)
    for number, (down, across) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = padded[..., 1 + down : 1 + down + height, 1 + across : 1 + across + width]
        behind = padded[..., 1 - down : 1 - down + height, 1 - across : 1 - across + width]
        result |= (octant == number) & (slope >= ahead) & (slope > behind)
    return result
