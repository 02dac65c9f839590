"""The loop all painters are trained by: a time to keep, several GPUs, and a step that costs the CPU next to nothing.

On a GPU a step is two recorded CUDA graphs, one from a batch to its gradients and one from gradients to the next
parameters; between them gradients are averaged over the processes. Everything random within a step is therefore drawn
from the GPU's own generator.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from bench.train_demo.optimiser import Average, Optimiser, Run, rate_factor
from bench.train_demo.parallel import Group

TELL = 8  # steps between looks at the clock, which all processes read alike
AVERAGED = 0.9995
CHUNK = 1024  # pictures made and encoded at a time

Batch = tuple[Tensor, ...]
Source = Callable[[], Batch]
"""Rows for TELL batches, always of the same shapes."""
Split = tuple[list[tuple[nn.Parameter, int]], list[nn.Parameter]]
"""Matrices for Muon, each as so many blocks of rows, and what is left to AdamW."""


class Painter(Protocol):
    """What is trained: `drawn` adds noise and its levels to a batch, a call makes of that a loss."""

    def drawn(self, *batch: Tensor) -> Batch: ...
    def __call__(self, *drawn: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Pace:
    """`total` seconds of training, of which this run does `seconds` but ends at the time of day `by`."""

    name: str
    seconds: float
    total: float
    by: float
    batch: int
    warm: float = 0.01
    decay_from: float = 0.5


def add_options(parser: argparse.ArgumentParser, *, batch: int, rate: float, pool: int) -> None:
    parser.add_argument("--seconds", type=float, default=560, help="of this run")
    parser.add_argument("--total", type=float, default=600, help="seconds of the whole training")
    parser.add_argument("--by", type=float, default=float("inf"), help="time of day, in seconds of Unix, to end by")
    parser.add_argument("--autoencoder", type=Path, required=True, help="checkpoint with the autoencoder to train for")
    parser.add_argument("--state", type=Path, required=True, help="file to go on from, and to leave for the next run")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and a contact sheet")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=batch, help="of each process")
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--pool", type=int, default=pool, help="scenes kept by each process")
    parser.add_argument("--chunk", type=int, default=CHUNK, help="pictures made and encoded at a time")


def pace_of(options: argparse.Namespace, name: str) -> Pace:
    return Pace(name, options.seconds, options.total, options.by, options.batch)


def begin(
    painter: nn.Module, learnt: Split, options: argparse.Namespace, group: Group, seed: int
) -> tuple[Run, torch.Generator]:
    """The run from the start or from the state left by the last, and its own random numbers."""
    run = Run(painter, Optimiser(*learnt, options.rate), Average(painter, AVERAGED))
    if options.state.exists():
        run.resume(options.state, group.device)
    own = seed + 1 + run.step + 1000 * group.rank
    torch.manual_seed(own)
    return run, torch.Generator(group.device).manual_seed(own)


def train(run: Run, source: Source, pace: Pace, group: Group) -> None:
    """Train until the time is over."""
    before, spent, reported, shown = run.elapsed, 0.0, 0.0, run.step
    step = Step(run, group, tuple(rows[: pace.batch] for rows in source()))
    start = time.monotonic()  # compiling and filling the pool do not count
    while spent < pace.seconds and before + spent < pace.total:
        done = (before + spent) / pace.total
        factor = rate_factor(done, pace.warm, pace.decay_from)
        for part in zip(*(rows.split(pace.batch) for rows in source())):
            step(part, factor)
        spent = group.mean(time.monotonic() - start)
        if group.mean(time.time()) > pace.by:
            break
        if spent - reported > 15:
            reported = spent
            group.align(run.painter)
            if group.rank == 0:
                loss = step.loss_sum.item() / (run.step - shown)
                print(f"{pace.name} {before + spent:5.0f} s step {run.step} loss {loss:.4f}", flush=True)
            shown = run.step
            step.loss_sum.zero_()
    group.align(run.painter)
    run.elapsed = before + spent
    if group.rank == 0:
        print(
            f"{pace.name}: {run.elapsed:.0f} of {pace.total:.0f} s, {run.step} steps of {group.size} x {pace.batch}",
            flush=True,
        )


class Step:
    """One step of training on batches like the one given; the sum of losses is kept."""

    def __init__(self, run: Run, group: Group, batch: Batch) -> None:
        self.run, self.group = run, group
        self.on_gpu = group.device.type == "cuda"
        self.network = torch.compile(run.painter, dynamic=False) if self.on_gpu else run.painter
        self.learnt = [parameter for parameter in run.painter.parameters() if parameter.requires_grad]
        self.gradients = torch.zeros(sum(p.numel() for p in self.learnt), device=group.device)
        self.loss_sum = torch.zeros((), device=group.device)
        self._views, at = [], 0
        for parameter in self.learnt:  # laid out as the parameters are, transposed ones too
            self._views.append(self.gradients.as_strided(parameter.size(), parameter.stride(), at))
            at += parameter.numel()
        self._inputs = tuple(rows.clone() for rows in batch)
        self._learn, self._update = self._gradients_of_inputs, self._next_parameters
        if self.on_gpu:
            run.optimiser.set_rate(0.0)  # nothing moves while it is recorded
            self._learn, self._update = _recorded(self._learn), _recorded(self._update)
            self.loss_sum.zero_()

    def __call__(self, batch: Batch, factor: float) -> None:
        for place, rows in zip(self._inputs, batch):
            place.copy_(rows)
        self.run.optimiser.set_rate(factor)
        self.run.average.count()
        self.run.step += 1
        self._learn()
        self.group.average(self.gradients)
        self._update()

    def _gradients_of_inputs(self) -> None:
        for parameter in self.learnt:
            parameter.grad = None
        drawn = self.run.painter.drawn(*self._inputs)
        with torch.autocast(self.group.device.type, torch.bfloat16, cache_enabled=False):
            loss = self.network(*drawn)
        loss.backward()
        torch._foreach_copy_(self._views, [parameter.grad for parameter in self.learnt])
        self.loss_sum += loss.detach()
        for parameter, view in zip(self.learnt, self._views):
            parameter.grad = view

    @torch.no_grad()
    def _next_parameters(self) -> None:
        self.gradients *= (1 / (self.gradients.norm() + 1e-6)).clamp(max=1)
        self.run.optimiser.step()
        self.run.average.update()


def _recorded(work: Callable[[], None]) -> Callable[[], None]:
    """The same work as a graph that is replayed; done three times on the way there."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # Threads of NCCL may go on asking for its events meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        work()
    return graph.replay


def leave(run: Run, write: Callable[[nn.Module], None], state: Path) -> None:
    """Hand the averaged weights to `write`, and save all that the next run needs."""
    run.average.swap()
    write(run.painter)
    run.average.swap()
    torch.save(run.state(), state)
