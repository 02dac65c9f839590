"""A studio of its own for a test: tiny models on disk, a data folder, an engine, and the log of what ran."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graph.cache import Cache, Memory
from graph.context import Context, OutputFile
from graph.events import Event, Failed, Finished, Started
from graph.executor import Outcome, run
from graph.graph import build
from graph.registry import Registry
from graph.workflow import load
from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.outputs import OutputWriter
from nodes import builtin
from nodes.values import NodeTraits

Document = dict[str, Any]


def link(node: str, output: str) -> dict[str, str]:
    return {"node": node, "output": output}


def changed(document: Document, **values: object) -> Document:
    """The document with inputs set: `n5_seed=3` sets seed of node "5"."""
    result = copy.deepcopy(document)
    for name, value in values.items():
        node, _, port = name.removeprefix("n").partition("_")
        result["nodes"][node]["inputs"][port] = value
    return result


@dataclass
class Studio:
    models: Path
    data: Path
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data.mkdir(exist_ok=True)
        self.registry = Registry(builtin())
        self.files = FileStore([self.models], self.data, Hashes(self.data / "hashes.db"))
        self.cache = Cache([Memory(1 << 30)], NodeTraits(self.files))
        self.context = Context(save=OutputWriter(self.data / "output", self.data / "temp").save)

    def run(
        self,
        document: Document,
        targets: Sequence[str] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        self.events.clear()
        return run(
            build(load(document), self.registry, self.files),
            targets,
            self.cache,
            self.events.append,
            files=self.files,
            context=replace(self.context, document=document),
            cancelled=cancelled,
        )

    def ran(self, document: Document) -> list[str]:
        """Run, and the types of the nodes that did, sorted, of components theirs; anything but success is an error."""
        outcome = self.run(document)
        failures = [event.error for event in self.events if isinstance(event, Failed)]
        assert outcome.state == "done", failures
        return sorted(
            document["nodes"][e.node.partition("/")[0]]["type"] for e in self.events if isinstance(e, Started)
        )

    def saved(self) -> list[OutputFile]:
        """The files the last run wrote."""
        return [file for event in self.events if isinstance(event, Finished) for file in event.outputs]

    def read(self, file: OutputFile) -> bytes:
        return self.files.read(file.folder, file.name)

    def value(self, document: Document, node: str) -> Mapping[str, Any]:
        """The outputs of one node."""
        outcome = self.run(document, [node])
        assert outcome.state == "done", outcome.error
        return outcome.outputs[node]
