"""The engine with nodes on a CUDA device: where results lie, and real shortages of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from diffusion.loader import load_vae
from diffusion.residency import Residency, place_of, within_memory
from graph.cache import Cache
from nodes.cache import Budgets, open_cache, open_residency
from tests.nodes.studio import Document, Studio, changed
from tests.nodes.test_workflows import template

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

DEVICE = "cuda:0"
DOCUMENT = template("default", n4_width=64, n4_height=48)
MIB = 1 << 20


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
    before = torch.cuda.memory_allocated()
    calls: list[int] = []

    def work(_rows: slice) -> Tensor:
        calls.append(torch.cuda.memory_allocated())
        if len(calls) == 1:
            raise torch.OutOfMemoryError("injected")
        return torch.zeros(2)

    within_memory(vae.network, torch.zeros(2), work)
    assert calls[1] <= before - 16 * MIB
    assert cache.report()["device"]["results"] == 0
    for record, value in zip(records, expected):
        found = cache.get(record)  # pyright: ignore[reportArgumentType]
        assert found is not None
        assert torch.equal(found["x"].cpu(), value)
    cache.close()


@pytest.fixture
def on_cuda(studio: Studio) -> Studio:
    studio.context = replace(studio.context, device=DEVICE, residency=Residency(place_of(DEVICE)))
    return studio


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
    """In bands, of statistics over the whole picture: the same, up to the precision of its weights."""
    vae = load_vae(on_cuda.models / "vae" / "sd15.safetensors", on_cuda.context.residency)
    latent = torch.randn(1, 4, 320, 320)
    vae.decode(latent[:, :, :8, :8])
    torch.cuda.reset_peak_memory_stats()
    expected = vae.decode(latent)
    peak = torch.cuda.max_memory_allocated() - torch.cuda.memory_allocated()
    limit(peak // 3)
    assert torch.allclose(vae.decode(latent), expected, atol=2e-2)


def test_no_room_at_all_fails_the_node_and_the_next_run_works(on_cuda: Studio, limit: Callable[[int], None]) -> None:
    large = changed(DOCUMENT, n4_width=1024, n4_height=1024)
    limit(8 * MIB)
    outcome = on_cuda.run(large)
    assert outcome.state == "failed"
    assert "device's memory is too small" in str(outcome.error)
    torch.cuda.set_per_process_memory_fraction(1.0)
    assert "KSampler" in on_cuda.ran(DOCUMENT)
