"""Tensors and dataclasses as data, on disk and between device and host; a whole workflow after a restart."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn

from graph.cache import Cache
from graph.ledger import Account
from graph.storage import Packed, Unstorable
from graph.tiers import container
from graph.tiers.disk import Disk
from graph.tiers.memory import DeviceMemory, Memory
from nodes.storage import DTYPES, Lowered, TensorPlace, TensorStorage
from nodes.types import Conditioning, Latent
from nodes.values import NodeTraits
from tests.nodes.studio import Studio, changed
from tests.nodes.test_workflows import template

STORAGE = TensorStorage("cpu")
IMAGE = torch.rand(2, 3, 8, 6, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class Named:
    name: str
    parts: tuple[Tensor, ...]


@dataclass
class Loose:
    x: int


def again(value: object) -> object:
    data = bytearray(b"".join(container.write(STORAGE.pack(value))))
    return STORAGE.unpack(container.read(data))


def same(one: Tensor, two: object) -> bool:
    if not isinstance(two, Tensor) or (one.dtype, one.shape) != (two.dtype, two.shape):
        return False
    bits = [x.contiguous().flatten().view(torch.uint8) for x in (one, two)]
    return torch.equal(*bits)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_tensors_of_every_type_come_back_to_the_bit(dtype: torch.dtype) -> None:
    tensor = (IMAGE * 20).to(dtype)
    assert same(tensor, again(tensor))


@pytest.mark.parametrize(
    "tensor",
    [
        IMAGE.to(memory_format=torch.channels_last),
        IMAGE.transpose(1, 3),
        IMAGE[:, :, ::2],
        IMAGE.expand(2, 3, 8, 6),
        torch.tensor(3),
        torch.zeros(0, 3),
        torch.tensor([float("nan"), -0.0, float("inf")]),
    ],
)
def test_tensors_of_every_form_come_back(tensor: Tensor) -> None:
    back = again(tensor)
    assert same(tensor, back)
    assert isinstance(back, Tensor)
    dense = tensor.is_contiguous() or tensor.is_contiguous(memory_format=torch.channels_last)
    assert not dense or back.stride() == tensor.stride(), "the order in memory decides the last bits of a convolution"


def test_values_that_hold_tensors_come_back() -> None:
    for value in (Latent(IMAGE), Conditioning.of(IMAGE, None), Named("n", (IMAGE, IMAGE[0])), [IMAGE, {"a": (1,)}]):
        back = again(value)
        assert type(back) is type(value)
        assert NodeTraits.fingerprint(TRAITS, back) == TRAITS.fingerprint(value)


def test_a_stored_value_is_a_safetensors_file() -> None:
    data = b"".join(container.write(STORAGE.pack([IMAGE, IMAGE.half(), torch.arange(3)])))
    assert {tuple(tensor.shape) for tensor in load(data).values()} == {(2, 3, 8, 6), (3,)}


@pytest.mark.parametrize("value", [nn.Linear(2, 2), [IMAGE, object()], Loose(1), IMAGE.to_sparse(), Named])
def test_what_is_alive_is_refused(value: object) -> None:
    with pytest.raises(Unstorable):
        STORAGE.pack(value)


@pytest.mark.parametrize(
    "structure",
    [
        {"C": ["os", "system", {}]},
        {"C": ["subprocess", "Popen", {"args": "true"}]},
        {"C": ["tests.nodes.test_storage", "Loose", {"x": 1}]},
        {"C": ["tests.nodes.test_storage", "Named", {"name": "n"}]},
        {"C": ["nowhere", "Named", {}]},
        {"T": ["7", [], "cpu"]},
        {"?": 1},
        {"T": 1, "C": 2},
    ],
)
def test_data_that_says_no_value_is_refused(structure: object) -> None:
    with pytest.raises(ValueError):
        STORAGE.unpack(Packed(structure, {}))


class Pretended(TensorPlace):
    """Tensors of float64 lie on a device, in memory of its own."""

    def on_device(self, value: object) -> int:
        return value.nbytes if isinstance(value, Tensor) and value.dtype == torch.float64 else 0

    def lower(self, value: object) -> object:
        return super().lower(value.clone() if isinstance(value, Tensor) else value)


TRAITS = NodeTraits(None)  # pyright: ignore[reportArgumentType]


def test_values_leave_the_device_for_the_host_and_come_back() -> None:
    place = Pretended()
    device, host = DeviceMemory(10_000, place), Memory(1 << 20)
    cache = Cache([device, host], TRAITS, place=place)
    values = [torch.full((800,), float(i), dtype=torch.float64) for i in range(3)]
    records = [cache.put(b"s%d" % i, b"v%d" % i, {"x": value}, 1.0) for i, value in enumerate(values)]
    assert cache.put(b"t", b"w", {"x": IMAGE}, 1.0)
    assert (device.account.results, host.account.results) == (1, 3)
    lowered = host.get(b"v0")
    assert lowered is not None
    assert isinstance(lowered.outputs["x"], Lowered)
    for record, value in zip(records, values):
        outputs = cache.get(record)
        assert outputs is not None
        assert same(value, outputs["x"])
        assert device.hit(record.key)
    assert device.account.results + host.account.results == 4
    assert cache.report()["device"]["used"] <= 10_000


def test_results_are_moved_off_the_device_and_not_lost_when_its_memory_is_out() -> None:
    place = Pretended()
    device, host = DeviceMemory(100_000, place), Memory(1 << 20)
    cache = Cache([device, host], TRAITS, place=place)
    values = [torch.full((800,), float(i), dtype=torch.float64) for i in range(3)]
    records = [cache.put(b"s%d" % i, b"v%d" % i, {"x": value}, 1.0) for i, value in enumerate(values)]
    cache.spill("device")
    assert (device.account.results, device.used, host.account.results) == (0, 0, 3)
    for record, value in zip(records, values):
        outputs = cache.get(record)
        assert outputs is not None
        assert same(value, outputs["x"])
    assert (device.account.results, host.account.results) == (3, 0)


def test_what_waits_to_be_written_holds_no_device_memory_either(tmp_path: Path) -> None:
    place = Pretended()
    disk = Disk(tmp_path, Account(1 << 30), STORAGE, "e")
    cache = Cache([DeviceMemory(100_000, place), Memory(1 << 20)], TRAITS, disk=disk, place=place)
    value = torch.full((800,), 1.0, dtype=torch.float64)
    seen = weakref.ref(value)
    record = cache.put(b"s", b"v", {"x": value}, 1e3)
    del value
    cache.spill("device")
    gc.collect()
    assert seen() is None
    outputs = cache.get(record)
    assert outputs is not None
    assert outputs["x"][0] == 1.0
    cache.close()


def test_a_live_value_that_leaves_the_device_is_gone() -> None:
    class Everything(TensorPlace):
        def on_device(self, value: object) -> int:
            return 1

    device, host = DeviceMemory(5_000, Everything()), Memory(1 << 20)
    cache = Cache([device, host], TRAITS, place=Everything())
    first = cache.put(b"s", b"v", {"x": nn.Linear(20, 40)}, 1.0)
    cache.put(b"t", b"w", {"x": nn.Linear(20, 40)}, 1.0)
    assert cache.get(first) is None
    assert (device.account.results, host.account.results) == (1, 0)


def reopened(studio: Studio, folder: Path) -> Disk:
    """The studio with a cache as a process has it that has just started."""
    disk = Disk(folder, Account(1 << 30), STORAGE, "e")
    studio.cache = Cache([Memory(1 << 30)], NodeTraits(studio.files), disk=disk)
    return disk


def test_after_a_restart_nothing_runs_that_can_be_stored(studio: Studio, tmp_path: Path) -> None:
    document = template("default", n4_width=64, n4_height=64, n5_steps=2)
    disk = reopened(studio, tmp_path / "cache")
    studio.ran(document)
    picture = studio.value(document, "6")["image"]
    disk.close()
    disk = reopened(studio, tmp_path / "cache")
    assert studio.ran(document) == []
    assert same(picture, studio.value(document, "6")["image"])
    disk.close()
    disk = reopened(studio, tmp_path / "cache")
    assert studio.ran(changed(document, n5_seed=99)) == ["CheckpointLoader", "KSampler", "SaveImage", "VAEDecode"]
    disk.close()
