"""The known nodes, by id. An ordinary value that is passed around, never a module global."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graph.files import Files
from graph.node import NodeSpec


class DuplicateNode(ValueError):
    """Two sources define a node of the same id."""


class Registry(Mapping[str, NodeSpec]):
    def __init__(self, specs: Iterable[NodeSpec] = ()) -> None:
        self._specs: dict[str, NodeSpec] = {}
        for spec in specs:
            if (other := self._specs.get(spec.id)) is not None:
                raise DuplicateNode(f"node {spec.id!r} is defined by both {other.source} and {spec.source}")
            self._specs[spec.id] = spec

    def __getitem__(self, id: str) -> NodeSpec:
        return self._specs[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        """The catalogue: id -> definition. `files` adds the names that can be chosen now."""
        return {id: spec.to_json(files) for id, spec in self._specs.items()}

    @staticmethod
    def from_json(json: Mapping[str, Any]) -> Registry:
        return Registry(NodeSpec.from_json(spec) for spec in json.values())
