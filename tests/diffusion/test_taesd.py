"""Tiny autoencoders against diffusers' AutoencoderTiny, from files in every layout they come in."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderTiny
from torch import Tensor

from diffusion.latents import FLUX, SD3, SD15, SDXL, LatentFormat
from diffusion.loader import load_vae
from diffusion.weights import BadWeights
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error

CPU = "cpu"


@pytest.fixture(scope="module", params=[4, 16], ids=["4 channels", "16 channels"])
def reference(request: pytest.FixtureRequest) -> AutoencoderTiny:
    torch.manual_seed(0)
    network = AutoencoderTiny(latent_channels=request.param).eval()
    randomise(network, seed=3)
    return network


def authors(reference: AutoencoderTiny) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Encoder and decoder as the authors number them; their decoder begins with a clamp, which diffusers leaves out."""
    encoder = {k.removeprefix("encoder.layers."): v for k, v in reference.state_dict().items() if "encoder." in k}
    decoder: dict[str, Tensor] = {}
    for key, tensor in reference.state_dict().items():
        if key.startswith("decoder.layers."):
            number, rest = key.removeprefix("decoder.layers.").split(".", 1)
            decoder[f"{int(number) + 1}.{rest}"] = tensor
    return encoder, decoder


def check(path: Path, reference: AutoencoderTiny, latent_format: LatentFormat) -> None:
    vae = load_vae(path, CPU)
    image, latent = torch.rand(1, 3, 16, 24), torch.randn(1, latent_format.channels, 4, 6)
    with torch.no_grad():
        encoded = reference.encode(image * 2 - 1).latents
        decoded = ((reference.decode(latent).sample + 1) / 2).clamp(0, 1)
    assert relative_error(vae.encode(image), latent_format.process_out(encoded)) <= TOLERANCE
    assert relative_error(vae.decode(latent_format.process_out(latent)), decoded) <= TOLERANCE


def test_both_parts_in_a_file(reference: AutoencoderTiny, tmp_path: Path) -> None:
    latent_format = SD15 if reference.config.latent_channels == 4 else SD3
    check(tiny.save(tmp_path / "x.safetensors", reference.state_dict()), reference, latent_format)
    encoder, decoder = authors(reference)
    both = tiny.prefixed("taesd_encoder.", encoder) | tiny.prefixed("taesd_decoder.", decoder)
    check(tiny.save(tmp_path / "x.safetensors", both), reference, latent_format)
    other = SDXL if reference.config.latent_channels == 4 else FLUX
    check(tiny.save(tmp_path / f"tae{'sdxl' if other is SDXL else 'f1'}.safetensors", both), reference, other)
    numbers = {"vae_scale": torch.tensor(other.scale), "vae_shift": torch.tensor(other.shift)}
    check(tiny.save(tmp_path / "x.safetensors", both | numbers), reference, other)


def test_one_part_alone(reference: AutoencoderTiny, tmp_path: Path) -> None:
    encoder, decoder = authors(reference)
    channels = reference.config.latent_channels
    vae = load_vae(tiny.save(tmp_path / "taesd_decoder.safetensors", decoder), CPU)
    assert (vae.channels, vae.downscale) == (channels, 8)
    assert vae.decode(torch.randn(1, channels, 2, 3)).shape == (1, 3, 16, 24)
    with pytest.raises(ValueError, match="the decoder of a TAESD alone"):
        vae.encode(torch.rand(1, 3, 16, 16))
    vae = load_vae(tiny.save(tmp_path / "taesd_encoder.safetensors", encoder), CPU)
    assert vae.encode(torch.rand(1, 3, 16, 24)).shape == (1, channels, 2, 3)
    with pytest.raises(ValueError, match="the encoder of a TAESD alone"):
        vae.decode(torch.randn(1, channels, 2, 3))


def test_what_is_no_whole_part_is_refused(reference: AutoencoderTiny, tmp_path: Path) -> None:
    _, decoder = authors(reference)
    cut = {name: tensor for name, tensor in decoder.items() if not name.startswith("19.")}
    with pytest.raises(BadWeights, match=r"missing tensors \(2\): taesd_decoder\.19\.weight"):
        load_vae(tiny.save(tmp_path / "x.safetensors", cut), CPU)
    wrong = decoder | {"vae_scale": torch.tensor(-1.0)}
    with pytest.raises(BadWeights, match="expected a scale and a shift of latents, got -1"):
        load_vae(tiny.save(tmp_path / "x.safetensors", wrong), CPU)


def test_a_vae_out_of_memory_goes_on_in_bands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    vae = load_vae(tiny.save(tmp_path / "x.safetensors", tiny.autoencoder_of(tiny.VAE4).state_dict()), CPU)
    image, latent = torch.rand(2, 3, 32, 24), torch.randn(2, 4, 4, 3)
    expected = vae.encode(image), vae.decode(latent)

    def full(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(vae.network, "encode", full)
    monkeypatch.setattr(vae.network, "decode", full)
    assert relative_error(vae.encode(image), expected[0]) <= TOLERANCE
    assert relative_error(vae.decode(latent), expected[1]) <= TOLERANCE
