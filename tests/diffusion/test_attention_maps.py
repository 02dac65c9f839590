"""Attention maps: shares that add up, the same that the network itself computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from diffusion.attention_maps import attention_maps, grid_of
from diffusion.conditioning import Conditioning
from diffusion.loader import load_mmdit, load_unet
from diffusion.model import Model
from diffusion.networks.unet import CrossAttention
from diffusion.picture_prompts import IPAdapter, PicturePrompt
from tests.diffusion import tiny


def model_of(family: str, folder: Path) -> Model:
    path = tiny.save(folder / "m.safetensors", tiny.network_of(tiny.NETWORKS[family]).state_dict())
    return (load_unet if family == "sd15" else load_mmdit)(path, "cpu")


def given(family: str) -> tuple[Conditioning, Tensor]:
    torch.manual_seed(0)
    if family != "sd15":
        return Conditioning.of(torch.randn(1, 9, 64), torch.randn(1, 64)), torch.randn(2, 16, 6, 10)
    return Conditioning.of(torch.randn(1, 9, 768)), torch.randn(2, 4, 7, 10)


@pytest.mark.parametrize("family", ["sd15", "sd3", "flux"])
def test_shares_add_up_over_the_tokens(family: str, tmp_path: Path) -> None:
    positive, latent = given(family)
    maps_SHW = attention_maps(model_of(family, tmp_path), positive, latent, levels=2, seed=1)
    tokens = maps_SHW.shape[0] if family == "sd3" else 9
    assert maps_SHW.shape == (tokens, *latent.shape[2:])
    assert torch.allclose(maps_SHW.sum(0), torch.ones(()), atol=1e-5)
    assert maps_SHW.min() >= 0
    assert maps_SHW.std() > 0


def test_pictures_beside_the_text_do_not_count(tmp_path: Path) -> None:
    model, (positive, latent) = model_of("sd15", tmp_path), given("sd15")
    unseen = PicturePrompt(cast(IPAdapter, None), torch.zeros(1, 4, 768))
    beside = positive.each(lambda entry: replace(entry, pictures=(unseen,)))
    plain, found = (attention_maps(model, text, latent, levels=1, seed=1) for text in (positive, beside))
    assert torch.equal(found, plain)


@torch.no_grad()
def test_they_are_what_the_network_computed(tmp_path: Path) -> None:
    """Softmax written out over what goes into every cross-attention, at one level."""
    model = model_of("sd15", tmp_path)
    positive, latent = given("sd15")
    found: list[Tensor] = []

    def watch(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert isinstance(module, CrossAttention)
        q, k = (part.unflatten(-1, (module.heads, -1)) for part in (module.to_q(args[0]), module.to_k(args[1])))
        scores = torch.einsum("blnd,bsnd->bnls", q, k) / q.shape[-1] ** 0.5
        shares = scores.exp() / scores.exp().sum(-1, keepdim=True)
        size = (7, 10) if q.shape[1] == 70 else (4, 5)
        maps = shares.mean(1).transpose(1, 2).unflatten(-1, size)
        found.append(torch.nn.functional.interpolate(maps, (7, 10), mode="bilinear")[0])

    handles = [m.register_forward_pre_hook(watch) for m in model.network.modules() if isinstance(m, CrossAttention)]
    maps_SHW = attention_maps(model, positive, latent, levels=1, seed=1)
    for handle in handles:
        handle.remove()
    assert len(found) == len(handles)
    assert torch.allclose(maps_SHW, torch.stack(found).mean(0), atol=1e-5)


def test_a_picture_that_cannot_be_is_refused() -> None:
    assert grid_of(70, 7, 10) == (7, 10)
    assert grid_of(20, 7, 10) == (4, 5)
    with pytest.raises(ValueError, match="no picture"):
        grid_of(21, 7, 10)
