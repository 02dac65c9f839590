"""A worker with the nodes of `tests.jobs.nodes`: `python worker_entry.py DATA --recorder FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

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
from jobs.outputs import OutputTraits, OutputWriter
from tests.jobs import nodes


def engine(data: Path) -> Engine:
    files = FileStore([], data, Hashes(data / "hashes.db"))
    registry = Registry(collect(nodes))
    output, temp = data / "output", data / "temp"
    return Engine(
        registry=registry,
        packs=[],
        builder=Builder(registry, files),
        cache=Cache([Memory(1 << 24)], OutputTraits(PlainTraits(), output, temp)),
        files=files,
        context=Context(save=OutputWriter(output, temp).save),
        limits={"cpu": 2},
    )


if __name__ == "__main__":
    worker.main(lambda: engine(Path(sys.argv[1])), lambda: None, Path(sys.argv[3]))
