"""Node packs: folders of typed functions, imported one by one, so that a broken pack costs itself and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from graph.node import NodeSpec, collect
from graph.registry import DuplicateNode, Registry

NAMESPACE = "custom_nodes"


@dataclass(frozen=True)
class Pack:
    """What became of one pack: the ids of its nodes, or the reason it has none."""

    name: str
    nodes: tuple[str, ...]
    error: str | None = None


def specs_of(package: ModuleType) -> list[NodeSpec]:
    """The nodes of a package and of the modules directly in it; private and test modules are left alone."""
    modules = [package]
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if not module.name.rpartition(".")[2].startswith(("_", "test")):
            modules.append(importlib.import_module(module.name))
    return [spec for module in modules for spec in collect(module)]


def load_packs(builtin: Sequence[NodeSpec], folders: Sequence[Path]) -> tuple[Registry, list[Pack]]:
    """All nodes: the built-in ones and those of every package in `folders`, importable as custom_nodes.NAME.

    A pack that fails to import, or defines a node that exists, is left out whole and says why.
    """
    namespace = ModuleType(NAMESPACE)
    namespace.__path__ = [str(folder) for folder in folders]
    sys.modules[NAMESPACE] = namespace
    specs, packs = list(builtin), list[Pack]()
    Registry(specs)
    for name in _names(folders):
        try:
            found = specs_of(importlib.import_module(f"{NAMESPACE}.{name}"))
            Registry([*specs, *found])
        except DuplicateNode as error:
            packs.append(Pack(name, (), str(error)))
        except (Exception, SystemExit):  # noqa: BLE001 - whatever a pack raises is its own failure
            packs.append(Pack(name, (), traceback.format_exc(limit=-3)))
        else:
            specs += found
            packs.append(Pack(name, tuple(spec.id for spec in found)))
    return Registry(specs), packs


def _names(folders: Sequence[Path]) -> Iterator[str]:
    """Names of the packages in `folders`, in order, each once."""
    seen: set[str] = set()
    for folder in folders:
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            if entry.name.isidentifier() and (entry / "__init__.py").is_file() and entry.name not in seen:
                seen.add(entry.name)
                yield entry.name
