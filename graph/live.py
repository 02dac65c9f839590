"""The values a run holds, and the bytes they take together: now, and at most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from graph.keys import Key, Record
from graph.tiers.tier import Outputs

LEAST: Final = 1024
"""Results of fewer bytes are not counted: most are that small, and together they are nothing."""


class Live(dict[int, Outputs]):
    """Outputs by position, set and let go by one thread at a time. `records` are those of the plan: what two nodes hold
    of one computation counts once, and what has no record counts nothing."""

    def __init__(self, records: Sequence[Record | None]) -> None:
        super().__init__()
        self.bytes = self.most = 0
        self._records = records
        self._holders: dict[Key, set[int]] = {}

    def __setitem__(self, i: int, outputs: Outputs) -> None:
        record = self._records[i]
        if record is not None and record.size >= LEAST:
            holders = self._holders.setdefault(record.key, set())
            if not holders:
                self.bytes += record.size
                self.most = max(self.most, self.bytes)
            holders.add(i)
        super().__setitem__(i, outputs)

    def let_go(self, i: int) -> None:
        """Hold it no longer, if it is held."""
        self.pop(i, None)
        record = self._records[i]
        if record is not None and record.size >= LEAST:
            holders = self._holders.get(record.key)
            if holders is not None and i in holders:
                holders.discard(i)
                if not holders:
                    del self._holders[record.key]
                    self.bytes -= record.size

    def clear(self) -> None:
        super().clear()
        self._holders.clear()
        self.bytes = self.most = 0
