"""What the disk tier has yet to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from graph.keys import Key, Record
from graph.tiers.tier import Result

Fact = bytes | Callable[[bytes | None], bytes]
"""A small fact, or what makes it when it is written, of what is there by then."""


@dataclass
class Batch:
    """What is written in one transaction; `bytes` and `seconds` are those of the results, `claims` end with it."""

    results: dict[Key, Result] = field(default_factory=dict[Key, Result])
    records: dict[Key, Record] = field(default_factory=dict[Key, Record])
    structures: dict[Key, Key] = field(default_factory=dict[Key, Key])
    touched: set[Key] = field(default_factory=set[Key])
    facts: dict[str, Fact] = field(default_factory=dict[str, "Fact"])
    claims: list[Key] = field(default_factory=list[Key])
    bytes: int = 0
    seconds: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.results or self.records or self.structures or self.touched or self.facts or self.claims)
