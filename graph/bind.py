"""One node of a document bound to its definition: inputs checked, defaults filled in, ready to be keyed and run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, cast

from graph.files import Files
from graph.fragment import Body
from graph.node import NodeSpec, Port, Required
from graph.problems import Code, Problem, Problems, nearest, shown
from graph.values import encode, encode_text
from graph.widgets import Seed
from graph.workflow import Limits


class Link(NamedTuple):
    node: str
    output: str


@dataclass(frozen=True)
class Node:
    """A node's inputs by name: links, and constants with defaults filled in. `external` are the ports whose constant
    names a file. `head` and `sources` are what the entry alone gives to its keys: definition and constants, and which
    outputs it reads. `lazy` are the links it reads only if it asks; `gathers` the links whose values make the list of
    an input; `of` is the node it is for each item of a list. A node does not know its id."""

    spec: NodeSpec
    links: Mapping[str, Link]
    constants: Mapping[str, object]
    external: tuple[Port, ...]
    head: bytes
    sources: bytes
    lazy: frozenset[str] = frozenset()
    gathers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    of: Node | None = None

    @cached_property
    def reads(self) -> Mapping[str, Sequence[int]]:
        """Where among `links` those of each input are."""
        found: dict[str, list[int]] = {}
        for place, key in enumerate(self.links):
            found.setdefault(key.partition(".")[0], []).append(place)
        return found

    @property
    def volatile(self) -> str:
        """What beside its inputs it reads, if anything."""
        return self.spec.volatile


class _Input(NamedTuple):
    port: Port
    name: str
    default: object
    external_default: bool
    required: bool
    key: bytes
    default_key: bytes


_Prepared = tuple[bytes, tuple[_Input, ...]]


class Binder:
    """Binds entries; remembers, for each definition, what does not depend on the entry."""

    def __init__(self, registry: Mapping[str, NodeSpec], files: Files, limits: Limits) -> None:
        self.registry, self._files, self._limits = registry, files, limits
        self._inputs: dict[str, _Prepared] = {}

    def bind(self, id: str, entry: object, problems: Problems, spec: NodeSpec | None = None) -> Node | None:
        """The node, as far as it could be bound, with its problems added to `problems`; None when its type is
        unknown. `spec` takes the place of the definition of that type."""
        if type(entry) is not dict:
            problems.append(_bad_entry(id, "an object with type and inputs", entry))
            return None
        entry = cast("dict[str, Any]", entry)
        kind, given = entry.get("type"), entry.get("inputs", {})
        if type(kind) is not str:
            problems.append(_bad_entry(id, "a text in its field type", kind))
            return None
        special, spec = spec is not None, spec or self.registry.get(kind)
        if spec is None:
            message = f"node {id}: there is no node type {shown(kind)}"
            problems.append(Problem("unknown_node", id, None, message, None, shown(kind), nearest(kind, self.registry)))
            return None
        if type(given) is not dict:
            problems.append(_bad_entry(id, "an object in its field inputs", given))
            given = {}
        version = entry.get("version")
        if type(version) is str and version != spec.version and version in spec.migrate:
            migration = spec.migrate[version]
            if migration is None:
                return _taken_on_trust(spec, cast("dict[str, object]", given))
            given = dict(migration(cast("dict[str, Any]", given)))
        prepared = _prepare(spec) if special else self._prepared(spec)
        return self._bind(id, spec, prepared, cast("dict[str, object]", given), problems)

    def _prepared(self, spec: NodeSpec) -> _Prepared:
        if spec.id not in self._inputs:
            self._inputs[spec.id] = _prepare(spec)
        return self._inputs[spec.id]

    def _bind(
        self, id: str, spec: NodeSpec, prepared: _Prepared, given: Mapping[str, object], problems: Problems
    ) -> Node:
        head, inputs = prepared
        links: dict[str, Link] = {}
        constants: dict[str, object] = {}
        external: list[Port] = []
        keys = [head]
        sources: list[bytes] = []
        lazy: list[str] = []
        gathers: list[tuple[str, tuple[str, ...]]] = []
        read = 0
        for port, name, default, external_default, required, key, default_key in inputs:
            keys.append(key)
            if name in given:
                read += 1
                value = given[name]
            elif external_default:
                value = default
            else:
                if required:
                    problems.append(_missing(id, spec, port))
                constants[name] = default
                keys.append(default_key)
                continue
            if (link := as_link(value)) is not None:
                links[name] = link
                keys.append(b"l")
                sources.append(encode_text(link.output))
                if port.lazy:
                    lazy.append(name)
                if port.is_list and not port.whole:
                    gathers.append((name, (name,)))
                continue
            if port.is_list and not port.whole and (many := _links(name, value)):
                links.update(many)
                gathers.append((name, tuple(many)))
                keys.append(b"l%d" % len(many))
                sources += [encode_text(link.output) for link in many.values()]
                lazy += many if port.lazy else ()
                continue
            constant = self._constant(id, spec, port, value)
            if isinstance(constant, Problem):
                problems.append(constant)
                continue
            constants[name] = constant
            if port.widget is not None and port.widget.external and constant is not None:
                external.append(port)
                keys.append(b"x")
            elif (encoded := encode(constant)) is not None:
                keys += (b"c", encoded)
            else:
                problems.append(_refused("too_large", id, spec, port, "a smaller constant", constant))
        if read < len(given):
            problems.extend(_unknown_inputs(id, spec, given))
        if spec.at_most is not None and (excess := spec.at_most.excess(constants)) is not None:
            message = f"node {id} {spec.title}: {excess.message}"
            problems.append(Problem("too_large", id, excess.port, message, excess.expected, excess.got))
        head = b"".join(keys)
        return Node(spec, links, constants, tuple(external), head, b"".join(sources), frozenset(lazy), tuple(gathers))

    def _constant(self, id: str, spec: NodeSpec, port: Port, value: object) -> object:
        """The constant as the function and the key see it, or a Problem."""
        if value is None and port.optional:
            return None
        if type(value) is str and isinstance(port.widget, Seed):
            value = port.widget.number(value)
        fault = _type_fault(port.type, port, value)
        if fault is not None:
            return _refused("wrong_type", id, spec, port, fault, value)
        if port.type == "float":
            value = float(cast(float, value))
        elif type(value) is str and len(value) > self._limits.text:
            expected = f"a text of at most {self._limits.text} characters"
            return _refused("too_large", id, spec, port, expected, value)
        if port.widget is not None:
            try:
                port.widget.check(value, self._files)
            except ValueError as error:
                hint = nearest(value, port.widget.options_for(self._files)) if isinstance(value, str) else None
                return _refused("bad_value", id, spec, port, str(error), value, hint=hint)
        return value


def _taken_on_trust(spec: NodeSpec, given: Mapping[str, object]) -> Node:
    """A node of an older version, where only the worker can say what its inputs have become: links are kept."""
    links = {name: link for name, value in given.items() if (link := as_link(value)) is not None}
    inputs = tuple(Port(name, "Any") for name in links)
    return Node(replace(spec, inputs=inputs), links, {}, (), b"", b"")


def _prepare(spec: NodeSpec) -> _Prepared:
    """The start of every key of this definition, and its inputs in order of their names."""
    inputs: list[_Input] = []
    for port in sorted(spec.inputs, key=lambda port: port.name):
        default = None if isinstance(port.default, Required) else port.default
        encoded = encode(default)
        if encoded is None:
            raise TypeError(f"node {spec.id}: the default of {port.name!r} must be plain data, got {shown(default)}")
        external = port.widget is not None and port.widget.external and default is not None
        inputs.append(_Input(port, port.name, default, external, port.required, encode_text(port.name), b"c" + encoded))
    definition = (spec.id, spec.version, *(port.name for port in spec.outputs))
    return b"".join(map(encode_text, definition)), tuple(inputs)


def as_link(value: object) -> Link | None:
    """What an input of a document says, if it is a link."""
    if type(value) is not dict:
        return None
    members = cast("dict[str, object]", value)
    node, output = members.get("node"), members.get("output")
    return Link(node, output) if len(members) == 2 and type(node) is str and type(output) is str else None


def _links(name: str, value: object) -> dict[str, Link]:
    """Links of one input, by name and number; none unless all of `value` is links."""
    found = [as_link(item) for item in cast("list[object]", value)] if type(value) is list else []
    return {} if None in found else {f"{name}.{i}": link for i, link in enumerate(found) if link is not None}


def _type_fault(type_name: str, port: Port, value: object) -> str | None:
    """What was expected, when the JSON type of a constant does not suit the port."""
    kind = type(value)
    if port.is_list and kind is list and type_name == port.type:
        members = cast("list[object]", value)
        fault = next((fault for item in members if (fault := _type_fault(type_name[5:-1], port, item))), None)
        return f"a list, each item {fault}; or links" if fault else None
    match type_name:
        case "float":
            whole = kind is int and abs(cast(int, value)) < 2**1000
            return None if whole or (kind is float and math.isfinite(cast(float, value))) else "a number"
        case "int":
            return None if kind is int and -(2**63) <= cast(int, value) < 2**64 else "a whole number of 64 bits"
        case "str":
            return None if kind is str else "a text"
        case "bool":
            return None if kind is bool else "true or false"
        case "Body":
            return None if isinstance(value, Body) else 'a component of the document, as {"component": NAME}'
        case "Any":
            return "no link" if as_link(value) else None
        case _:
            return None if port.widget is not None else f"a link to an output of type {type_name}"


def _bad_entry(id: str, expected: str, got: object) -> Problem:
    message = f"node {id}: expected {expected}, got {shown(got)}"
    return Problem("bad_document", id, None, message, expected, shown(got))


def _missing(id: str, spec: NodeSpec, port: Port) -> Problem:
    expected = f"a link to an output of type {port.type}" if port.widget is None else f"a value of type {port.type}"
    message = f"node {id} {spec.title}: input {port.name} is missing; expected {expected}"
    return Problem("missing_input", id, port.name, message, expected, "nothing")


def _refused(
    code: Code, id: str, spec: NodeSpec, port: Port, expected: str, value: object, hint: str | None = None
) -> Problem:
    message = f"node {id} {spec.title}: input {port.name} expects {expected}, got {shown(value)}"
    return Problem(code, id, port.name, message, expected, shown(value), hint)


def _unknown_inputs(id: str, spec: NodeSpec, given: Mapping[str, object]) -> Iterator[Problem]:
    known = [port.name for port in spec.inputs]
    for name in given:
        if name not in known:
            message = f"node {id} {spec.title}: there is no input {shown(name)}"
            expected = f"one of {', '.join(known)}" if known else "no inputs"
            yield Problem("unknown_input", id, name[:200], message, expected, shown(name), nearest(name, known))
