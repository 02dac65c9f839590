"""What the benches of the demo models compute from pictures."""

from __future__ import annotations

import torch

from bench.demo_edges import agreement
from bench.demo_styles import places, rising


def test_places_between_two_models() -> None:
    a_B3HW, b_B3HW = torch.rand(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for share in (0.0, 0.3, 1.0):
        assert torch.allclose(places(torch.lerp(a_B3HW, b_B3HW, share), a_B3HW, b_B3HW), torch.full((4,), share))


def test_rising_is_the_share_of_pictures_whose_place_always_rises() -> None:
    assert rising([torch.tensor([0.0, 0.0, 0.0, 0.0]), torch.tensor([0.5, 0.5, -0.1, 0.5]), torch.ones(4)]) == 0.75
    assert rising([torch.zeros(2), torch.tensor([0.5, 1.1]), torch.ones(2)]) == 0.5


def test_edges_agree_within_a_pixel() -> None:
    picture_13HW = torch.zeros(1, 3, 64, 64)
    picture_13HW[..., 16:40, 16:40] = 1
    assert agreement(picture_13HW, picture_13HW) == 1
    assert agreement(picture_13HW.roll(1, dims=3), picture_13HW) > 0.95
    assert agreement(picture_13HW.roll(5, dims=3), picture_13HW) < 0.6
    assert agreement(torch.zeros_like(picture_13HW), picture_13HW) == 0
