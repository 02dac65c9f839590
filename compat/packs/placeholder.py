"""What stands for parts of ComfyUI that Weft does not have: a pack that names them loads, a node that uses them fails.

A placeholder can be subclassed, asked for any attribute and used as a decorator; calling it says what is missing.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any

from compat.packs.values import NotOffered


class _Missing(type):
    """The type of placeholders, which are classes so that packs may derive from them."""

    path: str

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return missing(f"{cls.path}.{name}")

    def __call__(cls, *args: Any, **_: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], FunctionType | type):
            return args[0]
        raise NotOffered(cls.path)


def missing(path: str) -> type[Any]:
    """The placeholder of a dotted name."""
    return _Missing(path.rpartition(".")[2], (), {"path": path})


class HostModule(ModuleType):
    """A module of ComfyUI: what is offered of it, and placeholders for anything else but what begins with "__"."""

    def __init__(self, name: str, offered: dict[str, Any]) -> None:
        super().__init__(name, f"What Weft offers of ComfyUI's {name}.")
        self.__path__ = []
        vars(self).update(offered)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return missing(f"{self.__name__}.{name}")
