"""A worker with the nodes of this folder, which need no torch: `worker DATA --recorder FILE`."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

from bench.chaos import nodes
from graph import tiers
from graph.cache import Cache, Memory
from graph.context import Context
from graph.graph import Builder
from graph.ledger import Account
from graph.node import collect
from graph.registry import Registry
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from graph.values import PlainTraits
from jobs import worker
from jobs.engine import Engine
from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.outputs import OutputWriter

DISK = 1 << 20
"""Bytes on disk: half of what the nodes make, so that results leave all the time."""


def engine(data: Path) -> Engine:
    # Written at once, so that kills meet the writer at work.
    patch.multiple(tiers.disk, PAUSE_S=0.01, PATIENCE_S=0.03, LONG_PATIENCE_S=0.03).start()
    files, registry = FileStore([], data, Hashes(data / "hashes.db")), Registry(collect(nodes))
    disk = Disk(data / "cache", Account(DISK), PlainStorage(), "chaos")
    return Engine(
        registry=registry,
        packs=[],
        builder=Builder(registry, files),
        cache=Cache([Memory(1 << 19)], PlainTraits(), disk=disk),
        files=files,
        context=Context(save=OutputWriter(data / "output", data / "temp").save),
        limits={"cpu": 2},
    )


if __name__ == "__main__":
    worker.main(lambda: engine(Path(sys.argv[1])), lambda: None, Path(sys.argv[3]))
