"""How many bytes each tier may hold, and holds: one account a tier."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

TierName = Literal["device", "host", "disk"]


@dataclass
class Account:
    """Bytes a tier may hold, bytes and results it holds."""

    budget: int
    used: int = 0
    results: int = 0

    def fits(self, size: int) -> bool:
        return self.used + size <= self.budget

    def take(self, size: int) -> None:
        self.used += size
        self.results += 1

    def to_json(self) -> dict[str, Any]:
        """`{"budget", "used", "results"}`, in bytes."""
        return asdict(self)

    def give_back(self, size: int) -> None:
        self.used -= size
        self.results -= 1


class Gauge(Protocol):
    """Bytes in use on a device, as its own allocator counts them."""

    def start(self) -> int:
        """Bytes in use; from now on the most is counted."""
        ...

    def most(self) -> int:
        """The most bytes in use since `start`."""
        ...
