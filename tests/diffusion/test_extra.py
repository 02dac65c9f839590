"""What networks that start from a picture get beside the noisy latents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from diffusion.conditioning import Conditioning, Entry, Reference
from diffusion.extra import Edit, Inpaint
from diffusion.latents import SD15, SD15_GREY, SDXL
from diffusion.loader import load_unet
from tests.diffusion import tiny
from tests.diffusion.test_guidance import denoise


def test_to_paint_into_a_picture_are_its_mask_and_its_latents() -> None:
    x, picture = torch.randn(2, 4, 6, 8), torch.randn(1, 4, 6, 8)
    mask = torch.rand(1, 48, 64)
    got = Inpaint(SD15, SD15_GREY)(Reference(picture, mask), x)
    small = F.interpolate(mask[:, None], (6, 8), mode="bilinear").round()
    assert torch.equal(got, torch.cat((small, picture * SD15.scale), dim=1).expand(2, -1, -1, -1))


def test_without_a_picture_all_is_to_be_painted_on_grey() -> None:
    x = torch.randn(2, 4, 3, 5)
    got = Inpaint(SD15, SD15_GREY)(None, x)
    assert torch.equal(got[:, 0], torch.ones(2, 3, 5))
    assert torch.equal(got[1, 1:, 2, 4], torch.tensor(SD15_GREY))
    with pytest.raises(ValueError, match="paints into a picture"):
        Inpaint(SDXL, None)(None, x)
    with pytest.raises(ValueError, match="a mask of what to paint"):
        Inpaint(SDXL, None)(Reference(x), x)


def test_to_edit_a_picture_are_its_latents_raw_or_scaled() -> None:
    x, picture = torch.randn(2, 4, 3, 5), torch.randn(2, 4, 3, 5)
    assert torch.equal(Edit(None)(Reference(picture), x), picture)
    assert torch.equal(Edit(SDXL)(Reference(picture), x), picture * SDXL.scale)
    assert not Edit(None)(None, x).any()


def test_a_picture_of_another_size_or_number_is_refused() -> None:
    x = torch.randn(2, 4, 3, 5)
    with pytest.raises(ValueError, match=r"picture to edit: expected latents of .*\[4, 3, 5\], got \[4, 3, 6\]"):
        Edit(None)(Reference(torch.zeros(1, 4, 3, 6)), x)
    with pytest.raises(ValueError, match="expected 1 or 2 items for 2 latents, got 3"):
        Edit(None)(Reference(torch.zeros(3, 4, 3, 5)), x)


@pytest.mark.parametrize(("channels", "kind"), [(9, Inpaint), (8, Edit)])
def test_a_file_with_more_channels_is_sampled_with_them(channels: int, kind: type, tmp_path: Path) -> None:
    network = tiny.network_of(replace(tiny.SD15, in_channels=channels))
    model = load_unet(tiny.save(tmp_path / "x.safetensors", network.state_dict()), "cpu")
    assert isinstance(model.extra_channels, kind)
    reference = Reference(torch.randn(1, 4, 8, 8), torch.ones(1, 8, 8))
    text, x = torch.randn(1, 77, 768), torch.randn(1, 4, 8, 8)
    with torch.no_grad():
        (got,) = denoise(model, x, 2.0, [Conditioning((Entry(text, reference=reference),))])
        given = torch.cat((x / 5**0.5, model.extra_channels(reference, x)), dim=1)
        t = torch.tensor([model.prediction.timestep(2.0)])
        expected = x - 2 * network(given, t, text)
    assert torch.allclose(got, expected, atol=1e-5)


def test_an_edm_file_is_edited_with_scaled_latents(tmp_path: Path) -> None:
    tensors = tiny.network_of(replace(tiny.SDXL, in_channels=8)).state_dict()
    for markers, expected in (({}, Edit(None)), ({"edm_vpred.sigma_max": torch.tensor(120.0)}, Edit(SDXL))):
        model = load_unet(tiny.save(tmp_path / "x.safetensors", {**tensors, **markers}), "cpu")
        assert model.extra_channels == expected
