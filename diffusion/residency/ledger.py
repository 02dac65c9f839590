"""The ledger: what lies on a device and what is in use, what has to leave for something else, what comes in blocks."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffusion.networks.shapes import Shapes
from diffusion.residency.blocks import Streaming, blocks_of
from diffusion.residency.place import Place, clock
from diffusion.residency.weight import Holding, Origin, Weight

SHARES = 16
"""Steps in which more and more of a network goes through in blocks until the rest fits."""


class _Standing:
    """What the ledger knows of one network."""

    def __init__(self, network: nn.Module) -> None:
        held = (*network.parameters(), *network.buffers())
        self.weights = list({id(tensor): tensor for tensor in held if isinstance(tensor, Weight)}.values())
        self.holdings = {weight.holding for weight in self.weights}
        self.bytes = _bytes(self.weights)
        self.leases = 0
        self.complete_at = -1
        """How many weights had left any network when all of this one's were here."""
        self.streaming: Streaming | None = None
        self.in_blocks = False
        self.measures: dict[Hashable, int] = {}


class Entry(NamedTuple):
    """One line of the ledger: a holding, its bytes on the device, and whether some are in use."""

    title: str
    bytes: int
    in_use: bool


def _nothing() -> None:
    """What is done about memory where nobody else has any."""


class Residency:
    """The weights of all networks on one device, each tensor once, however many networks are made of it.

    `budget`: bytes that weights may take on the device, None for what it can spare. When a network needs room, others
    make it: first those whose weights are quickest to bring back and were not used for longest. One that is larger than
    the room there is runs block by block, in no less than two of its blocks and what is in none take. `spill` is called
    when memory has run out, to move other things away.
    """

    def __init__(self, place: Place, budget: int | None = None, spill: Callable[[], None] = _nothing) -> None:
        self._place, self._budget, self._spill = place, budget, spill
        self._lock = threading.RLock()
        self._known: weakref.WeakValueDictionary[tuple[Origin, torch.dtype], Holding] = weakref.WeakValueDictionary()
        self._holdings: weakref.WeakSet[Holding] = weakref.WeakSet()
        self._standings: weakref.WeakKeyDictionary[nn.Module, _Standing] = weakref.WeakKeyDictionary()
        self._departures = 0

    @property
    def device(self) -> torch.device:
        return self._place.device

    def hold(
        self, origin: Origin, tensors: Mapping[str, Tensor], shapes: Shapes, dtype: torch.dtype
    ) -> Mapping[str, Tensor]:
        """Weights for a network, none of them on the device yet; the same ones for everybody who asks for the same."""
        with self._lock:
            holding = self._known.get((origin, dtype))
            if holding is None:
                holding = self._known[origin, dtype] = Holding(origin.title, self._place, self)
                self._holdings.add(holding)
            return {name: _weight_in(holding, name, tensors, shapes[name], dtype) for name in tensors}

    @contextmanager
    def lend(self, network: nn.Module, *, in_blocks: bool) -> Iterator[None]:
        """See `using`."""
        with ExitStack() as after:
            with self._lock:
                standing = self._standing(network)
                standing.leases += 1
                after.callback(self._give_back, standing)
                if standing.leases == 1:
                    self._settle(network, standing, in_blocks)
                    if standing.streaming is not None:
                        after.enter_context(standing.streaming.running())
            yield

    def has_room(self, size: int) -> bool:
        """Whether so many bytes of weights more may lie on the device, once idle ones have left."""
        with self._lock:
            if (room := self._room()) < size:
                self._make_room(size - room)
                room = self._room()
            return room >= size

    def relieve(self) -> None:
        """Free what is not in use: idle weights, and what others keep on the device."""
        with self._lock:
            self._make_room(float("inf"))
        self._spill()
        self._place.release()

    def entries(self) -> list[Entry]:
        """What lies on the device, the largest first."""
        with self._lock:
            in_use = self._in_use()
            lines = [(holding.title, [w for w in holding.weights() if w.here]) for holding in self._holdings]
            found = [Entry(title, _bytes(here), any(id(w) in in_use for w in here)) for title, here in lines if here]
        return sorted(found, key=lambda entry: -entry.bytes)

    def host_bytes(self) -> int:
        """At most so many bytes of the machine's own memory are taken by weights that come from files."""
        with self._lock:
            if self.device.type == "cpu":
                return sum(_here(w for w in h.weights() if not w.computed) for h in self._holdings)
            moving = (s.streaming.moving for s in self._standings.values() if s.streaming is not None)
            return sum(block.bytes for blocks in moving for block in blocks)

    def other_bytes(self) -> int | None:
        """Bytes in use on the device that are no weights, where that can be told."""
        total = self._place.in_use()
        return None if total is None else total - sum(entry.bytes for entry in self.entries())

    def remembered(self, network: object) -> dict[Hashable, int]:
        """What `within_memory` found out about a network: by the size of its work, the measure that was enough."""
        if not isinstance(network, nn.Module):
            return {}
        with self._lock:
            return self._standing(network).measures

    def _standing(self, network: nn.Module) -> _Standing:
        standing = self._standings.get(network)
        if standing is None:
            standing = self._standings[network] = _Standing(network)
            self._holdings.update(standing.holdings)
        return standing

    def _give_back(self, standing: _Standing) -> None:
        with self._lock:
            standing.leases -= 1
            now = clock()
            for holding in standing.holdings:
                holding.used = now

    def _settle(self, network: nn.Module, standing: _Standing, in_blocks: bool) -> None:
        """Have the network's weights here, or those that stay while the others go through in blocks."""
        if standing.complete_at == self._departures and not in_blocks:
            return
        missing = standing.bytes - _here(standing.weights)
        room = self._room()
        if not in_blocks:
            if missing > room:
                self._make_room(missing - room)
                room = self._room()
            if missing <= room:
                standing.streaming = None
                self._bring(standing.weights)
                standing.complete_at = self._departures
                return
        if standing.streaming is None or in_blocks != standing.in_blocks:
            standing.streaming, standing.in_blocks = None, in_blocks
            standing.streaming = self._streaming(network, standing, 0 if in_blocks else room + standing.bytes - missing)
        self._bring(standing.streaming.staying)

    def _streaming(self, network: nn.Module, standing: _Standing, room: float) -> Streaming:
        """As few blocks as possible go through; those that do leave the device."""
        others = self._in_use(besides=standing)
        blocks = [block for block in blocks_of(network) if others.isdisjoint(map(id, block.weights))]
        shares = [share / SHARES for share in range(1, SHARES + 1)]
        tried = [Streaming(self._place, standing.weights, blocks, share) for share in shares]
        chosen = next((streaming for streaming in tried if streaming.bytes <= room), tried[-1])
        standing.complete_at = -1
        self._depart(weight for block in chosen.moving for weight in block.weights)
        return chosen

    def _bring(self, weights: Sequence[Weight]) -> None:
        away = [weight for weight in weights if not weight.here]
        if not away:
            return
        began = clock()
        for weight in away:
            weight.arrive()
        pace = (clock() - began) / max(1, _bytes(away))
        for holding in {weight.holding for weight in away}:
            holding.seconds_per_byte = pace

    def _room(self) -> float:
        """Bytes that weights may still take."""
        room = self._place.room()
        if self._budget is None:
            return room
        return min(room, self._budget - sum(_here(holding.weights()) for holding in self._holdings))

    def _make_room(self, wanted: float) -> None:
        """Let idle weights leave until `wanted` bytes are free or none are left."""
        in_use, now, freed = self._in_use(), clock(), 0
        for holding in sorted(self._holdings, key=lambda h: h.seconds_per_byte / (now - h.used + 1e-3)):
            for weight in holding.weights():
                if freed >= wanted:
                    return
                if weight.here and id(weight) not in in_use:
                    freed += weight.nbytes
                    self._depart((weight,))

    def _depart(self, weights: Iterable[Weight]) -> None:
        for weight in weights:
            if weight.here:
                weight.leave()
                self._departures += 1

    def _in_use(self, besides: _Standing | None = None) -> set[int]:
        leased = (standing for standing in self._standings.values() if standing.leases and standing is not besides)
        return {id(weight) for standing in leased for weight in standing.weights}


@contextmanager
def using(network: object, *, in_blocks: bool = False) -> Iterator[None]:
    """The network's weights are on its device within: all of them, or with `in_blocks`, or where they do not fit, the
    weights of each block while it runs. Networks that no ledger knows are left as they are.

    Raises torch.OutOfMemoryError where there is no room even so.
    """
    residency = ledger_of(network)
    if residency is None or not isinstance(network, nn.Module):
        yield
        return
    with residency.lend(network, in_blocks=in_blocks):
        yield


def ledger_of(network: object) -> Residency | None:
    """Who keeps the books of a network; None for nobody."""
    first = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    ledger = first.holding.ledger if isinstance(first, Weight) else None
    return ledger if isinstance(ledger, Residency) else None


def _weight_in(
    holding: Holding, name: str, tensors: Mapping[str, Tensor], shape: tuple[int, ...], dtype: torch.dtype
) -> Weight:
    """The holding's weight of that name, made where there is none."""
    found = holding.get(name)
    if found is None:
        found = Weight.away(lambda: tensors[name], shape, dtype, holding)
        holding.add(name, found)
    return found


def _bytes(weights: Iterable[Weight]) -> int:
    return sum(weight.nbytes for weight in weights)


def _here(weights: Iterable[Weight]) -> int:
    return _bytes(weight for weight in weights if weight.here)
