"""Built-in nodes: thin typed functions over the model library. The folder is the list."""

from __future__ import annotations

import importlib
import pkgutil

from graph.node import NodeSpec, collect


def builtin() -> list[NodeSpec]:
    """The nodes of every module in this folder."""
    names = [module.name for module in pkgutil.iter_modules(__path__, f"{__name__}.")]
    return [spec for name in names for spec in collect(importlib.import_module(name))]
