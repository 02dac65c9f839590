"""A network whose blocks go through the device one after the other, for one that is larger than the room there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from torch import nn

from diffusion.residency.place import Conveyor, Place
from diffusion.residency.weight import Weight


@dataclass(frozen=True)
class Block:
    """A part of a network that runs as a whole, and the weights it runs with."""

    module: nn.Module
    weights: tuple[Weight, ...]

    @property
    def bytes(self) -> int:
        return sum(weight.nbytes for weight in self.weights)


def blocks_of(network: nn.Module) -> list[Block]:
    """The members of the outermost lists of modules, in order: what networks are made of many of."""
    found: list[Block] = []
    for child in network.children():
        members = child.children() if type(child) is nn.ModuleList else ()
        parts = [Block(m, tuple(w for w in m.parameters() if isinstance(w, Weight))) for m in members]
        found += [part for part in parts if part.weights] if parts else blocks_of(child)
    return found


class Streaming:
    """Of `weights`, those of a `share` of the blocks are brought for each run of their block and leave after it.

    The blocks that move are spread evenly, so that while those that stay are at work the next one is on its way.
    """

    def __init__(self, place: Place, weights: Sequence[Weight], blocks: Sequence[Block], share: float) -> None:
        self.whole = share >= 1
        self.moving: list[Block] = []
        due = 0.0
        for block in blocks:
            due += block.bytes * share
            if due >= block.bytes * 0.999:
                self.moving.append(block)
                due -= block.bytes
        gone = {id(weight) for block in self.moving for weight in block.weights}
        self.staying = [weight for weight in weights if id(weight) not in gone]
        largest = sorted((block.bytes for block in self.moving), reverse=True)[:1]
        self.bytes = sum(weight.nbytes for weight in self.staying) + 2 * sum(largest)
        self._place = place
        self._conveyor: Conveyor | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within, each block that moves has its weights while it runs."""
        if not self.moving:
            yield
            return
        conveyor = self._conveyor = self._conveyor or self._place.conveyor([block.weights for block in self.moving])
        with ExitStack() as hooks:
            for number, block in enumerate(self.moving):
                turn = _Turn(conveyor, number, block)
                hooks.callback(turn.leave)
                hooks.callback(block.module.register_forward_pre_hook(turn.before).remove)
                hooks.callback(block.module.register_forward_hook(turn.after).remove)
            yield


@dataclass(frozen=True)
class _Turn:
    """A block's time on the device."""

    conveyor: Conveyor
    number: int
    block: Block

    def before(self, _module: nn.Module, _given: object) -> None:
        for weight, value in zip(self.block.weights, self.conveyor.fetch(self.number), strict=True):
            weight.show(value)

    def after(self, _module: nn.Module, _given: object, _made: object) -> None:
        self.leave()
        self.conveyor.done(self.number)

    def leave(self) -> None:
        for weight in self.block.weights:
            weight.leave()
