"""Other sizes as Pillow makes them, masks as their formulas say, upscaling networks through spandrel."""

from __future__ import annotations

import math
from importlib import util
from pathlib import Path

import pytest
import torch
from PIL import Image

from diffusion import upscale
from diffusion.masks import faded, grown, outpainting_mask, pasted
from diffusion.resize import METHODS, covering, proportional, resized
from diffusion.weights import BadWeights
from tests.diffusion import tiny

X = torch.rand(2, 3, 37, 53, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("method", ["lanczos", "bicubic", "bilinear", "nearest"])
@pytest.mark.parametrize(("height", "width"), [(80, 100), (20, 31), (13, 90), (1, 1)])
def test_equals_pillow(method: str, height: int, width: int) -> None:
    picture = Image.frombytes("F", (53, 37), X[1, 2].numpy().tobytes())
    theirs = picture.resize((width, height), Image.Resampling[method.upper()]).tobytes()
    ours = resized(X, height, width, method)
    assert ours.shape == (2, 3, height, width)
    assert torch.allclose(ours[1, 2].flatten(), torch.frombuffer(bytearray(theirs), dtype=torch.float32), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_an_even_picture_stays_even_and_one_of_that_size_as_it_is(method: str) -> None:
    assert torch.allclose(resized(torch.full((1, 4, 9, 7), 0.3), 20, 3, method), torch.tensor(0.3), atol=1e-6)
    assert resized(X, 37, 53, method) is X


def test_area_is_the_mean_of_what_a_pixel_stands_for() -> None:
    assert torch.allclose(
        resized(X[..., :36, :52], 9, 13, "area"),
        X[..., :36, :52].unflatten(2, (9, 4)).unflatten(4, (13, 4)).mean((3, 5)),
    )
    with pytest.raises(ValueError, match="expected one of lanczos"):
        resized(X, 5, 5, "magic")


def test_proportions() -> None:
    assert proportional((37, 53), 0, 0) == (37, 53)
    assert proportional((37, 53), 0, 106) == (74, 106)
    assert proportional((37, 53), 74, 0) == (74, 106)
    assert proportional((37, 53), 8, 9) == (8, 9)
    assert torch.equal(covering(X, 10, 10), X[..., 8:45])
    assert torch.equal(covering(X, 1, 53), X[:, :, 18:19])


def brute(mask: torch.Tensor, radius: int) -> torch.Tensor:
    result = torch.zeros_like(mask)
    _, height, width = mask.shape
    for y in range(height):
        for x in range(width):
            near = [
                mask[:, b, a] for b in range(height) for a in range(width) if (b - y) ** 2 + (a - x) ** 2 <= radius**2
            ]
            result[:, y, x] = torch.stack(near).amax(0)
    return result


@pytest.mark.parametrize("radius", [0, 1, 3, 20])
def test_growing_is_the_greatest_within_a_disc(radius: int) -> None:
    mask = torch.rand(2, 9, 11, generator=torch.Generator().manual_seed(1))
    assert torch.equal(grown(mask, radius), brute(mask, radius))
    assert torch.allclose(grown(mask, -radius), 1 - brute(1 - mask, radius))


def test_room_around_a_picture_fades_into_it() -> None:
    """Against the formula, pixel by pixel: ((f - d) / f)^2 with d the way to the nearest edge that got room."""
    height, width, feather = 21, 30, 8
    left, top, right, bottom = 16, 0, 8, 24
    mask = outpainting_mask(height, width, (left, top, right, bottom), feather)
    assert mask.shape == (45, 54)
    expected = torch.ones(45, 54)
    for y in range(height):
        for x in range(width):
            distance = min(x, width - x, height - y)
            expected[y + top, x + left] = ((feather - distance) / feather) ** 2 if distance < feather else 0
    assert torch.allclose(mask, expected)
    assert set(outpainting_mask(10, 10, (8, 0, 0, 0), 5).unique().tolist()) == {0.0, 1.0}
    assert not outpainting_mask(30, 30, (0, 0, 0, 0), 5).any()


def test_fading_from_the_edges() -> None:
    mask = faded(torch.ones(1, 4, 6), (2, 0, 0, 4))
    assert mask[0, 0].tolist() == [0.5, 1, 1, 1, 1, 1]
    assert mask[0, :, 5].tolist() == [1, 0.75, 0.5, 0.25]


def test_pasting_keeps_what_is_masked_out_and_cuts_what_hangs_over() -> None:
    patch, mask = torch.rand(1, 3, 10, 10), torch.zeros(1, 10, 10)
    mask[..., 5:] = 1
    result = pasted(X, patch, 48, -4, mask)
    assert torch.equal(result, X)
    whole = pasted(X, patch, -3, 30, torch.ones(1, 10, 10))
    assert torch.equal(whole[1, :, 30:, :7], patch[0, :, :7, 3:])
    assert torch.equal(whole[:, :, :30], X[:, :, :30])
    assert pasted(X, patch, 53, 0, mask) is X
    assert len(pasted(X[:1], patch.expand(4, -1, -1, -1), 0, 0, mask)) == 4
    with pytest.raises(ValueError, match="patch: expected 1 or 3 items, got 2"):
        pasted(X[:1], patch.expand(2, -1, -1, -1), 0, 0, mask.expand(3, -1, -1))


@pytest.mark.skipif(util.find_spec("spandrel") is not None, reason="spandrel is installed")
def test_without_spandrel_the_way_to_get_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImportError, match="pip install spandrel"):
        upscale.load_upscaler(tmp_path / "x.safetensors", "cpu")


def test_an_upscaling_network(tmp_path: Path) -> None:
    """A plain ESRGAN of one block in its old layout: x2, against the same layers by hand."""
    pytest.importorskip("spandrel")
    from spandrel.architectures.ESRGAN import ESRGAN

    torch.manual_seed(0)
    network = ESRGAN(num_filters=8, num_blocks=1, scale=2).eval()
    path = tiny.save(tmp_path / "x2.safetensors", network.state_dict())
    seen: list[tuple[int, int]] = []
    large = upscale.upscaled(upscale.load_upscaler(path, "cpu"), X, lambda *step: seen.append(step))
    assert seen == [(1, 2), (2, 2)]
    with torch.no_grad():
        assert torch.allclose(large, network(X).clamp(0, 1), atol=1e-5)
    with pytest.raises(BadWeights, match="expected an upscaling network"):
        upscale.load_upscaler(tiny.save(tmp_path / "y.safetensors", {"a": torch.zeros(1)}), "cpu")


def test_upscaling_goes_picture_by_picture() -> None:
    class Doubles:
        device = torch.device("cpu")

        def __call__(self, image_B3HW: torch.Tensor) -> torch.Tensor:
            assert len(image_B3HW) == 1
            return image_B3HW.repeat_interleave(2, 2).repeat_interleave(2, 3) * 1.5

    large = upscale.upscaled(Doubles(), X, lambda number, total: None)
    assert large.shape == (2, 3, 74, 106)
    assert float(large.max()) == 1.0
    assert math.isclose(float(large[1, 2, 0, 1]), min(1.0, float(X[1, 2, 0, 0]) * 1.5), rel_tol=1e-6)
