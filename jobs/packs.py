"""Node packs: folders or files of nodes, imported one by one, so that a broken pack costs itself and nothing else."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from graph.node import NodeSpec, collect
from graph.registry import DuplicateNode, Registry

NAMESPACE = "custom_nodes"


@dataclass(frozen=True)
class Pack:
    """What became of one pack: the ids of its nodes, and the reason it has none, or not all."""

    name: str
    nodes: tuple[str, ...]
    error: str | None = None


Foreign = Callable[[ModuleType, Registry], "tuple[list[NodeSpec], str | None] | None"]
"""The nodes of a pack written for another program, beside those that are known, and why some are left out; None for a
pack that is not."""


def specs_of(pack: ModuleType) -> list[NodeSpec]:
    """The nodes of a module and of those directly in it; private and test modules are left alone."""
    modules = [pack]
    for module in pkgutil.iter_modules(getattr(pack, "__path__", []), pack.__name__ + "."):
        if not module.name.rpartition(".")[2].startswith(("_", "test")):
            modules.append(importlib.import_module(module.name))
    return [spec for module in modules for spec in collect(module)]


def _no_foreign() -> Foreign:
    """Every pack is written for Weft."""
    return lambda _, __: None


def load_packs(
    builtin: Sequence[NodeSpec], folders: Sequence[Path], foreign: Callable[[], Foreign] = _no_foreign
) -> tuple[Registry, list[Pack]]:
    """All nodes: the built-in ones and those of every package and module in `folders`, importable as custom_nodes.NAME.

    A pack that fails to import, or defines a node that exists, is left out whole and says why. `foreign` is called once
    there is a pack, before it is imported.
    """
    namespace = ModuleType(NAMESPACE)
    namespace.__path__ = [str(folder) for folder in folders]
    sys.modules[NAMESPACE] = namespace
    specs, packs = list(builtin), list[Pack]()
    Registry(specs)
    read: Foreign | None = None
    for name, place in _found(folders):
        read = read or foreign()
        try:
            module = importlib.import_module(f"{NAMESPACE}.{name}")
            found, told = read(module, Registry(specs)) or (specs_of(module), None)
            Registry([*specs, *found])
        except DuplicateNode as error:
            packs.append(Pack(name, (), str(error)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a pack raises is its own failure
            packs.append(Pack(name, (), _told(error, place)))
        else:
            specs += found
            packs.append(Pack(name, tuple(spec.id for spec in found), told))
    return Registry(specs), packs


def _told(error: BaseException, place: Path) -> str:
    """What a pack failed of, what to do where it says what it needs, and where it was."""
    what = "".join(traceback.format_exception_only(error))
    needs = place / "requirements.txt"
    if isinstance(error, ModuleNotFoundError) and needs.is_file():
        what += f"Install what the pack needs: {sys.executable} -m pip install -r {needs}\n"
    return what + "".join(traceback.format_exception(error, limit=-3))


def _found(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """Packages and modules in `folders`, in order, each name once."""
    seen: set[str] = set()
    for folder in folders:
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            is_pack = (entry / "__init__.py").is_file() or (entry.suffix == ".py" and entry.is_file())
            name = entry.name.removesuffix(".py")
            if is_pack and "." not in name and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, entry
