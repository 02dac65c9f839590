"""Computing when memory runs short: less and less at a time, and a table of who holds what when even that fails."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from diffusion.residency.ledger import Residency, ledger_of, using

T = TypeVar("T")


class Measure(NamedTuple):
    """One way to compute a batch: that many rows at a time, in tiles or whole, the network in blocks or whole."""

    rows: int
    tiled: bool = False
    in_blocks: bool = False


def within_memory(
    network: object,
    batch: Tensor,
    call: Callable[[slice], T],
    tiled: Callable[[slice], T] | None = None,
    join: Callable[[list[T]], T] = torch.cat,
) -> T:
    """`call` on all rows of a batch, with the network's weights on its device; `join` makes one result of several.

    When the device's memory runs out: what is not in use leaves it; then half as many rows are computed at a time, down
    to one; then by `tiled`, where there is one, which gives the same with less memory; then with the network's weights
    brought block by block. What was enough is remembered for the network and batches of this shape. Raises
    torch.OutOfMemoryError with what lay on the device in the end when nothing was.
    """
    residency = ledger_of(network)
    measures = list(_measures(len(batch), tiled is not None, residency is not None))
    remembered = {} if residency is None else residency.remembered(network)
    failure = ""
    for number in range(remembered.get(batch.shape, 0), len(measures)):
        measure = measures[number]
        try:
            with using(network, in_blocks=measure.in_blocks):
                chosen = tiled if measure.tiled and tiled is not None else call
                result = _in_parts(len(batch), measure.rows, chosen, join)
        except torch.OutOfMemoryError:
            # Handled below: within this clause the traceback keeps everything alive that was computed so far.
            pass
        else:
            if number > 1:
                remembered[batch.shape] = number
            return result
        failure = _failure(residency, len(batch), measures)
        if residency is not None:
            gc.collect()
            residency.relieve()
    raise torch.OutOfMemoryError(failure)


def _in_parts(batch: int, rows: int, call: Callable[[slice], T], join: Callable[[list[T]], T]) -> T:
    parts = [call(slice(row, row + rows)) for row in range(0, batch, rows)]
    return parts[0] if len(parts) == 1 else join(parts)


def _measures(batch: int, can_tile: bool, can_stream: bool) -> Iterator[Measure]:
    """From the fastest to the one with the least memory; the first one twice, as others make room in between."""
    yield Measure(batch)
    yield Measure(batch)
    rows = batch
    while rows > 1:
        rows = -(-rows // 2)
        yield Measure(rows)
    if can_tile:
        yield Measure(rows, tiled=True)
    if can_stream:
        yield Measure(rows, tiled=can_tile, in_blocks=True)


def _failure(residency: Residency | None, batch: int, measures: list[Measure]) -> str:
    last = measures[-1]
    tried = ["moving everything else away", "one row at a time" if batch > 1 else "", "in tiles" if last.tiled else ""]
    tried.append("with weights brought block by block" if last.in_blocks else "")
    said = f"the device's memory is too small, even after {', '.join(filter(None, tried))}. Smaller pictures need less"
    if residency is None:
        return said
    lines = [(entry.bytes, entry.title + (" (in use)" if entry.in_use else "")) for entry in residency.entries()]
    other = residency.other_bytes()
    if other is not None:
        lines.append((other, "work in progress and other results"))
    return "\n".join(
        [f"{said}. On {residency.device}:", *(f"{count / 2**20:10.1f} MiB  {what}" for count, what in lines)]
    )
