"""The cache of an engine with nodes: its budgets, by default what the machine can spare, and its tiers."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import sqlite3
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from diffusion.residency import Residency, place_of
from graph.cache import Cache, Memory
from graph.files import Files
from graph.ledger import Account
from graph.tiers.disk import Disk
from graph.tiers.memory import DeviceMemory
from nodes.storage import TensorPlace, TensorStorage
from nodes.values import NodeTraits

MOST_DISK = 64 << 30
log = logging.getLogger("weft.cache")


@dataclass(frozen=True)
class Budgets:
    """Bytes of results on each device, on the host and on the disk, and of weights on each device; None: what the
    machine can spare. `workers` share the host, `on_device` of them a device."""

    device: int | None = None
    host: int | None = None
    disk: int | None = None
    weights: int | None = None
    workers: int = 1
    on_device: int = 1


def open_cache(folder: Path, budgets: Budgets, files: Files, device: str, sources: str) -> Cache:
    """A cache whose disk tier lies in `folder`. `sources` names the code the results are made by: together with the
    device and the version of torch it is what they depend on beside their keys."""
    host = Memory((_host_budget() if budgets.host is None else budgets.host) // budgets.workers)
    place, edition = TensorPlace(), f"{sources} torch {torch.__version__} {_name(device)}"
    tiers: list[Memory] = [host]
    if device != "cpu":
        on_device = _device_budget(device) if budgets.device is None else budgets.device
        tiers.insert(0, DeviceMemory(on_device // budgets.on_device, place))
    gauge = None if device == "cpu" else CudaGauge(device)
    return Cache(tiers, NodeTraits(files), disk=_disk(folder, budgets, device, edition), place=place, gauge=gauge)


def open_residency(budgets: Budgets, device: str, cache: Cache) -> Residency:
    """What holds the weights of a worker; when memory runs out on the device, results leave it too."""
    budget = None if budgets.weights is None else budgets.weights // budgets.on_device
    return Residency(place_of(device), budget, spill=partial(cache.spill, "device"))


class CudaGauge:
    """What torch's allocator counts on one CUDA device."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)

    def start(self) -> int:
        torch.cuda.reset_peak_memory_stats(self._device)
        return torch.cuda.memory_allocated(self._device)

    def most(self) -> int:
        return torch.cuda.max_memory_allocated(self._device)


def _disk(folder: Path, budgets: Budgets, device: str, edition: str) -> Disk | None:
    """None where no budget is given, or where nothing can be written."""
    try:
        room = _disk_budget(folder) if budgets.disk is None else budgets.disk
        return Disk(folder, Account(room), TensorStorage(device), edition) if room else None
    except (OSError, sqlite3.Error) as error:
        log.warning("results are kept in memory only, as %s cannot be used: %s", folder, error)
        return None


def _device_budget(device: str) -> int:
    """Half of the device's memory."""
    return torch.cuda.get_device_properties(device).total_memory // 2


def _host_budget() -> int:
    """A quarter of the machine's memory."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (AttributeError, ValueError, OSError):
        return 4 << 30


def _disk_budget(folder: Path) -> int:
    """A fifth of what is free."""
    folder.mkdir(parents=True, exist_ok=True)
    return min(MOST_DISK, shutil.disk_usage(folder).free // 5)


def _name(device: str) -> str:
    return platform.machine() if device == "cpu" else torch.cuda.get_device_name(device)
