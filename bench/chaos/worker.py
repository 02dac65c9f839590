"""A worker with the nodes of this folder, which need no torch: `worker DATA --recorder FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.chaos import nodes
from graph.cache import Cache, Memory
from graph.context import Context
from graph.graph import Builder
from graph.node import collect
from graph.registry import Registry
from graph.values import PlainTraits
from jobs import worker
from jobs.engine import Engine
from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.outputs import OutputWriter


def engine(data: Path) -> Engine:
    files, registry = FileStore([], data, Hashes(data / "hashes.db")), Registry(collect(nodes))
    return Engine(
        registry=registry,
        packs=[],
        builder=Builder(registry, files),
        cache=Cache([Memory(1 << 24)], PlainTraits()),
        files=files,
        context=Context(save=OutputWriter(data / "output", data / "temp").save),
        limits={"cpu": 2},
    )


if __name__ == "__main__":
    worker.main(lambda: engine(Path(sys.argv[1])), lambda: None, Path(sys.argv[3]))
