"""Where models run: the devices of this machine, and which of them is whose."""

from __future__ import annotations

import torch


def device_of(asked: str | None, number: int) -> str:
    """ "cpu" or "cuda:N": the one asked for, else that of the worker with a number, as they take turns on all GPUs.

    Raises ValueError for one that is not there.
    """
    count = torch.cuda.device_count()
    chosen = asked or (f"cuda:{number % count}" if count else "cpu")
    if chosen != "cpu" and chosen not in [f"cuda:{index}" for index in range(count)]:
        found = f"{count} CUDA device(s)" if count else "no CUDA device"
        raise ValueError(f"--device {chosen}: expected cpu or cuda:N, and there is {found} here")
    return chosen


def device_bytes(device: str) -> int:
    """Memory a device has; 0 for the CPU, which has the machine's."""
    return 0 if device == "cpu" else torch.cuda.get_device_properties(device).total_memory


def device_count(asked: str | None) -> int:
    """How many devices workers are spread over."""
    return 1 if asked else max(1, torch.cuda.device_count())
