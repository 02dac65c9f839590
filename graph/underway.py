"""One call of a node's function, from its start to its outputs, with the stops at which it asks for values."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, cast

from graph.context import Context
from graph.fragment import Lazy
from graph.keys import Fingerprint
from graph.node import NodeSpec

Outputs = dict[str, Any]
Arrived = Sequence[tuple[Any, Fingerprint]]
"""Values with their fingerprints."""


class Underway:
    """`begin` or `go_on` returns the outputs, or None when the values of `asks` are to arrive first.

    A coroutine asks by awaiting a Lazy; any function asks by returning some, which are then outputs, or items of
    outputs, of the node. `forwarded` are the fingerprints of outputs that are another node's value. `ending` says that
    the function has returned and will ask for nothing else."""

    def __init__(self, spec: NodeSpec) -> None:
        self.asks: Sequence[Lazy[Any]] = ()
        self.forwarded: dict[str, Fingerprint] = {}
        self.seconds, self.peak = 0.0, 0
        self._spec = spec
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._outputs: Outputs = {}

    @property
    def ending(self) -> bool:
        return self._coroutine is None

    def begin(self, values: Mapping[str, object], context: Context) -> Outputs | None:
        result = self._spec.start(values, context)
        if not isinstance(result, Coroutine):
            return self._returned(result)
        self._coroutine = cast("Coroutine[Any, Any, Any]", result)
        return self._send(None)

    def go_on(self, arrived: Arrived) -> Outputs | None:
        if self._coroutine is not None:
            return self._send(arrived[0][0])
        come = iter(arrived)
        return {name: self._filled(name, value, come) for name, value in self._outputs.items()}

    def _filled(self, name: str, value: Any, come: Iterator[tuple[Any, Fingerprint]]) -> Any:
        if isinstance(value, Lazy):
            value, self.forwarded[name] = next(come)
        elif isinstance(value, list):
            items = cast("list[Any]", value)
            value = [next(come)[0] if isinstance(item, Lazy) else item for item in items]
        return value

    def _send(self, value: Any) -> Outputs | None:
        assert self._coroutine is not None
        try:
            asked = self._coroutine.send(value)
        except StopIteration as end:
            self._coroutine = None
            return self._returned(end.value)
        if not isinstance(asked, Lazy):
            self._coroutine.close()
            raise TypeError(f"node {self._spec.id} has lazy inputs, so it may await only lazy values; got {asked!r}")
        self.asks = (cast("Lazy[Any]", asked),)
        return None

    def _returned(self, result: Any) -> Outputs | None:
        outputs = self._spec.named(result)
        self.asks = tuple(lazies(outputs.values()))
        if not self.asks:
            return outputs
        self._outputs = outputs
        return None


def lazies(values: Sequence[Any] | Any) -> Iterator[Lazy[Any]]:
    """Those among values, and among the items of lists."""
    for value in values:
        if isinstance(value, Lazy):
            yield cast("Lazy[Any]", value)
        elif isinstance(value, list):
            yield from (item for item in cast("list[Any]", value) if isinstance(item, Lazy))
