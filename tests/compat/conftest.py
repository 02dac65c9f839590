"""What tests of conversion ask: the document, and what would run of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from compat.workflows import Converted, convert
from graph.files import NoFiles
from graph.graph import Graph, build
from graph.keys import identities, structural_keys
from graph.registry import Registry
from graph.workflow import load
from nodes import builtin


class EveryFile(NoFiles):
    """Folders that have a file of every name that is not empty."""

    def path(self, folder: str, name: str) -> Path:
        if not name:
            raise ValueError("no name")
        return Path(folder) / name

    def fingerprint(self, folder: str, name: str) -> str:
        return f"{folder}/{name}"


class Here:
    """The conversion for the nodes there are here."""

    def __init__(self) -> None:
        self.registry = Registry(builtin())
        self.files = EveryFile()

    def convert(self, document: Any) -> Converted:
        return convert(document, self.registry)

    def whole(self, document: Any) -> dict[str, Any]:
        """The document, of which nothing may be missing."""
        made = self.convert(document)
        assert made.notes == ()
        self.graph(made.document)
        return dict(made.document)

    def graph(self, document: Mapping[str, Any]) -> Graph:
        return build(load(document), self.registry, self.files)

    def computes(self, document: Mapping[str, Any]) -> set[object]:
        """What its sinks compute, whatever nodes are called."""
        nodes = self.graph(document).nodes
        keys = dict(zip(nodes, structural_keys(nodes, nodes.values(), identities(nodes.values(), self.files))))
        return {keys[id] for id, node in nodes.items() if node.spec.sink}


@pytest.fixture(scope="session")
def here() -> Here:
    return Here()
