"""A tensor of a network that lies on the device only while it is wanted there."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, nan
from typing import Protocol

import torch
from torch import Tensor, nn

from diffusion.networks.shapes import Shapes
from diffusion.residency.place import Place


@dataclass(frozen=True)
class Origin:
    """Where tensors come from: `title` is what a person calls them, `identity` changes when the file does."""

    title: str
    identity: str


class Home(Protocol):
    """Where the tensors of loaded networks live."""

    @property
    def device(self) -> torch.device:
        """Where they are computed with."""
        ...

    def hold(
        self, origin: Origin, tensors: Mapping[str, Tensor], shapes: Shapes, dtype: torch.dtype, /
    ) -> Mapping[str, Tensor]:
        """What a network is to hold for these, by the same names; `tensors` are read once or whenever needed."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Everything on one device, from the start and for good."""

    device: torch.device

    def hold(
        self, _origin: Origin, tensors: Mapping[str, Tensor], _shapes: Shapes, dtype: torch.dtype
    ) -> Mapping[str, Tensor]:
        return {name: tensor.to(self.device, dtype) for name, tensor in tensors.items()}


def home_of(where: str | Home) -> Home:
    """The home that is meant by the name of a device: fixed there."""
    return Fixed(torch.device(where)) if isinstance(where, str) else where


class Ledger(Protocol):
    """Who keeps the books of what lies on a device."""

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more may lie there, once idle ones have left."""
        ...


class Holding:
    """Weights that came together: a part of a file, or the tensors that a patch changed."""

    def __init__(self, title: str, place: Place, ledger: Ledger) -> None:
        self.title, self.place, self.ledger = title, place, ledger
        self.used = -inf
        self.seconds_per_byte = place.seconds_per_byte
        self._weights: dict[str, weakref.ref[Weight]] = {}

    def add(self, name: str, weight: Weight) -> None:
        self._weights[name] = weakref.ref(weight)

    def get(self, name: str) -> Weight | None:
        found = self._weights.get(name)
        return None if found is None else found()

    def weights(self) -> list[Weight]:
        return [weight for reference in list(self._weights.values()) if (weight := reference()) is not None]


class Weight(nn.Parameter):
    """One tensor, shared by all networks that are made of it. Copying a network does not copy its weights.

    While it is away it has its shape and dtype, no memory, and NaN for values.
    """

    source: Callable[[], Tensor] | None
    """Reads it from its file; None for one that was computed, until it had to leave the device."""
    holding: Holding
    value: Tensor | None
    """What lies on the device; None while it is away."""
    computed: bool
    """It is in no file, so its memory on the host counts as that of whoever keeps it."""

    @staticmethod
    def away(source: Callable[[], Tensor], shape: tuple[int, ...], dtype: torch.dtype, holding: Holding) -> Weight:
        """A weight that can be brought from its file."""
        return _weight(None, shape, dtype, source, holding, computed=False)

    @staticmethod
    def made(value: Tensor, holding: Holding) -> Weight:
        """A weight that was computed: on the device where it has room there, else on the host."""
        if value.device == holding.place.device and holding.ledger.has_room(value.nbytes):
            return _weight(value, value.shape, value.dtype, None, holding, computed=True)
        kept = holding.place.sent_home(value)
        return _weight(None, value.shape, value.dtype, lambda: kept, holding, computed=True)

    @property
    def here(self) -> bool:
        return self.value is not None

    def __deepcopy__(self, memo: dict[int, object]) -> Weight:
        return self

    def read(self) -> Tensor:
        """The value on the host as it is stored; it may share memory with a file."""
        if self.source is None:
            raise RuntimeError("a computed weight is read from where it lies")
        return self.source()

    def arrive(self) -> None:
        if self.value is None:
            self.show(self.holding.place.brought(self.read(), self.dtype))

    def show(self, value: Tensor) -> None:
        """Take a value that lies on the device."""
        self.data = self.value = value

    def leave(self) -> None:
        """Give the memory on the device back; a computed value is kept on the host."""
        if self.value is None:
            return
        if self.source is None:
            kept = self.holding.place.sent_home(self.value)
            self.source = lambda: kept
        self.value = None
        self.data = _absent(self.shape, self.dtype)


def value_of(tensor: Tensor) -> Tensor:
    """The value of a network's tensor, on its device in its dtype, wherever it lies. Not to be written to."""
    if not isinstance(tensor, Weight):
        return tensor.detach()
    value = tensor.value
    return tensor.holding.place.brought(tensor.read(), tensor.dtype) if value is None else value


class Derivation:
    """Tensors for networks, computed from those of others: kept in the same books, plain ones where those are."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._holding: Holding | None = None

    def keep(self, value: Tensor, like: Tensor) -> Tensor:
        """What a network is to hold for `value` in place of `like`."""
        if not isinstance(like, Weight):
            return nn.Parameter(value, requires_grad=False) if isinstance(like, nn.Parameter) else value
        if self._holding is None:
            self._holding = Holding(self._title, like.holding.place, like.holding.ledger)
        weight = Weight.made(value, self._holding)
        self._holding.add(str(id(weight)), weight)
        return weight


def _weight(
    value: Tensor | None,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    source: Callable[[], Tensor] | None,
    holding: Holding,
    *,
    computed: bool,
) -> Weight:
    data = _absent(shape, dtype) if value is None else value
    weight = torch.Tensor._make_subclass(Weight, data, False)
    assert isinstance(weight, Weight)
    weight.source, weight.holding, weight.value, weight.computed = source, holding, value, computed
    return weight


def _absent(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.full((), nan if dtype.is_floating_point else 0, dtype=dtype).expand(shape)
