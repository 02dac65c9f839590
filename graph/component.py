"""Components as values: bound to definitions anew for each round of a loop, with what the round is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final, cast

from graph.bind import Binder, Link, Node, as_link
from graph.files import Files
from graph.flatten import OUTSIDE, Inside
from graph.fragment import Body
from graph.keys import SIZE, identities, structural_key
from graph.matching import Matcher
from graph.node import NodeSpec, Port
from graph.order import ordered
from graph.problems import InvalidGraph, Problems
from graph.values import encode

_UNKNOWN: Final = NodeSpec("", "outside", "", "", "1", False, "cpu", (), (), "")


@dataclass(frozen=True, eq=False)
class Template:
    """The inner nodes of a component, flat. `nodes` are bound with all inputs open, to be keyed and to know types."""

    inside: Inside
    binder: Binder
    nodes: Mapping[str, Node]
    types: Mapping[str, str]

    @property
    def sinks(self) -> list[str]:
        return [id for id, node in self.nodes.items() if node.spec.sink]

    @property
    def volatile(self) -> str:
        return next((node.volatile for node in self.nodes.values() if node.volatile), "")

    def digest(self, files: Files) -> bytes:
        """Equal for components that compute the same, whatever their nodes are called."""
        keys = {OUTSIDE: bytes(SIZE)}
        for (id, node), identity in zip(self.nodes.items(), identities(self.nodes.values(), files)):
            keys[id] = structural_key(node, identity, [keys[link.node] for link in node.links.values()])
        ends = [(name, keys[node], output) for name, (node, output) in sorted(self.inside.outputs.items())]
        sinks = sorted(keys[id] for id in self.sinks)
        return blake2b(encode([ends, sinks]) or b"", digest_size=SIZE).digest()

    def round(self, given: Mapping[str, object], outside: Mapping[str, Node]) -> Mapping[str, Node]:
        """The inner nodes with inputs given: constants, or links to nodes `outside`. InvalidGraph if one is unfit."""
        problems = Problems()
        nodes = _bound(self.inside, self.binder, given, outside, problems)
        if problems:
            raise InvalidGraph(problems)
        return nodes


def bind_with_bodies(
    binder: Binder, id: str, entry: Mapping[str, Any], bodies: Mapping[str, Inside], problems: Problems
) -> Node | None:
    """Bind a node whose inputs of these names are components."""
    spec = binder.registry[entry["type"]]
    inputs = dict(entry["inputs"])
    for name, inside in bodies.items():
        before = len(problems)
        outside = {OUTSIDE: Node(_open(inside.inputs), {}, {}, (), b"", b"")}
        nodes = _bound(inside, binder, {}, outside, problems)
        if len(problems) > before:
            return None
        matcher = Matcher({**outside, **nodes}, nodes, problems)
        types = {output: matcher.type_of(Link(*end)) or "Any" for output, end in inside.outputs.items()}
        template = Template(inside, binder, nodes, types)
        inputs[name] = Body(inside.name, tuple(inside.inputs), template, {})
        spec = _specialised(spec, template, inside.extra)
    return binder.bind(id, {**entry, "inputs": inputs}, problems, spec)


def _bound(
    inside: Inside, binder: Binder, given: Mapping[str, object], outside: Mapping[str, Node], problems: Problems
) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for id, entry in inside.flat.entries.items():
        if given:
            entry = {**entry, "inputs": {name: _given(value, given) for name, value in entry["inputs"].items()}}
        if id in inside.flat.bodies:
            node = bind_with_bodies(binder, id, entry, inside.flat.bodies[id], problems)
        else:
            node = binder.bind(id, entry, problems)
        if node is not None:
            nodes[id] = node
    matcher = Matcher({**outside, **nodes}, {**outside, **inside.flat.entries}, problems)
    return dict(matcher.match_all(ordered(nodes, problems)).matched)


def _given(value: Any, given: Mapping[str, object]) -> Any:
    if type(value) is list:
        return [_given(item, given) for item in cast("list[Any]", value)]
    link = as_link(value)
    return value if link is None or link.node != OUTSIDE else given.get(link.output, cast("object", value))


def _open(inputs: Sequence[str]) -> NodeSpec:
    return replace(_UNKNOWN, outputs=tuple(Port(name, "Any") for name in inputs))


def _specialised(spec: NodeSpec, template: Template, extra: Mapping[str, tuple[str, str]]) -> NodeSpec:
    """The definition of a loop with this body: the inputs that rounds take from it, and types of outputs by name."""
    ports: list[Port] = []
    for name, (node, link) in extra.items():
        inner = template.nodes[node].spec.port(link) if node in template.nodes else Port(name, "Any")
        ports.append(replace(inner, name=name, lazy=True, extra=True, variable=""))
    outputs = tuple(
        replace(port, type=port.type.replace("Any", template.types.get(port.name, "Any"))) for port in spec.outputs
    )
    return replace(
        spec,
        inputs=(*spec.inputs, *ports),
        outputs=(*outputs, Port("files", "list[OutputFile]")) if template.sinks else outputs,
        sink=spec.sink or bool(template.sinks),
        collects=bool(template.sinks),
        volatile=spec.volatile or template.volatile,
    )
