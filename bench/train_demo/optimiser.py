"""Muon for the matrices of a network and AdamW for the rest, under one learning-rate factor, and the state of a run.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) replaces a matrix's momentum by its nearest
semi-orthogonal matrix; scaled by 0.2 sqrt(longer side) its steps have AdamW's size (Liu et al. 2025, arXiv:2502.16982).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)


class Optimiser:
    """Steps `matrices` with Muon, each as so many blocks of rows (a fused qkv is three), `others` with AdamW."""

    def __init__(
        self, matrices: Iterable[tuple[nn.Parameter, int]], others: Sequence[nn.Parameter], rate: float
    ) -> None:
        self.rate = rate
        groups: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
        self._blocks: dict[nn.Parameter, int] = {}
        for parameter, blocks in matrices:
            rows, columns = len(parameter) // blocks, parameter[0].numel()
            groups[rows, columns].append(parameter)
            self._blocks[parameter] = blocks
        self._groups = list(groups.items())
        self._momenta = [
            torch.zeros(sum(self._blocks[p] for p in parameters), *shape, device=parameters[0].device)
            for shape, parameters in self._groups
        ]
        device = next((p.device for p in (*others, *self._blocks)), torch.device("cpu"))
        self._rate = torch.tensor(rate, device=device)
        on_gpu = device.type == "cuda"
        self._adamw = torch.optim.AdamW(
            others,
            lr=self._rate if on_gpu else rate,
            betas=(0.9, 0.99),
            weight_decay=0.0,
            fused=on_gpu,
            capturable=on_gpu,
        )

    def set_rate(self, factor: float) -> None:
        """The following steps are taken at `factor` times the rate."""
        self._rate.fill_(self.rate * factor)
        if not self._rate.is_cuda:
            for group in self._adamw.param_groups:
                group["lr"] = self.rate * factor

    @torch.no_grad()
    def step(self) -> None:
        """One step along the gradients; nothing waits for the GPU, so that a graph of it can be recorded."""
        self._adamw.step()
        for (shape, parameters), momentum in zip(self._groups, self._momenta):
            gradients = torch.cat([p.grad.reshape(-1, *shape) for p in parameters if p.grad is not None])
            momentum.lerp_(gradients, 0.05)
            update = orthogonalised(gradients.lerp_(momentum, 0.95)) * (0.2 * max(shape) ** 0.5 * self._rate)
            updates = update.split([self._blocks[p] for p in parameters])
            torch._foreach_sub_(parameters, [part.reshape(p.shape).to(p.dtype) for part, p in zip(updates, parameters)])

    def state_dict(self) -> dict[str, object]:
        return {"momenta": self._momenta, "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state: dict[str, object]) -> None:
        for momentum, saved in zip(self._momenta, state["momenta"], strict=True):
            momentum.copy_(saved)
        self._adamw.load_state_dict(state["adamw"])
        for group in self._adamw.param_groups:
            group["lr"] = self._rate if self._rate.is_cuda else self.rate


def orthogonalised(matrices_KMN: Tensor) -> Tensor:
    """Each matrix with its singular values moved to about 1, by five Newton-Schulz steps in bfloat16."""
    a, b, c = _QUINTIC
    x = matrices_KMN.bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    for _ in range(5):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).float()


class Average:
    """Exponential moving average of a module's parameters, warmed up from the first step."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self._source = [p for p in module.parameters() if p.requires_grad]
        self.values = [p.detach().clone() for p in self._source]
        self._share = torch.zeros((), device=self._source[0].device)

    def count(self) -> None:
        """One more step has been taken."""
        self.steps += 1
        self._share.fill_(1 - min(self.decay, (1 + self.steps) / (10 + self.steps)))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are, as much as the last `count` says."""
        changes = torch._foreach_sub(self._source, self.values)
        torch._foreach_mul_(changes, self._share)
        torch._foreach_add_(self.values, changes)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the module's parameters with the average; a second call undoes the first."""
        for value, parameter in zip(self.values, self._source):
            kept = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(kept)


def rate_factor(done: float, warm: float, decay_from: float) -> float:
    """Learning-rate factor at a share `done` of the training: up over `warm`, flat, then linearly to 0."""
    if done < warm:
        return max(done / warm, 1e-3)
    return min(1.0, max(0.0, (1 - done) / (1 - decay_from)))


@dataclass
class Run:
    """One stretch of training, from a state to the next."""

    painter: nn.Module
    optimiser: Optimiser
    average: Average
    elapsed: float = 0.0
    step: int = 0

    def state(self) -> dict[str, object]:
        return {
            "painter": self.painter.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.values,
            "average_steps": self.average.steps,
            "elapsed": self.elapsed,
            "step": self.step,
        }

    def resume(self, path: Path, device: torch.device) -> None:
        state = torch.load(path, map_location=device, weights_only=True)
        self.painter.load_state_dict(state["painter"])
        self.optimiser.load_state_dict(state["optimiser"])
        for value, saved in zip(self.average.values, state["average"], strict=True):
            value.copy_(saved)
        self.average.steps = state["average_steps"]
        self.elapsed, self.step = state["elapsed"], state["step"]
