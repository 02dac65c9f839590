"""A result, and what every level of storage can do with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from graph.keys import Key
from graph.ledger import Account, TierName

Outputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What a node returned, its size in bytes and what it took to make, in seconds.

    `on_device` is how many of the bytes are a device's own; `lowered` says that they were brought to the host.
    """

    outputs: Outputs
    size: int
    seconds: float
    on_device: int = 0
    lowered: bool = False


class Tier(Protocol):
    """One level of memory."""

    name: TierName
    account: Account

    def hit(self, key: Key) -> bool: ...

    def get(self, key: Key) -> Result | None: ...

    def put(self, key: Key, result: Result) -> Sequence[tuple[Key, Result]]:
        """Store, and return what had to leave to make room; the result itself when it does not fit."""
        ...

    def drop(self, key: Key) -> None:
        """Forget a result that is kept elsewhere or no longer stands."""
        ...

    def clear(self) -> None: ...

    def spill(self) -> Sequence[tuple[Key, Result]]:
        """Have everything leave, as `put` has what must make room."""
        ...


class Place(Protocol):
    """Moves values between the memory of a device and of the host."""

    def on_device(self, value: object) -> int:
        """Bytes of a value that lie in a device's memory."""
        ...

    def lower(self, value: object) -> object:
        """The value with nothing left on a device. Raises Unstorable when it cannot be moved, as a live model."""
        ...

    def lift(self, value: object) -> object:
        """What was lowered, as it was."""
        ...
