"""Which output fits which input: nominal types, type variables, and lists, which a node maps over or gathers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from graph.bind import Link, Node
from graph.fragment import Lazy, Origin
from graph.node import NodeSpec, Port
from graph.problems import Problem, Problems, nearest, shown
from graph.values import encode

Types = Mapping[str, str]


class Matched(NamedTuple):
    """Nodes as they were bound, as they were matched, in order, and output types that are not those of a definition."""

    nodes: Mapping[str, Node]
    matched: Mapping[str, Node]
    types: Mapping[str, Types]

    @staticmethod
    def nothing() -> Matched:
        return Matched({}, {}, {})


class Matcher:
    """Matches nodes one by one, each after those it reads from. What is as it was `before`, in a match without
    problems, as is all that it reads from, is taken from there."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        entries: Mapping[str, object],
        problems: Problems,
        before: Matched = Matched.nothing(),  # noqa: B008
    ) -> None:
        self._nodes, self._entries, self._problems, self._before = nodes, entries, problems, before
        self._same: set[str] = set()
        self._types: dict[str, Types] = {}

    def match_all(self, ordered: Mapping[str, Node]) -> Matched:
        """The nodes, mapping over lists where they are linked to some; problems are added."""
        matched = {id: self._same_as_before(id, node) or self._match(id, node) for id, node in ordered.items()}
        return Matched(self._nodes, matched, self._types)

    def _same_as_before(self, id: str, node: Node) -> Node | None:
        if self._before.nodes.get(id) is not node:
            return None
        for link in node.links.values():
            if link.node not in self._same:
                return None
        self._same.add(id)
        if id in self._before.types:
            self._types[id] = self._before.types[id]
        return self._before.matched[id]

    def _match(self, id: str, node: Node) -> Node:
        expected_types, mapped, bound = node.spec.input_types, list[str](), dict[str, str]()
        variables = node.spec.variables
        for name, link in node.links.items():
            expected = expected_types[name if name in expected_types else name.partition(".")[0]]
            got = self.type_of(link)
            if got == expected and not variables:
                continue
            if got is None:
                self._problems.extend(self._no_source(id, node, name, expected))
            elif not fits(got, expected):
                if fits(got, f"list[{expected}]"):
                    mapped.append(name)
                    got = got[5:-1]
                elif not fits(got, expected[5:-1]):
                    self._problems.append(self._misfit(id, node, name, expected, got))
            if variables and got is not None:
                self._bind(id, node, name, got, bound)
        if variables:
            self._types[id] = _resolved(node, bound)
        if mapped:
            self._types[id] = {name: f"list[{type}]" for name, type in self.types(id, node).items()}
            return mapping(node, mapped)
        return node

    def types(self, id: str, node: Node) -> Types:
        return self._types.get(id) or node.spec.output_types

    def type_of(self, link: Link) -> str | None:
        source = self._nodes.get(link.node)
        return None if source is None else self.types(link.node, source).get(link.output)

    def _bind(self, id: str, node: Node, name: str, got: str, bound: dict[str, str]) -> None:
        """Let the variable of an input stand for the type that came, or complain that it stands for another."""
        port = node.spec.port(name)
        if port.type.startswith("list[") and got.startswith("list["):
            got = got[5:-1]
        before = bound.get(port.variable)
        if port.variable and got != "Any" and (before is None or (before, got) == ("int", "float")):
            bound[port.variable] = got
        elif port.variable and before is not None and not fits(got, before):
            self._problems.append(self._misfit(id, node, name, before, got))

    def _no_source(self, id: str, node: Node, name: str, expected: str) -> Iterator[Problem]:
        source, output = node.links[name]
        where = f"node {id} {node.spec.title}: input {name} links to"
        if source not in self._entries:
            message = f"{where} node {shown(source)}, which does not exist"
            hint = nearest(source, self._entries)
            yield Problem("missing_link", id, name, message, expected, shown(source), hint)
        elif source in self._nodes:
            outputs = self._nodes[source].spec.output_types
            title = self._nodes[source].spec.title
            message = f"{where} output {shown(output)} of {source} {title}, which has no such output"
            known = f"one of {', '.join(outputs)}" if outputs else "a node with outputs"
            yield Problem("unknown_output", id, name, message, known, shown(output), nearest(output, outputs))

    def _misfit(self, id: str, node: Node, name: str, expected: str, got: str) -> Problem:
        source = node.links[name].node
        from_where = f"{source} {self._nodes[source].spec.title}"
        message = f"node {id} {node.spec.title}: input {name} expects {expected}, got {got} from {from_where}"
        others = self.types(source, self._nodes[source])
        fitting = next((other for other, type in others.items() if type == expected), None)
        hint = f"its output {fitting!r} is of type {expected}" if fitting else None
        return Problem("wrong_type", id, name, message, expected, got, hint)


def fits(got: str, expected: str) -> bool:
    """Whether a value of one type may arrive at an input of another. Any is whatever is known only when it runs."""
    if got == expected or got == "Any" or expected == "Any" or (got, expected) == ("int", "float"):
        return True
    both = got.startswith("list[") and expected.startswith("list[")
    return both and fits(got[5:-1], expected[5:-1])


def _resolved(node: Node, bound: dict[str, str]) -> Types:
    """Output types with type variables filled in, from constants where no link says."""
    for port in node.spec.inputs:
        kind = type(node.constants.get(port.name)).__name__
        if port.variable and kind in ("bool", "int", "float", "str"):
            bound.setdefault(port.variable, kind)
    return {
        port.name: port.type.replace("Any", bound.get(port.variable, "Any")) if port.variable else port.type
        for port in node.spec.outputs
    }


class Copy(Origin):
    """A node to be like another one, some of its links leading elsewhere."""

    def __init__(self, of: Node, links: Mapping[str, Lazy[Any]]) -> None:
        self.of, self.links = of, links

    def reads(self) -> Sequence[Lazy[Any]]:
        return tuple(self.links.values())


def mapping(node: Node, over: Sequence[str]) -> Node:
    """The node that is `node` for each item of the lists at the links `over`, and makes lists of what they make."""

    async def each(**links: Lazy[Any]) -> Any:
        counts = {name: len(await links[name]) for name in over}
        if len(set(counts.values())) > 1:
            raise ValueError(f"expected lists of one length at {', '.join(over)}, got {counts}")
        copies = [Copy(node, {**links, **{name: links[name][i] for name in over}}) for i in range(counts[over[0]])]
        made = tuple([Lazy[Any](copy, port.name) for copy in copies] for port in node.spec.outputs)
        return made if len(made) != 1 else made[0]

    spec = NodeSpec(
        id=node.spec.id,
        title=node.spec.title,
        category=node.spec.category,
        doc=node.spec.doc,
        version=node.spec.version,
        sink=node.spec.sink,
        resource="cpu",
        inputs=tuple(Port(name, "Any", lazy=True) for name in node.links),
        outputs=tuple(replace(port, type=f"list[{port.type}]") for port in node.spec.outputs),
        source=node.spec.source,
        fn=each,
        volatile=node.volatile,
    )
    head = b"each%b%b" % (encode(list(over)), node.head)
    return Node(spec, node.links, node.constants, node.external, head, node.sources, frozenset(node.links), of=node)
