"""Every family in every precision, recognised from the header; files that are not whole say what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import SD3Transformer2DModel, UNet2DConditionModel
from torch import Tensor, nn

from diffusion.families import FAMILIES
from diffusion.header import read_header
from diffusion.loader import load_checkpoint, load_clip, load_vae, network_in
from diffusion.networks.controlnet import ControlUNet
from diffusion.networks.dit import DiT
from diffusion.networks.pixart import PixArt, PixArtParams
from diffusion.picture_prompts import load_ip_adapter
from diffusion.steering import load_controlnet
from diffusion.vision import load_vision
from diffusion.weights import BadWeights, Weights
from tests.diffusion import tiny
from tests.diffusion.networks.test_dit import for_diffusers as dit_names
from tests.diffusion.networks.test_flux import DEV
from tests.diffusion.networks.test_flux import reference_of as flux_of
from tests.diffusion.networks.test_pixart import for_diffusers as pixart_names
from tests.diffusion.test_layouts import REFINER, SD1, SD2, SD3, SDXL, UNET

CPU = "cpu"
NETWORK = "model.diffusion_model."
Tensors = Mapping[str, Tensor]


def scaled(tensors: Tensors) -> dict[str, Tensor]:
    """Matrices as float8, each with its scale beside it."""
    result = dict(tensors)
    for name, tensor in tensors.items():
        if name.startswith(NETWORK) and tensor.ndim == 2 and name.endswith(".weight"):
            scale = tensor.abs().max().clamp(min=1e-6) / 448
            result[name] = (tensor / scale).to(torch.float8_e4m3fn)
            result[name.removesuffix("weight") + "scale_weight"] = scale
    return result


def as_type(dtype: torch.dtype) -> Callable[[Tensors], dict[str, Tensor]]:
    return lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()}


PRECISIONS: Mapping[str, Callable[[Tensors], dict[str, Tensor]]] = {
    "float32": dict,
    "float16": as_type(torch.float16),
    "bfloat16": as_type(torch.bfloat16),
    "float8": as_type(torch.float8_e4m3fn),
    "scaled float8": scaled,
}


@pytest.fixture(scope="module", params=list(tiny.NETWORKS))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def whole(family: str) -> dict[str, Tensor]:
    return tiny.checkpoint_of(family)


def test_every_family_is_in_the_table() -> None:
    assert set(tiny.NETWORKS) == {family.name for family in FAMILIES}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_family_in_any_precision(family: str, whole: Tensors, precision: str, tmp_path: Path) -> None:
    """On a device without numbers: only the header counts, except for what a text tower is made of."""
    network = {name: tensor for name, tensor in whole.items() if name.startswith(NETWORK)}
    path = tiny.save(tmp_path / "x.safetensors", PRECISIONS[precision](network))
    assert load_checkpoint(path, "meta").model.family == family
    shapes = {name.removeprefix(NETWORK): shape for name, shape in read_header(path).shapes.items()}
    assert [known.name for known in FAMILIES if known.recognise(shapes)] == [family]


def test_a_renamed_tensor_is_named(family: str, whole: Tensors, tmp_path: Path) -> None:
    last = [name for name in whole if name.startswith(NETWORK) and name.endswith(".bias")][-1]
    renamed = {f"{name}_old" if name == last else name: tensor for name, tensor in whole.items()}
    short = last.removeprefix(NETWORK)
    with pytest.raises(BadWeights, match=rf"missing tensors \(1\): {short}; unexpected tensors \(1\): {short}_old"):
        load_checkpoint(tiny.save(tmp_path / "x.safetensors", renamed), CPU)


def test_a_truncated_file_says_so(whole: Tensors, tmp_path: Path) -> None:
    path = tiny.save(tmp_path / "x.safetensors", whole)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadWeights, match="truncated: its tensors end at byte"):
        load_checkpoint(path, CPU)


def test_parts_of_two_networks_are_refused(family: str, whole: Tensors, tmp_path: Path) -> None:
    other = "sd3" if family != "sd3" else "sd15"
    mixed = {**tiny.prefixed(NETWORK, tiny.network_of(tiny.NETWORKS[other]).state_dict()), **whole}
    with pytest.raises(BadWeights, match=r"unexpected tensors|wrong shapes|expected|takes"):
        load_checkpoint(tiny.save(tmp_path / "x.safetensors", mixed), CPU)


def control_of() -> dict[str, Tensor]:
    return dict(ControlUNet(tiny.SD15, 3).state_dict())


OTHERS: Mapping[str, tuple[Callable[[], dict[str, Tensor]], Callable[[Path], object]]] = {
    "a ControlNet": (control_of, lambda path: load_controlnet(path, CPU)),
    "an IP-Adapter": (
        lambda: {"ip_adapter.1.to_k_ip.weight": torch.zeros(2, 2)},
        lambda path: load_ip_adapter(path, CPU),
    ),
    "a T2I-Adapter, which cannot be used": (lambda: {"body.0.block1.weight": torch.zeros(2, 2)}, read_header),
    "a ControlNet-LLLite, which cannot be used": (lambda: {"lllite_unet_x.down.0.weight": torch.zeros(2)}, read_header),
    "a ControlNet for Flux, which cannot be used": (
        lambda: {"controlnet_x_embedder.weight": torch.zeros(2, 2)},
        read_header,
    ),
    "a LoRA or its kin": (lambda: {"lora_unet_x.lora_up.weight": torch.zeros(2, 2)}, read_header),
    "an image encoder": (
        lambda: {"vision_model.pre_layrnorm.weight": torch.zeros(2)},
        lambda path: load_vision(path, CPU),
    ),
    "a text encoder": (
        lambda: {"text_model.embeddings.token_embedding.weight": torch.zeros(2, 2)},
        lambda path: load_clip([path], CPU),
    ),
    "a VAE": (lambda: dict(tiny.autoencoder_of(tiny.VAE4).state_dict()), lambda path: load_vae(path, CPU)),
    "a network": (lambda: dict(tiny.network_of(tiny.DIT).state_dict()), lambda path: load_checkpoint(path, CPU)),
}


@pytest.mark.parametrize("what", OTHERS)
def test_every_other_loader_says_what_a_file_is(what: str, tmp_path: Path) -> None:
    path = tiny.save(tmp_path / "x.safetensors", OTHERS[what][0]())
    for asked, (_, load) in OTHERS.items():
        if asked != what and load is not read_header:
            with pytest.raises(BadWeights, match=r"expected a|no model of a known family") as refused:
                load(path)
            assert what == "a network" or str(refused.value).endswith(f"; it is {what}")


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8], ids=str)
def test_weights_of_whole_numbers_are_refused(dtype: torch.dtype, tmp_path: Path) -> None:
    tensors = dict(tiny.network_of(tiny.FLUX).state_dict())
    tensors["img_in.weight"] = tensors["img_in.weight"].to(dtype)
    with pytest.raises(BadWeights, match=r"tensor 'img_in.weight' is quantised .* expected the file in fp16"):
        load_checkpoint(tiny.save(tmp_path / "x.safetensors", tensors), CPU)


@pytest.mark.parametrize("layout", ["diffusers", "bare"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float8_e4m3fn], ids=str)
def test_a_family_in_other_layouts(family: str, layout: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """Names of diffusers, and those of single files without what is before them; no header is of two families."""
    made = DIFFUSERS[family]() if layout == "diffusers" else tiny.network_of(tiny.NETWORKS[family])
    tensors = made if isinstance(made, dict) else made.state_dict()
    path = tiny.save(tmp_path / "x.safetensors", {name: tensor.to(dtype) for name, tensor in tensors.items()})
    network, found = network_in(Weights.open(path))
    assert found.name == family
    assert [known.name for known in FAMILIES if known.recognise(network.shapes)] == [family]
    assert load_checkpoint(path, "meta").model.family == family


def unet_of(config: Mapping[str, Any]) -> UNet2DConditionModel:
    return UNet2DConditionModel(**UNET, **config)


def pixart_of(params: PixArtParams) -> dict[str, Tensor]:
    network = PixArt(params)
    return pixart_names(network)


DIFFUSERS: Mapping[str, Callable[[], nn.Module | dict[str, Tensor]]] = {
    "sd15": lambda: unet_of(SD1),
    "sd2": lambda: unet_of(SD2),
    "sdxl": lambda: unet_of(SDXL),
    "sdxl_refiner": lambda: unet_of(REFINER),
    "sd3": lambda: SD3Transformer2DModel(**SD3),
    "flux": lambda: flux_of(DEV),
    "dit": lambda: dit_names(DiT(tiny.DIT)),
    "pixart_alpha": lambda: pixart_of(replace(tiny.PIXART_ALPHA, tokens=None, told_size=True)),
    "pixart_sigma": lambda: pixart_of(replace(tiny.PIXART_SIGMA, tokens=None)),
}
