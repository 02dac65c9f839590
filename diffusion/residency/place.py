"""The memory that networks compute in, as the ledger sees it: how much room there is, and how tensors get there."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

STAGED = 32 << 20
"""Bytes of each of the two page-locked buffers that weights go through on their way to a GPU."""
SPARED = 0.1
"""Of a GPU's memory, what weights leave to the work done with them."""
ALIGNED = 256


class Stored(Protocol):
    """A tensor that can be read on the host, and the dtype wanted."""

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def nbytes(self) -> int: ...

    def read(self) -> Tensor: ...


Units = Sequence[Sequence[Stored]]


class Conveyor(Protocol):
    """Brings the tensors of units in turn, each in time, into little memory."""

    def fetch(self, unit: int) -> Sequence[Tensor]:
        """The tensors of a unit on the device, and those of the next one on their way."""
        ...

    def done(self, unit: int) -> None:
        """The unit's memory may be used again, once what was started with it has run."""
        ...


class Place(Protocol):
    """A device's memory."""

    device: torch.device
    seconds_per_byte: float
    """What bringing a weight costs, as first guess."""

    def room(self) -> float:
        """Bytes that weights may still take."""
        ...

    def brought(self, source: Tensor, dtype: torch.dtype) -> Tensor:
        """A tensor of the host here; torch.OutOfMemoryError where there is no room. May be `source` itself."""
        ...

    def sent_home(self, value: Tensor) -> Tensor:
        """A tensor of this place on the host."""
        ...

    def release(self) -> None:
        """Give back to the system what is reserved and not in use."""
        ...

    def in_use(self) -> int | None:
        """Bytes in use here by anything of this process, None where nobody knows."""
        ...

    def conveyor(self, units: Units) -> Conveyor: ...


class HostPlace:
    """The machine's own memory: a tensor that needs no other dtype stays in its file."""

    seconds_per_byte = 2e-10

    def __init__(self) -> None:
        self.device = torch.device("cpu")

    def room(self) -> float:
        return inf

    def brought(self, source: Tensor, dtype: torch.dtype) -> Tensor:
        return source.to(dtype)

    def sent_home(self, value: Tensor) -> Tensor:
        return value

    def release(self) -> None:
        """Nothing is reserved."""

    def in_use(self) -> int | None:
        return None

    def conveyor(self, units: Units) -> Conveyor:
        return OneByOne(self, units)


class OneByOne:
    """Each unit when it is asked for."""

    def __init__(self, place: Place, units: Units) -> None:
        self._place, self._units = place, units

    def fetch(self, unit: int) -> Sequence[Tensor]:
        return [self._place.brought(stored.read(), stored.dtype) for stored in self._units[unit]]

    def done(self, unit: int) -> None:
        """Nothing is under way."""


class CudaPlace:
    """A CUDA device. Weights go from the mapped file through two page-locked buffers, converted on the host, so that
    nothing but the weight itself is ever allocated on the device and no copy of it on the host."""

    seconds_per_byte = 1e-10

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._staging: list[tuple[Tensor, torch.cuda.Event]] = []
        self._one_at_a_time = threading.Lock()

    def room(self) -> float:
        free, total = torch.cuda.mem_get_info(self.device)
        reusable = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return free + reusable - SPARED * total

    def brought(self, source: Tensor, dtype: torch.dtype) -> Tensor:
        if source.device == self.device:
            return source.to(dtype)
        target = torch.empty(source.shape, dtype=dtype, device=self.device)
        if target.nbytes < STAGED // 32 or not source.is_contiguous():
            return target.copy_(source.to(dtype))
        many = STAGED // dtype.itemsize
        flat = source.flatten()
        with self._one_at_a_time:
            for turn, (piece, there) in enumerate(zip(flat.split(many), target.flatten().split(many), strict=True)):
                self._stage(turn, piece, there)
        return target

    def _stage(self, turn: int, piece: Tensor, there: Tensor) -> None:
        if not self._staging:
            for _ in range(2):
                locked = torch.empty(STAGED, dtype=torch.uint8, pin_memory=True)
                self._staging.append((locked, torch.cuda.Event()))
        buffer, copied = self._staging[turn % 2]
        copied.synchronize()
        staged = buffer[: there.nbytes].view(there.dtype)
        staged.copy_(piece)
        there.copy_(staged, non_blocking=True)
        copied.record(torch.cuda.current_stream(self.device))

    def sent_home(self, value: Tensor) -> Tensor:
        return value.cpu()

    def release(self) -> None:
        torch.cuda.synchronize(self.device)
        torch.cuda.empty_cache()

    def in_use(self) -> int | None:
        return torch.cuda.memory_allocated(self.device)

    def conveyor(self, units: Units) -> Conveyor:
        """From page-locked memory where the host can spare it, else straight from the files."""
        locked = sum(stored.nbytes for unit in units for stored in unit)
        if locked > available() / 2:
            return OneByOne(self, units)
        return CudaConveyor(self.device, units)


class CudaConveyor:
    """Units in turn through two buffers on the device: while one is computed with, the next one is copied on a stream
    of its own, from page-locked memory that holds all of them."""

    def __init__(self, device: torch.device, units: Units) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._layouts, self._locked = zip(*(_locked(unit) for unit in units), strict=True)
        largest = max(locked.nbytes for locked in self._locked)
        self._buffers = [torch.empty(largest, dtype=torch.uint8, device=device) for _ in range(2)]
        for buffer in self._buffers:
            buffer.record_stream(self._stream)
        self._holds: list[int | None] = [None, None]
        self._arrived = [torch.cuda.Event(), torch.cuda.Event()]
        self._left = [torch.cuda.Event(), torch.cuda.Event()]
        for event in self._left:
            event.record(torch.cuda.current_stream(device))

    def fetch(self, unit: int) -> Sequence[Tensor]:
        if unit not in self._holds:
            self._send(unit, unit % 2)
        slot = self._holds.index(unit)
        torch.cuda.current_stream(self._device).wait_event(self._arrived[slot])
        following = (unit + 1) % len(self._locked)
        if following not in self._holds:
            self._send(following, 1 - slot)
        buffer = self._buffers[slot]
        return [buffer[start:end].view(dtype).view(shape) for start, end, dtype, shape in self._layouts[unit]]

    def _send(self, unit: int, slot: int) -> None:
        self._stream.wait_event(self._left[slot])
        locked = self._locked[unit]
        with torch.cuda.stream(self._stream):
            self._buffers[slot][: locked.nbytes].copy_(locked, non_blocking=True)
            self._arrived[slot].record(self._stream)
        self._holds[slot] = unit

    def done(self, unit: int) -> None:
        self._left[self._holds.index(unit)].record(torch.cuda.current_stream(self._device))


def place_of(device: str) -> Place:
    """The memory of "cpu" or of "cuda:N"."""
    where = torch.device(device)
    return HostPlace() if where.type == "cpu" else CudaPlace(where)


def available(meminfo: Path = Path("/proc/meminfo")) -> float:
    """Bytes of the host's memory that are free or could be; infinite where the system does not tell."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return inf
    return next((int(line.split()[1]) * 1024.0 for line in lines if line.startswith("MemAvailable:")), inf)


def clock() -> float:
    return time.monotonic()


_Layout = list[tuple[int, int, torch.dtype, torch.Size]]
"""Where each tensor of a unit lies in its buffer: start, end, dtype, shape."""


def _locked(unit: Sequence[Stored]) -> tuple[_Layout, Tensor]:
    """A unit's tensors one after the other in page-locked memory, in the dtypes wanted."""
    layout: _Layout = []
    sources = [stored.read() for stored in unit]
    start = 0
    for stored, source in zip(unit, sources, strict=True):
        end = start + source.numel() * stored.dtype.itemsize
        layout.append((start, end, stored.dtype, source.shape))
        start = -(-end // ALIGNED) * ALIGNED
    locked = torch.empty(layout[-1][1], dtype=torch.uint8, pin_memory=True)
    for source, (start, end, dtype, shape) in zip(sources, layout, strict=True):
        locked[start:end].view(dtype).view(shape).copy_(source)
    return layout, locked
