"""Flux against diffusers' FluxTransformer2DModel, through the loader that reads its layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel

from diffusion.conditioning import Sizes
from diffusion.families.flux import FAMILY
from diffusion.hooks import Hooks, Residuals
from diffusion.layouts.flux import single_file
from diffusion.loader import load_mmdit
from diffusion.networks.flux import Flux, FluxParams, patches, unpatched
from diffusion.prediction import FluxFlow
from diffusion.text.encode import Encoding
from diffusion.weights import BadWeights, Weights
from nodes.flux import flux_guidance
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error, shapes_of
from tests.diffusion.networks.published import FLUX_DEV

DEV = FluxParams(double_blocks=2, single_blocks=2, width=256, context_dim=64, y_dim=48, guided=True)
SCHNELL = replace(DEV, guided=False)


def reference_of(p: FluxParams) -> FluxTransformer2DModel:
    torch.manual_seed(0)
    reference = FluxTransformer2DModel(
        in_channels=4 * p.in_channels,
        num_layers=p.double_blocks,
        num_single_layers=p.single_blocks,
        num_attention_heads=p.heads,
        joint_attention_dim=p.context_dim,
        pooled_projection_dim=p.y_dim,
        guidance_embeds=p.guided,
    )
    randomise(reference, seed=2)
    return reference.eval()


@pytest.mark.parametrize("params", [DEV, SCHNELL], ids=["dev", "schnell"])
def test_equals_the_reference(params: FluxParams, tmp_path: Path) -> None:
    reference = reference_of(params)
    model = load_mmdit(tiny.save(tmp_path / "x.safetensors", reference.state_dict()), "cpu")
    assert model.family == "flux"
    assert model.prediction == (FluxFlow() if params.guided else FluxFlow(shift=0.0))
    x, t = torch.randn(2, 16, 6, 10), torch.tensor([0.9, 0.03])
    text, y = model.fit(torch.randn(2, 7, 64), torch.randn(2, 48), Sizes.of(48, 80))
    assert y is not None
    places = torch.zeros(3, 5, 3)
    places[..., 1], places[..., 2] = torch.arange(3)[:, None], torch.arange(5)
    with torch.no_grad():
        reference.double()  # its own rounding in fp32 reaches the tolerance
        expected = reference(
            hidden_states=patches(x).double(),
            encoder_hidden_states=text.double(),
            pooled_projections=y[:, :48].double(),
            timestep=t.double(),
            img_ids=places.flatten(0, 1).double(),
            txt_ids=torch.zeros(7, 3).double(),
            guidance=torch.full((2,), 3.5).double() if params.guided else None,
            return_dict=False,
        )[0]
        got = model.output(x, t, text, y)
    assert relative_error(got.double(), unpatched(expected, 3, 5)) <= TOLERANCE


def test_patches_are_put_back() -> None:
    x = torch.randn(2, 16, 6, 10)
    assert torch.equal(unpatched(patches(x), 3, 5), x)
    assert torch.equal(patches(x)[0, 6], x[0, :, 2:4, 2:4].flatten())


@pytest.mark.parametrize("params", [DEV, SCHNELL, replace(DEV, single_blocks=0, mlp_ratio=2)])
def test_shapes_tell_the_params(params: FluxParams) -> None:
    with torch.device("meta"):
        assert FluxParams.from_shapes(shapes_of(Flux(params))) == params


def test_published_size() -> None:
    with torch.device("meta"):
        network = Flux(FLUX_DEV)
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6) == 11901


def test_an_odd_latent_is_repeated_at_its_edge_and_cut_back() -> None:
    torch.manual_seed(0)
    network = Flux(SCHNELL)
    randomise(network, seed=1)
    x, t, context, y = torch.randn(1, 16, 4, 5), torch.tensor([0.5]), torch.randn(1, 3, 64), torch.randn(1, 48)
    with torch.no_grad():
        padded = torch.cat((x, x[..., -1:]), dim=3)
        assert torch.equal(network(x, t, context, y), network(padded, t, context, y)[..., :5])


def test_a_skipped_block_gives_back_what_it_gets() -> None:
    torch.manual_seed(0)
    network = Flux(SCHNELL)
    randomise(network, seed=1)
    shorter = Flux(replace(SCHNELL, double_blocks=1, single_blocks=1))
    gone = ("double_blocks.1.", "single_blocks.1.")
    shorter.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith(gone)})
    given = torch.randn(1, 16, 4, 4), torch.tensor([0.5]), torch.randn(1, 3, 64), torch.randn(1, 48)
    with torch.no_grad():
        skipped = Hooks(skipped=frozenset({"double_blocks.1", "single_blocks.1"}))
        assert torch.equal(network(*given, skipped), shorter(*given))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"multiple of 128, got 2 and 192"):
        replace(DEV, width=192)
    with pytest.raises(ValueError, match=r"24 input channels, 8 of them"):
        replace(DEV, in_channels=24)
    given = torch.zeros(1, 16, 4, 4), torch.zeros(1), torch.zeros(1, 3, 64)
    with pytest.raises(ValueError, match="a vector of 49 values"):
        Flux(DEV)(*given, torch.zeros(1, 48))
    with pytest.raises(ValueError, match="none for Flux"):
        Flux(SCHNELL)(*given, torch.zeros(1, 48), Hooks(residuals=Residuals(())))
    tensors = dict(reference_of(SCHNELL).state_dict())
    del tensors["single_transformer_blocks.1.proj_mlp.bias"]
    with pytest.raises(BadWeights, match=r"expected a tensor 'single_transformer_blocks\.1\.proj_mlp\.bias'"):
        load_mmdit(tiny.save(tmp_path / "x.safetensors", tensors), "cpu")


def test_the_layout_of_diffusers_leaves_nothing_over(tmp_path: Path) -> None:
    path = tiny.save(tmp_path / "x.safetensors", reference_of(DEV).state_dict())
    with torch.device("meta"):
        assert single_file(Weights.open(path)).shapes == shapes_of(Flux(DEV))


def test_text_is_t5_and_the_vector_of_clip() -> None:
    assemble = FAMILY.assemble({}, {})
    clip, t5 = Encoding(torch.randn(1, 77, 768), torch.randn(1, 768)), Encoding(torch.randn(1, 256, 4096), None)
    (entry,) = assemble({"clip_l": clip, "t5xxl": t5}).entries
    assert torch.equal(entry.context_BLD, t5.context_1LD)
    assert entry.pooled_BD is clip.pooled_1P
    (entry,) = assemble({"clip_l": clip}).entries
    assert entry.context_BLD.shape == (1, 256, 4096)
    assert not entry.context_BLD.any()
    with torch.device("meta"):
        fit = FAMILY.fit(shapes_of(Flux(DEV)), {})
    with pytest.raises(ValueError, match="pooled text of CLIP-L, 48 wide"):
        fit(torch.zeros(1, 3, 64), None, Sizes.of(64, 64))


def test_guidance_is_told_to_dev_alone(tmp_path: Path) -> None:
    dev, schnell = (
        load_mmdit(tiny.save(tmp_path / f"{n}.safetensors", tiny.network_of(p).state_dict()), "cpu")
        for n, p in enumerate((DEV, SCHNELL))
    )
    text = torch.zeros(1, 3, 64), torch.randn(1, 48), Sizes.of(64, 64)
    _, y = flux_guidance(dev, 2.25).fit(*text)
    assert y is not None
    assert torch.equal(y, torch.cat((text[1], torch.tensor([[2.25]])), dim=1))
    assert flux_guidance(dev, 2.25).origin != flux_guidance(dev, 2.5).origin != dev.origin
    with pytest.raises(ValueError, match="expected Flux dev"):
        flux_guidance(schnell)
