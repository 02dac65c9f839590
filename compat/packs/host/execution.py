"""`comfy_execution` and `execution`: graphs that nodes build, and outputs that block what reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ExecutionBlocker:
    """In the place of a value: nothing that reads it is to run; `message` says why, None says nothing."""

    message: str | None = None


def is_link(obj: object) -> bool:
    """Whether this is a link of the peer: an id and a number."""
    return isinstance(obj, list) and len(obj) == 2 and isinstance(obj[0], str) and isinstance(obj[1], int | float)  # pyright: ignore[reportUnknownArgumentType]


@dataclass
class Node:
    """A node of a graph that is built."""

    id: str
    class_type: str
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])

    def out(self, index: int) -> list[Any]:
        """The link of an output."""
        return [self.id, index]

    def set_input(self, key: str, value: Any) -> None:
        self.inputs[key] = value

    def get_input(self, key: str) -> Any:
        return self.inputs.get(key)


class GraphBuilder:
    """Collects nodes to take the place of the one that runs."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: dict[str, Node] = {}

    def node(self, class_type: str, id: str | None = None, **inputs: Any) -> Node:
        """One more node; the one there is, if it has that id."""
        name = f"{self.prefix}{id if id is not None else len(self.nodes) + 1}"
        return self.nodes.setdefault(name, Node(name, class_type, inputs))

    def lookup_node(self, id: str) -> Node | None:
        return self.nodes.get(f"{self.prefix}{id}")

    def finalize(self) -> Mapping[str, Any]:
        """The graph in the peer's format."""
        return {id: {"class_type": node.class_type, "inputs": node.inputs} for id, node in self.nodes.items()}
