"""A worker with the nodes of `tests.jobs.nodes`: `python worker_entry.py DATA --recorder FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from graph.cache import Cache, Memory
from graph.context import Context, OutputFile
from graph.graph import Builder
from graph.ledger import Account
from graph.node import collect, spec_of
from graph.registry import Registry
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from graph.values import PlainTraits
from jobs import worker
from jobs.engine import Engine
from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.outputs import OutputWriter
from nodes import control
from tests.graph.lab import echo, parity, split
from tests.jobs import nodes


class Traits(PlainTraits):
    """Plain data, and output files, which stand as long as they are there."""

    def __init__(self, files: FileStore) -> None:
        self._files = files

    def valid(self, value: object) -> bool:
        outputs = [item for item in value if isinstance(item, OutputFile)] if isinstance(value, list) else []
        return all(file.name in self._files.names(file.folder) for file in outputs)


def engine(data: Path) -> Engine:
    files = FileStore([], data, Hashes(data / "hashes.db"))
    registry = Registry([*collect(nodes), *map(spec_of, (parity, split, echo)), *collect(control)])
    disk = Disk(data / "cache", Account(1 << 24), PlainStorage(), "tests")
    return Engine(
        registry=registry,
        packs=[],
        builder=Builder(registry, files),
        cache=Cache([Memory(1 << 24)], Traits(files), disk=disk),
        files=files,
        context=Context(save=OutputWriter(data / "output", data / "temp").save),
        limits={"cpu": 2},
    )


if __name__ == "__main__":
    worker.main(lambda: engine(Path(sys.argv[1])), lambda: None, Path(sys.argv[3]), margin=64 << 20)
