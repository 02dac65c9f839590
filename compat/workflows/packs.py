"""Nodes of packs, which are called here as there: what a class of a pack becomes is the node of its own name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from compat.workflows.foreign import Node, is_list
from compat.workflows.kinds import Kind, Port, named
from graph.node import REQUIRED, NodeSpec
from graph.widgets import InputFile

PACKS: Final = "custom_nodes."
UPLOAD: Final = "image"
"""What the peer keeps behind the name of an uploaded picture."""
FILES: Final = "list[OutputFile]"


def kinds_of_packs(registry: Mapping[str, NodeSpec]) -> dict[str, Kind]:
    """Of every node that comes with a pack, by its name."""
    return {id: _kind(spec) for id, spec in registry.items() if spec.source.startswith(PACKS)}


def _kind(spec: NodeSpec) -> Kind:
    outputs = tuple(port.name for port in spec.outputs if port.type != FILES)
    ports = (
        Port(port.name, port.name, port.widget is not None, None if port.default is REQUIRED else port.default)
        for port in spec.inputs
    )
    return Kind(spec.id, outputs, tuple(ports))


def with_values(node: Node, kind: Kind, spec: NodeSpec) -> Node:
    """The node with the values that its file has in the order of its widgets, without their names."""
    given = node.extra.get("widgets_values")
    if not is_list(given):
        return node
    rest = {name: value for name, value in node.extra.items() if name != "widgets_values"}
    return replace(node, inputs={**named(list(_plain(given, spec)), kind.widgets), **node.inputs}, extra=rest)


def _plain(values: Sequence[Any], spec: NodeSpec) -> Iterator[Any]:
    uploads = any(isinstance(port.widget, InputFile) for port in spec.inputs)
    for number, value in enumerate(values):
        if not (uploads and number > 0 and value == UPLOAD):
            yield value
