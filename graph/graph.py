"""A validated, immutable graph: what is keyed and run. Built from a workflow, every problem named at once."""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from graph.bind import Binder, Node
from graph.component import bind_with_bodies
from graph.files import Files
from graph.flatten import Flat, flatten
from graph.matching import Matched, Matcher
from graph.node import NodeSpec
from graph.order import ordered
from graph.problems import InvalidGraph, Problem, Problems, nearest, shown
from graph.workflow import Limits, Workflow

NodeId = str


@dataclass(frozen=True)
class Graph:
    """Nodes by id, each after the nodes it reads from, branch by branch. `skipped` are nodes of the document that are
    left out, with the reason; `stands` the nodes that run when a node that is none itself is a target."""

    nodes: Mapping[NodeId, Node]
    skipped: Mapping[NodeId, str] = field(default_factory=dict[NodeId, str])
    stands: Mapping[NodeId, tuple[NodeId, ...]] = field(default_factory=dict[NodeId, "tuple[NodeId, ...]"])

    def meant(self, targets: Iterable[NodeId]) -> tuple[NodeId, ...]:
        """The nodes to run for these targets: components and reroutes are not nodes, what is muted does not run."""
        found = [id for target in targets for id in self.stands.get(target, (target,))]
        return tuple(dict.fromkeys(id for id in found if id not in self.skipped))

    @cached_property
    def sinks(self) -> tuple[NodeId, ...]:
        """The nodes that run for their effect, save those inside a branch: read by nothing but lazy inputs."""
        return tuple(_sinks(self.nodes))

    def upstream(self, targets: Iterable[NodeId]) -> list[NodeId]:
        """The targets and all they depend on, in order."""
        wanted = _upstream(self.nodes, targets)
        return [id for id in self.nodes if id in wanted]

    def label(self, id: NodeId) -> str:
        """The node as a person knows it."""
        return f"{id} {self.nodes[id].spec.title}"


def build(
    workflow: Workflow,
    registry: Mapping[str, NodeSpec],
    files: Files,
    targets: Sequence[NodeId] | None = None,
    limits: Limits = Limits(),  # noqa: B008
) -> Graph:
    """The graph of a workflow; InvalidGraph with every problem, those of `targets` (None: all sinks) included."""
    return Builder(registry, files, limits).build(workflow, targets)


class Builder:
    """Builds graphs, and remembers the last one: what is unchanged in the next document is not checked again, nothing
    at all if it is the same object, which nobody may have changed."""

    def __init__(self, registry: Mapping[str, NodeSpec], files: Files, limits: Limits = Limits()) -> None:  # noqa: B008
        self._registry, self._binder = registry, Binder(registry, files, limits)
        self._bound: dict[bytes, Node] = {}
        self._last, self._graph = Matched.nothing(), Graph({})
        self._seen: Mapping[str, object] | None = None
        """the document of the last graph, if that names no files, which come and go"""

    def build(self, workflow: Workflow, targets: Sequence[NodeId] | None = None) -> Graph:
        if workflow.document is self._seen and targets is None:
            return self._graph
        problems = Problems()
        flat = flatten(workflow.document, self._registry, problems)
        nodes = self._bind(flat, problems)
        problems.extend(_target_problems(workflow.nodes, flat, nodes, targets))
        targets = None if targets is None else _meant(flat, targets)
        if not problems and nodes == self._last.nodes and flat.skipped == self._graph.skipped:
            return self._graph
        matched = Matcher(nodes, flat.entries, problems, self._last).match_all(self._ordered(nodes, problems))
        graph = Graph(matched.matched, flat.skipped, flat.stands)
        if not problems:
            self._last, self._graph = matched, graph
            self._seen = workflow.document if targets is None and not any(n.external for n in nodes.values()) else None
            return graph
        wanted = _upstream(nodes, targets if targets is not None else _sinks(nodes))
        told = [problem for problem in problems if problem.code != "missing_input" or problem.node in wanted]
        if told:
            raise InvalidGraph(told)
        return replace(graph, nodes={id: node for id, node in graph.nodes.items() if id in wanted})

    def _ordered(self, nodes: Mapping[NodeId, Node], problems: Problems) -> Mapping[NodeId, Node]:
        """As of the last graph where no link is another one."""
        last = self._last.nodes
        if list(nodes) == list(last) and all(n is last[id] or n.links == last[id].links for id, n in nodes.items()):
            return {id: nodes[id] for id in self._last.matched}
        return ordered(nodes, problems)

    def _bind(self, flat: Flat, problems: Problems) -> dict[NodeId, Node]:
        nodes: dict[NodeId, Node] = {}
        known, self._bound = self._bound, {}
        for id, entry in flat.entries.items():
            if id in flat.bodies:
                if (node := bind_with_bodies(self._binder, id, entry, flat.bodies[id], problems)) is not None:
                    nodes[id] = node
                continue
            content = _content(entry)
            node = known.get(content)
            if node is None:
                before = len(problems)
                node = self._binder.bind(id, entry, problems)
                if node is None:
                    continue
                if len(problems) > before or node.external:
                    content = b""
            nodes[id] = node
            if content:
                self._bound[content] = node
        return nodes


def _content(entry: Any) -> bytes:
    """Equal for equal entries; empty for what is not plain JSON or nested too deep, and is never remembered."""
    try:
        return marshal.dumps(entry, 2)
    except ValueError:
        return b""


def _sinks(nodes: Mapping[NodeId, Node]) -> list[NodeId]:
    sinks = [id for id, node in nodes.items() if node.spec.sink]
    if sinks and any(node.lazy for node in nodes.values()):
        inside = _inside_branches(nodes)
        sinks = [id for id in sinks if id not in inside]
    return sinks


def _inside_branches(nodes: Mapping[NodeId, Node]) -> set[NodeId]:
    """What is read, but by lazy inputs only."""
    read = {link.node for node in nodes.values() for link in node.links.values()}
    eager = {link.node for node in nodes.values() for name, link in node.links.items() if name not in node.lazy}
    return read - eager


def _upstream(nodes: Mapping[NodeId, Node], targets: Iterable[NodeId]) -> set[NodeId]:
    wanted = {id for id in targets if id in nodes}
    stack = list(wanted)
    while stack:
        for link in nodes[stack.pop()].links.values():
            if link.node not in wanted and link.node in nodes:
                wanted.add(link.node)
                stack.append(link.node)
    return wanted


def _meant(flat: Flat, targets: Sequence[NodeId]) -> tuple[NodeId, ...]:
    return Graph({}, flat.skipped, flat.stands).meant(targets)


def _target_problems(
    entries: Mapping[NodeId, object], flat: Flat, nodes: Mapping[NodeId, Node], targets: Sequence[NodeId] | None
) -> Iterator[Problem]:
    if targets is None and not _sinks(nodes) and not flat.skipped:
        expected = "at least one node that runs for its effect, such as SaveImage"
        yield Problem("no_sink", None, None, f"nothing to run: expected {expected}", expected, "none")
    if targets is not None and not targets:
        yield Problem("no_sink", None, None, "nothing to run: the list of targets is empty", "node ids", "none")
    for id in targets or ():
        if id not in entries and id not in flat.entries and id not in flat.skipped and id not in flat.stands:
            message = f"target {shown(id)} is not a node of the workflow"
            yield Problem("unknown_target", None, None, message, None, shown(id), nearest(id, entries))
