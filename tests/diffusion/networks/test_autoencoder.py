"""The autoencoder against diffusers' AutoencoderKL, and its configuration from shapes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from diffusion.networks import bands, layers
from diffusion.networks.autoencoder import Autoencoder, AutoencoderParams
from tests.diffusion import keymaps
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error, shapes_of

SD1 = AutoencoderParams(channels=32, multipliers=(1, 2, 2), res_blocks=2, latent_channels=4, quant_conv=True)
SD3 = AutoencoderParams(channels=32, multipliers=(1, 2), res_blocks=1, latent_channels=16, quant_conv=False)


@pytest.mark.parametrize("params", [SD1, SD3], ids=["4 channels", "16 channels"])
def test_equals_the_reference(params: AutoencoderParams) -> None:
    torch.manual_seed(0)
    levels = len(params.widths)
    reference = AutoencoderKL(
        block_out_channels=params.widths,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=params.res_blocks,
        latent_channels=params.latent_channels,
        use_quant_conv=params.quant_conv,
        use_post_quant_conv=params.quant_conv,
    )
    randomise(reference, seed=2)
    network = Autoencoder(params)
    network.load_state_dict(keymaps.autoencoder(reference.state_dict()))
    image = torch.rand(2, 3, 24, 40) * 2 - 1
    latents = torch.randn(2, params.latent_channels, 6, 10)
    reference.double()  # its own rounding in fp32 reaches the tolerance
    with torch.no_grad():
        posterior = reference.encode(image.double()).latent_dist
        moments = network.moments(image)
        assert relative_error(moments.mean.double(), posterior.mean) <= TOLERANCE
        assert relative_error(moments.logvar.double(), posterior.logvar) <= TOLERANCE
        assert torch.equal(network.encode(image), moments.mean)
        decoded = reference.decode(latents.double()).sample
        assert relative_error(network.decode(latents).double(), decoded) <= TOLERANCE


@pytest.mark.parametrize("params", [SD1, SD3, replace(SD1, image_channels=4, multipliers=(1, 1, 2, 4))])
def test_shapes_tell_the_params(params: AutoencoderParams) -> None:
    with torch.device("meta"):
        assert AutoencoderParams.from_shapes(shapes_of(Autoencoder(params))) == params


def test_a_latent_position_covers_scale_pixels() -> None:
    image = torch.zeros(1, 3, 8 * SD1.scale, 3 * SD1.scale)
    network = Autoencoder(SD1)
    with torch.no_grad():
        assert network.encode(image).shape == (1, 4, 8, 3)
        assert network.decode(network.encode(image)).shape == image.shape


def test_channels_that_cannot_be_grouped_are_refused() -> None:
    with pytest.raises(ValueError, match=r"multiples of 32 .*, got 48 channels times \(1, 2\)"):
        AutoencoderParams(channels=48, multipliers=(1, 2))


@pytest.mark.parametrize("params", [SD1, SD3], ids=["4 channels", "16 channels"])
@pytest.mark.parametrize("band", [1, 3000, 2**20], ids=["a row at a time", "some rows", "all rows"])
def test_in_bands_it_computes_the_same(params: AutoencoderParams, band: int) -> None:
    torch.manual_seed(0)
    network = Autoencoder(params)
    randomise(network, seed=2)
    image = torch.rand(2, 3, 24, 40) * 2 - 1 + torch.linspace(-3, 3, 40)  # a mean far from 0 where statistics differ
    latents = torch.randn(2, params.latent_channels, 5, 10) + torch.arange(5)[:, None]
    cpu = torch.device("cpu")
    with torch.no_grad():
        assert relative_error(network.encode_in_bands(image, cpu, band), network.encode(image)) <= TOLERANCE
        assert relative_error(network.decode_in_bands(latents, cpu, band), network.decode(latents)) <= TOLERANCE


def test_tokens_lie_one_after_the_other_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What attention on a GPU asks for, lest it makes a matrix of all pairs of positions."""
    seen: list[Tensor] = []

    def watched(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen.extend((q, k, v))
        return layers.attention(q, k, v)

    monkeypatch.setattr(bands, "attention", watched)
    network = Autoencoder(SD1)
    with torch.no_grad():
        network.decode(torch.randn(1, 4, 4, 4))
        network.decode_in_bands(torch.randn(1, 4, 4, 4), torch.device("cpu"))
    assert len(seen) >= 6
    assert all(tensor.stride(-1) == 1 for tensor in seen)


def test_bands_hold_what_they_are_told_to() -> None:
    torch.manual_seed(0)
    network = Autoencoder(SD1)
    seen: list[int] = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, given, made: seen.append(max(made.numel(), given[0].numel())))
    with torch.no_grad():
        network.decode_in_bands(torch.randn(1, 4, 24, 24), torch.device("cpu"), 20_000)
        largest = max(seen)
        seen.clear()
        network.decode(torch.randn(1, 4, 24, 24))
    row = 96 * 64  # values in a row of the largest map
    assert largest <= 20_000 + 8 * row < max(seen) / 2
