"""Every family in every precision, recognised from the header; files that are not whole say what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from diffusion.families import FAMILIES
from diffusion.header import read_header
from diffusion.loader import load_checkpoint
from diffusion.weights import BadWeights
from tests.diffusion import tiny

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
