"""How many bytes each tier may hold, and holds: one account a tier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

TierName = Literal["device", "host", "disk"]
TIERS: tuple[TierName, ...] = ("device", "host", "disk")


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


_UNITS: Mapping[str, int] = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_size(text: str) -> int:
    """Bytes of "0", "512M", "4G", "1.5T" (powers of 1024). ValueError for anything else."""
    number, unit = text.strip().upper().removesuffix("B"), ""
    if number and number[-1] in _UNITS:
        number, unit = number[:-1], number[-1]
    try:
        size = float(number) * _UNITS[unit]
    except ValueError:
        size = -1.0
    if not 0 <= size < 2**62:
        raise ValueError(f"expected a size in bytes such as 0, 512M or 4G, got {text!r}")
    return int(size)
