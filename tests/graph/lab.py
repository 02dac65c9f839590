"""Small nodes over whole numbers, and a bench to run them on that keeps the log of what ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from graph import ModelFile, OutputFile, node
from graph.cache import Cache, Memory
from graph.context import NO_CONTEXT, Context
from graph.events import Cached, Event, Failed, Finished, Queued, Skipped, Started
from graph.executor import Limits, Outcome, run
from graph.explain import Decision, Explanation, explain
from graph.files import Files, NoFiles
from graph.graph import Graph, build
from graph.node import NodeSpec, Resource, spec_of
from graph.registry import Registry
from graph.values import PlainTraits, Traits
from graph.workflow import load


class Halves(NamedTuple):
    half: int
    rest: int


@node("Number", category="lab")
def number(value: int = 0) -> int:
    return value


@node("Add", category="lab")
def add(a: int, b: int = 0) -> int:
    return a + b


@node("Parity", category="lab")
def parity(value: int) -> int:
    return value % 2


@node("Split", category="lab")
def split(value: int) -> Halves:
    return Halves(value // 2, value % 2)


@node("Fail", category="lab")
def fail(value: int = 0) -> int:
    raise ValueError(f"cannot take {value}")


@node("Maybe", category="lab")
def maybe(value: int | None = None) -> int:
    return -1 if value is None else value


@node("Echo", category="lab")
def echo(value: Any) -> Any:
    return value


@node("Load", category="lab", resource="io")
def load_file(file: Annotated[Path, ModelFile("checkpoints")]) -> str:
    return file.read_text("utf-8")


@node("Length", category="lab")
def length(text: str) -> int:
    return len(text)


@node("Show", category="lab", sink=True)
def show(value: int) -> int:
    return value


@node("Save", category="lab", sink=True)
def save(value: int, ctx: Context = NO_CONTEXT) -> list[OutputFile]:
    data = str(value).encode()
    return [ctx.save(data, prefix="lab", media_type="text/plain", width=1, height=2, temporary=False)]


LAB = tuple(spec_of(fn) for fn in (number, add, parity, split, fail, maybe, echo, load_file, length, show, save))


def spec(id: str, fn: Callable[..., Any], *, sink: bool = False, resource: Resource = "cpu") -> NodeSpec:
    """The definition of a function written in a test; its annotations must be builtins."""
    return spec_of(node(id, category="lab", sink=sink, resource=resource)(fn))


def entry(type: str, **inputs: Any) -> dict[str, Any]:
    """A document's node; an input ("id", "output") is a link."""
    linked = {
        name: {"node": value[0], "output": value[1]} if isinstance(value, tuple) else value
        for name, value in inputs.items()
    }
    return {"type": type, "inputs": linked}


def document(**nodes: Any) -> dict[str, Any]:
    return {"version": 1, "nodes": nodes}


class Folder:
    """Files of one folder on disk, fingerprinted by what they hold."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, folder: str) -> Sequence[str]:
        return sorted(path.name for path in self.root.iterdir())

    def check_name(self, name: str) -> None:
        if ".." in name:
            raise ValueError("no dots")

    def path(self, folder: str, name: str) -> Path:
        if name not in self.names(folder):
            raise ValueError(f"a file in {folder!r}")
        return self.root / name

    def fingerprint(self, folder: str, name: str) -> str:
        return self.path(folder, name).read_text("utf-8")


class Lab:
    def __init__(
        self,
        *specs: NodeSpec,
        budget: int = 1 << 30,
        traits: Traits | None = None,
        files: Files | None = None,
        limits: Limits | None = None,
        context: Context = NO_CONTEXT,
    ) -> None:
        self.registry = Registry([*LAB, *specs])
        self.memory = Memory(budget)
        self.cache = Cache([self.memory], traits or PlainTraits())
        self.files = files or NoFiles()
        self.limits, self.context = limits, context
        self.events: list[Event] = []

    def graph(self, nodes: Mapping[str, Any], targets: Sequence[str] | None = None) -> Graph:
        return build(load(nodes), self.registry, self.files, targets)

    def run(
        self,
        nodes: Mapping[str, Any],
        targets: Sequence[str] | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        self.events = []
        return run(
            self.graph(nodes, targets),
            targets,
            self.cache,
            self.events.append,
            files=self.files,
            context=self.context,
            cancelled=cancelled,
            limits=self.limits,
        )

    def ran(self, nodes: Mapping[str, Any], targets: Sequence[str] | None = None) -> list[str]:
        """Run, and say which nodes ran, in the order in which they began."""
        self.run(nodes, targets)
        return [event.node for event in self.events if isinstance(event, Started)]

    def reasons(self, kind: type[Queued | Cached | Started | Skipped]) -> dict[str, str]:
        return {event.node: event.reason for event in self.events if isinstance(event, kind)}

    def of(self, kind: type[Finished | Failed | Cached]) -> list[str]:
        return [event.node for event in self.events if isinstance(event, kind)]

    def explain(self, nodes: Mapping[str, Any]) -> Mapping[str, Decision]:
        return self.explanation(nodes).nodes

    def explanation(self, nodes: Mapping[str, Any]) -> Explanation:
        return explain(self.graph(nodes), None, self.cache, self.files, self.limits)
