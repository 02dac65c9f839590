"""A debug mode: nodes that change what they were given are found out. Values are immutable; a node makes new ones."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from graph.node import NodeSpec

Look = Callable[[object], bytes | None]
"""Bytes that differ when anything in a value does; None when there is no way to look into it."""


class InputChanged(RuntimeError):
    """A node changed a value that other nodes read too."""


def guarded(spec: NodeSpec, look: Look) -> NodeSpec:
    """The same node, which fails with InputChanged, naming the input, when its function has changed one."""
    fn = spec.fn
    if fn is None:
        return spec
    names = [port.name for port in spec.inputs if not port.lazy]

    def call(**values: Any) -> Any:
        before = {name: look(values[name]) for name in names if name in values}
        result = fn(**values)
        if inspect.iscoroutine(result):
            return later(result, values, before)
        check(values, before)
        return result

    async def later(result: Awaitable[Any], values: Mapping[str, Any], before: Mapping[str, bytes | None]) -> Any:
        made = await result
        check(values, before)
        return made

    def check(values: Mapping[str, Any], before: Mapping[str, bytes | None]) -> None:
        changed = [name for name, seen in before.items() if look(values[name]) != seen]
        if changed:
            raise InputChanged(
                f"node {spec.id} changed its input {', '.join(changed)}: values are shared with other nodes and must "
                "stay as they are; make a new value and change that"
            )

    return replace(spec, fn=call)
