"""The engine with nodes on a CUDA device: where results lie, and real shortages of memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from PIL import Image
from torch import Tensor

from diffusion.loader import load_vae
from diffusion.networks.autoencoder import Autoencoder
from diffusion.residency import Residency, place_of, within_memory
from graph.cache import Cache
from nodes.cache import Budgets, open_cache, open_residency
from tests.nodes.combinations import Combination, combinations
from tests.nodes.studio import Document, Studio, changed
from tests.nodes.test_combinations import CAMPAIGN, painted, studio_in
from tests.nodes.test_tour import TOUR, shortened, studio_of_tour, told
from tests.nodes.test_workflows import template

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

DEVICE = "cuda:0"
DOCUMENT = template("default", n4_width=64, n4_height=48)
MIB = 1 << 20
LEVELS = 8
"""Of 256, that the mean of a sixteenth of a picture may differ by: of half precision, over a few steps."""


def opened(studio: Studio, folder: Path, device: int = 64 * MIB) -> Cache:
    return open_cache(folder, Budgets(device=device, host=64 * MIB, disk=64 * MIB), studio.files, DEVICE, "s")


def put(cache: Cache, values: list[Tensor]) -> list[object]:
    return [cache.put(b"s%d" % i, b"v%d" % i, {"x": value}, 1e3) for i, value in enumerate(values)]


def test_results_fall_from_the_device_to_the_host_and_to_the_disk(studio: Studio, tmp_path: Path) -> None:
    values = [torch.randn(MIB // 4, device=DEVICE) for _ in range(6)]
    cache = opened(studio, tmp_path / "cache", 4 * MIB)
    records = put(cache, values)
    held = cache.report()
    assert (held["device"]["results"], held["host"]["results"]) == (3, 3)
    for record, value in zip(records, values):
        found = cache.get(record)  # pyright: ignore[reportArgumentType]
        assert found is not None
        assert found["x"].device == value.device
        assert torch.equal(found["x"], value)
    cache.close()
    again = opened(studio, tmp_path / "cache")
    for number, value in enumerate(values):
        record = again.find(b"s%d" % number)
        assert record is not None
        found = again.get(record)
        assert found is not None
        assert found["x"].device == value.device
        assert torch.equal(found["x"], value)
    again.close()


def test_results_make_room_for_work_and_come_back(studio: Studio, tmp_path: Path) -> None:
    cache = opened(studio, tmp_path / "cache")
    residency = open_residency(Budgets(), DEVICE, cache)
    vae = load_vae(studio.models / "vae" / "sd15.safetensors", residency)
    values = [torch.randn(MIB, device=DEVICE) for _ in range(4)]
    expected = [value.cpu() for value in values]
    records = put(cache, values)
    values.clear()
    calls: list[int] = []

    def work(_rows: slice) -> Tensor:
        calls.append(torch.cuda.memory_allocated())
        if len(calls) == 1:
            raise torch.OutOfMemoryError("injected")
        return torch.zeros(2)

    within_memory(vae.network, torch.zeros(2), work)
    assert calls[0] - calls[1] == 16 * MIB
    assert cache.report()["device"]["results"] == 0
    for record, value in zip(records, expected):
        found = cache.get(record)  # pyright: ignore[reportArgumentType]
        assert found is not None
        assert torch.equal(found["x"].cpu(), value)
    cache.close()


def moved(studio: Studio, room: int | None = None) -> Studio:
    """To the device, with room there for so many bytes of weights."""
    studio.context = replace(studio.context, device=DEVICE, residency=Residency(place_of(DEVICE), room))
    return studio


@pytest.fixture
def on_cuda(studio: Studio) -> Studio:
    return moved(studio)


def picture(studio: Studio, document: Document) -> np.ndarray:
    studio.ran(document)
    (file,) = studio.saved()
    return np.asarray(Image.open(studio.files.path(file.folder, file.name)), dtype=np.int16)


def test_the_picture_of_the_device_is_that_of_the_cpu(on_cuda: Studio, models: Path, tmp_path: Path) -> None:
    on_cpu = picture(Studio(models, tmp_path / "cpu"), DOCUMENT)
    first = picture(on_cuda, DOCUMENT)
    on_cuda.cache.clear("host")
    assert np.array_equal(picture(on_cuda, DOCUMENT), first)
    assert np.abs(first - on_cpu).mean() < 2


@pytest.fixture(scope="module")
def tours(models: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Studio]:
    """The studio of the tour on the CPU, on the device, and there with less room than any network takes."""

    def studio(name: str) -> Studio:
        return studio_of_tour(models, tmp_path_factory.mktemp(name))

    return [studio("cpu"), moved(studio("cuda")), moved(studio("blocks"), MIB // 2)]


@pytest.mark.parametrize("path", TOUR, ids=lambda path: path.stem)
def test_the_tour_of_the_device_is_that_of_the_cpu(tours: list[Studio], path: Path) -> None:
    painted: list[list[Tensor]] = []
    for studio in tours:
        studio.ran(shortened(json.loads(path.read_text())))
        painted.append(told(studio))
    on_cpu, on_device, in_blocks = painted
    assert len(on_cpu) == len(on_device) == len(in_blocks)
    for ours, theirs, blocks in zip(on_device, on_cpu, in_blocks):
        assert (ours - theirs).abs().max() < LEVELS
        assert torch.equal(blocks, ours)


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> list[Studio]:
    """The studio of any parts on the CPU, and on the device."""
    on_cpu, on_device = (studio_in(tmp_path_factory.mktemp(name)) for name in ("lab", "lab-cuda"))
    return [on_cpu, moved(on_device)]


@CAMPAIGN
@given(combinations())
def test_any_parts_paint_where_they_do_on_the_cpu(labs: list[Studio], combination: Combination) -> None:
    on_cpu, on_device = (painted(studio, combination.document, combination.node) for studio in labs)
    assert (on_cpu is None) == (on_device is None)
    if on_device is not None:
        assert tuple(on_device.shape) == combination.shape
        assert on_device.isfinite().all()


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Call with bytes: so many more may be allocated on the device."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(DEVICE).total_memory

    def allow(more: int) -> None:
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + more) / total)

    yield allow
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_decode_larger_than_the_memory_there_is(on_cuda: Studio, limit: Callable[[int], None]) -> None:
    """In bands, of statistics over the whole picture: as near to the decode in full precision as the one in a piece."""
    file = on_cuda.models / "vae" / "sd15.safetensors"
    exact, vae = load_vae(file, DEVICE), load_vae(file, on_cuda.context.residency)
    assert isinstance(exact.network, Autoencoder)
    exact = replace(exact, network=exact.network.float(), dtype=torch.float32)
    latent = torch.randn(1, 4, 320, 320)
    reference = exact.decode(latent)
    vae.decode(latent[:, :, :8, :8])
    torch.cuda.reset_peak_memory_stats()
    whole = vae.decode(latent)
    peak = torch.cuda.max_memory_allocated() - torch.cuda.memory_allocated()
    limit(peak // 8)
    in_bands = vae.decode(latent)
    assert (in_bands - reference).abs().mean() <= 1.2 * (whole - reference).abs().mean() < 0.02


def test_no_room_at_all_fails_the_node_and_the_next_run_works(on_cuda: Studio, limit: Callable[[int], None]) -> None:
    large = changed(DOCUMENT, n1_checkpoint="sd15.safetensors", n4_width=1024, n4_height=1024)
    limit(8 * MIB)
    outcome = on_cuda.run(large)
    assert outcome.state == "failed"
    assert "device's memory is too small" in str(outcome.error)
    torch.cuda.set_per_process_memory_fraction(1.0)
    assert "KSampler" in on_cuda.ran(DOCUMENT)
