"""One training on any number of GPUs of one machine: every process has batches of its own, gradients are averaged.

Start with `python -m torch.distributed.run --nproc-per-node N -m bench.train_demo.MODULE ...`; without it a process
trains alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Group:
    """This process among those that train together."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls, device: str) -> Group:
        """The group the launcher made, each process on a GPU of its own; alone on `device` without a launcher."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls(0, 1, torch.device(device))
        rank = int(os.environ["RANK"])
        own = torch.device(device, rank) if device == "cuda" else torch.device(device)
        if own.type == "cuda":
            torch.cuda.set_device(own)
        dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
        return cls(rank, size, own)

    def mean(self, value: float) -> float:
        """The same mean in every process."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.all_reduce(shared)
        return shared.item() / self.size

    @torch.no_grad()
    def average(self, values: Tensor) -> None:
        """The mean over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(values)
            values /= self.size

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        if self.size > 1:
            self._average([parameter.grad for parameter in parameters if parameter.grad is not None])

    @torch.no_grad()
    def align(self, module: nn.Module) -> None:
        """Undo what rounding has moved the processes' parameters and buffers apart."""
        if self.size > 1:
            tensors = [*module.parameters(), *module.buffers()]
            self._average([tensor for tensor in tensors if tensor.is_floating_point()])

    def leave(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()

    def _average(self, tensors: list[Tensor]) -> None:
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        self.average(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        torch._foreach_copy_(tensors, [part.view(tensor.shape) for part, tensor in zip(parts, tensors)])
