"""Pictures for ControlNets: edges where brightness changes, thin and connected."""

from __future__ import annotations

import torch
from torch import Tensor

from diffusion.hints import canny, gray


def square(brightness: float = 1.0, background: float = 0.0) -> Tensor:
    image = torch.full((1, 3, 32, 40), background)
    image[..., 8:24, 10:30] = brightness
    return image


def test_edges_are_the_outline_one_pixel_wide() -> None:
    edges = canny(square(), 0.1, 0.2)
    assert set(edges.unique().tolist()) == {0.0, 1.0}
    rows, columns = edges[0, 0, 16].nonzero().flatten(), edges[0, 0, :, 20].nonzero().flatten()
    assert [abs(float(n) - at) <= 1 for n, at in zip(rows, (9.5, 29.5), strict=True)] == [True, True]
    assert [abs(float(n) - at) <= 1 for n, at in zip(columns, (7.5, 23.5), strict=True)] == [True, True]
    assert not edges[0, 0, 12:20, 14:26].any()
    assert not edges[0, 0, :4].any()


def test_edges_turn_with_the_picture() -> None:
    torch.manual_seed(0)
    image = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 6), (48, 48), mode="bicubic").clamp(0, 1)
    turned = canny(image.rot90(1, (2, 3)), 0.05, 0.1)
    agreeing = (turned == canny(image, 0.05, 0.1).rot90(1, (2, 3))).float().mean()
    assert agreeing > 0.97
    assert turned.any()


def test_weak_edges_count_where_they_touch_strong_ones() -> None:
    """An edge that fades along its way: seen as far as `low`, but not by itself."""
    image = square()
    image[..., :, :] *= torch.linspace(1, 0.1, 32)[:, None]
    both, strong = canny(image, 0.1, 0.4).sum(), canny(image, 0.4, 0.4).sum()
    assert 0 < strong < both
    assert canny(image, 0.1, 0.1).sum() >= both
    assert not canny(square(0.1), 0.1, 0.2).any()


def test_an_even_picture_has_no_edges() -> None:
    assert not canny(torch.full((2, 3, 16, 16), 0.7), 0.0, 0.0).any()


def test_gray_is_brightness() -> None:
    colours = torch.eye(3).view(1, 3, 1, 3)
    assert torch.allclose(gray(colours).flatten(), torch.tensor([0.299, 0.587, 0.114]))
    assert torch.allclose(gray(square(0.5)), square(0.5)[:, :1])
