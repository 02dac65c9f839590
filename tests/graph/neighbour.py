"""A process of its own that runs a workflow on a cache on disk: `python -m tests.graph.neighbour FOLDER NAME WORKFLOW`.

It says, as a line of JSON each, what its nodes told and what came out. A node that is held up waits for the file
`leave` in the folder; whoever computes writes its name into the file `log` there.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from graph.cache import Cache, Memory
from graph.events import Event
from graph.executor import run
from graph.files import NoFiles
from graph.graph import build
from graph.ledger import Account
from graph.node import NodeSpec, collect
from graph.registry import Registry
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from graph.values import PlainTraits
from graph.workflow import load
from nodes import control
from tests.graph.lab import LAB, spec

LIMIT_S = 20.0


def specs(folder: Path, name: str) -> list[NodeSpec]:
    def wait() -> None:
        with (folder / "log").open("a") as log:
            log.write(f"{name}\n")
        limit = time.monotonic() + LIMIT_S
        while not (folder / "leave").exists():
            assert time.monotonic() < limit, "nobody let go"
            time.sleep(0.005)

    def hold(value: int = 0) -> int:
        wait()
        return value + 1

    def count(value: int = 0, by: int = 1) -> int:
        with (folder / "log").open("a") as log:
            log.write(f"{value}+{by}\n")
        time.sleep(0.001 * (value % 3))
        return value + by

    def hold_alive(value: int = 0) -> object:
        wait()
        return lambda: value

    def fail_first(value: int = 0) -> int:
        wait()
        if name == "first":
            raise ValueError("no luck")
        return value + 1

    def call(made: object, more: int = 0) -> int:
        assert callable(made)
        return made() + more

    return [
        spec("Hold", hold),
        spec("Count", count),
        spec("HoldAlive", hold_alive),
        spec("FailFirst", fail_first),
        spec("Call", call),
    ]


def opened(folder: Path, edition: str = "e") -> Cache:
    disk = Disk(folder / "cache", Account(1 << 20), PlainStorage(), edition)
    return Cache([Memory(1 << 20)], PlainTraits(), disk=disk)


def main(folder: Path, name: str, workflow: str, edition: str) -> None:
    registry = Registry([*LAB, *collect(control), *specs(folder, name)])
    cache = opened(folder, edition)

    def tell(event: Event) -> None:
        print(json.dumps(event.to_json()), flush=True)

    graph = build(load(json.loads(workflow)), registry, NoFiles())
    outcome = run(graph, None, cache, tell, files=NoFiles())
    print(json.dumps({"type": "outcome", "state": outcome.state, "outputs": outcome.outputs}), flush=True)
    cache.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
