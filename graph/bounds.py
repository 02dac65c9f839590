"""How much a document may ask of one node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class Excess(NamedTuple):
    """The largest input of those that make too much together, and what is wrong in words."""

    port: str
    message: str
    expected: str
    got: str


@dataclass(frozen=True)
class AtMost:
    """How much one node makes at most: the product of its `inputs`, in `units` ("pixels"). Checked before anything
    runs, as far as the inputs are constants, and where some are linked again before the node runs."""

    count: int
    units: str
    inputs: tuple[str, ...]

    def excess(self, values: Mapping[str, object]) -> Excess | None:
        """What is too much about these inputs; those that are no whole numbers count nothing."""
        factors = {name: value for name in self.inputs if type(value := values.get(name)) is int}
        count = math.prod(factors.values())
        if count <= self.count:
            return None
        largest = max(factors, key=lambda name: factors[name])
        got, expected = f"{count:,} {self.units}", f"at most {self.count:,} {self.units} in all"
        return Excess(largest, f"{' x '.join(factors)} is {got}; expected {expected}", expected, got)

    def to_json(self) -> dict[str, Any]:
        return {"count": self.count, "units": self.units, "inputs": list(self.inputs)}

    @staticmethod
    def from_json(json: Mapping[str, Any]) -> AtMost:
        return AtMost(json["count"], json["units"], tuple(json["inputs"]))
