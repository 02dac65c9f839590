"""From the nodes a person sees to those that run: components inlined; reroutes, notes, muted and bypassed nodes gone.

A component is `{"inputs": [{"name", "node", "input"}], "outputs": [{"name", "node", "output"}], "nodes": {...}}`; a
node of type "component:NAME" is an instance, its inner nodes get ids "instance/inner". An input of a component may lead
to several inner inputs, one entry for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from graph.node import NodeSpec
from graph.problems import Problem, Problems, nearest, shown
from graph.widgets import Gives

COMPONENT: Final = "component:"
MOST_LEVELS: Final = 32
OUTSIDE: Final = ":"
"""The node that open inputs of a component are linked to."""
Entry = Mapping[str, Any]


@dataclass
class Flat:
    """`entries` are what is to be bound; `skipped` says of nodes left out why; `stands` are the nodes that run when a
    node that is none itself is a target."""

    entries: dict[str, Any] = field(default_factory=dict[str, Any])
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    stands: dict[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    bodies: dict[str, dict[str, Inside]] = field(default_factory=dict[str, "dict[str, Inside]"])


@dataclass(frozen=True)
class Inside:
    """A component that is the body of a node: its nodes, where `inputs`, which each round is given, are links to
    OUTSIDE. `extra` are those that it takes from the node it is the body of, with the inner input each leads to."""

    name: str
    prefix: str
    flat: Flat
    inputs: tuple[str, ...]
    outputs: Mapping[str, tuple[str, str]]
    extra: Mapping[str, tuple[str, str]]


def is_plain(nodes: Mapping[str, Any]) -> bool:
    """Whether every entry is a node as it is to run."""
    for entry in nodes.values():
        if type(entry) is dict:
            node = cast("dict[str, Any]", entry)
            kind = node.get("type")
            if "mode" in node or kind == "Reroute" or kind == "Note" or (type(kind) is str and kind[:10] == COMPONENT):
                return False
    return True


def flatten(document: Mapping[str, Any], registry: Mapping[str, NodeSpec], problems: Problems) -> Flat:
    """All nodes of a document, flat."""
    nodes: dict[str, Any] = document["nodes"]
    if "components" not in document and is_plain(nodes):
        return Flat(nodes)
    components = _object(document.get("components", {}))
    if components is None:
        problems.append(_bad(None, "components: expected an object of name -> component", document["components"]))
    flattening = _Flattening(components or {}, registry, problems, Flat())
    flattening.add(nodes)
    return flattening.finish()


class _Flattening:
    def __init__(
        self, components: Mapping[str, Any], registry: Mapping[str, NodeSpec], problems: Problems, flat: Flat
    ) -> None:
        self._components, self._registry, self._problems, self._flat = components, registry, problems, flat
        self._outlets: dict[tuple[str, str], Any] = {}
        self._muted: dict[str, str] = {}
        self._instances: set[str] = set()

    def add(self, nodes: Mapping[str, Any]) -> None:
        for id, value in nodes.items():
            if (entry := _object(value)) is None:
                self._flat.entries[id] = value
            else:
                self._add_entry(id, entry, None, ())

    def _add_entry(self, id: str, entry: Entry, mode: str | None, path: tuple[str, ...]) -> None:
        mode, kind = mode or entry.get("mode"), entry.get("type")
        inputs = _object(entry.get("inputs")) or {}
        if mode not in (None, "mute", "bypass", "active"):
            self._problems.append(_bad(id, 'mode: expected "mute", "bypass" or "active"', mode))
        if id in self._flat.entries:
            self._problems.append(_bad(id, "expected the ids of inner nodes to be free", id))
        elif kind == "Note":
            return
        elif kind == "Reroute":
            self._outlets[id, "value"] = inputs.get("value")
        elif type(kind) is str and kind.startswith(COMPONENT):
            self._add_instance(id, inputs, kind[len(COMPONENT) :], mode, path)
        elif mode == "mute":
            self._muted[id] = "muted"
        elif mode == "bypass" and type(kind) is str and kind in self._registry:
            self._bypass(id, self._registry[kind], inputs)
        else:
            self._flat.entries[id] = entry

    def _bypass(self, id: str, spec: NodeSpec, given: Mapping[str, Any]) -> None:
        for output in spec.outputs:
            fitting = [port.name for port in spec.inputs if port.type == output.type and port.name in given]
            namesake = [name for name in fitting if name == output.name]
            self._outlets[id, output.name] = next((given[name] for name in namesake + fitting), None)
        self._flat.skipped[id] = "bypassed"

    def _add_instance(
        self, id: str, given: Mapping[str, Any], name: str, mode: str | None, path: tuple[str, ...]
    ) -> None:
        definition = component(self._components, name)
        if definition is None or name in path or len(path) >= MOST_LEVELS:
            what = "inside itself" if name in path else "that is not defined as inputs, outputs and nodes"
            message = f"node {id}: there is a component {shown(name)} {what}"
            hint = None if name in path else nearest(name, self._components)
            self._problems.append(Problem("unknown_node", id, None, message, "a component", shown(name), hint))
            return
        self._instances.add(id)
        self._flat.stands[id] = ()
        known = {port["name"] for port in definition["inputs"]}
        for unknown in given.keys() - known:
            message = f"node {id} {name}: there is no input {shown(unknown)}"
            expected = f"one of {', '.join(sorted(known))}" if known else "no inputs"
            self._problems.append(Problem("unknown_input", id, unknown, message, expected, shown(unknown)))
        inside = {inner: _moved(f"{id}/", item) for inner, item in definition["nodes"].items()}
        for port in definition["inputs"]:
            if port["name"] in given and port["node"] in inside:
                inner = inside[port["node"]]
                inputs = {**inner.get("inputs", {}), port["input"]: given[port["name"]]}
                inside[port["node"]] = {**inner, "inputs": inputs}
        for port in definition["outputs"]:
            self._outlets[id, port["name"]] = {"node": f"{id}/{port['node']}", "output": port["output"]}
        for inner, item in inside.items():
            self._add_entry(f"{id}/{inner}", item, mode, (*path, name))

    def finish(self) -> Flat:
        """Lead links past what is gone, and leave out what needs a muted node."""
        flat = self._flat
        for id, value in list(flat.entries.items()):
            self._take_bodies(id, value)
            entry = _object(flat.entries[id])
            inputs = None if entry is None else _object(entry.get("inputs"))
            if entry is not None and inputs is not None:
                flat.entries[id] = {**entry, "inputs": self._led(id, inputs)}
        if self._muted:
            self._leave_out()
        for id, output in list(self._outlets):
            end = self._end({"node": id, "output": output})
            if _is_link(end):
                flat.stands[id] = (*flat.stands.get(id, ()), end["node"])
        for id in flat.entries:
            if "/" in id and self._is_sink(id):
                for outer in self._instances.intersection(_outers(id)):
                    flat.stands[outer] += (id,)
        return flat

    def _take_bodies(self, id: str, value: Any) -> None:
        entry = _object(value) or {}
        kind, inputs = entry.get("type"), _object(entry.get("inputs")) or {}
        spec = self._registry.get(kind) if isinstance(kind, str) else None
        for port in spec.inputs if spec is not None else ():
            widget, name = port.widget, (_object(inputs.get(port.name)) or {}).get("component")
            if spec is None or not isinstance(widget, Gives) or not isinstance(name, str):
                continue
            taken = {*inputs} - {port.name for port in spec.inputs}
            inside = self._inside(f"{id}/{name}", name, set(widget.inputs), taken)
            if inside is not None:
                self._flat.bodies.setdefault(id, {})[port.name] = inside

    def _inside(self, id: str, name: str, gives: set[str], taken: set[str]) -> Inside | None:
        definition = component(self._components, name) or {"inputs": ()}
        leads = {port["name"]: (f"{id}/{port['node']}", port["input"]) for port in definition["inputs"]}
        names = [input for input in leads if input in gives or input in taken]
        inner = _Flattening(self._components, self._registry, self._problems, Flat())
        given = {input: {"node": OUTSIDE, "output": input} for input in names}
        before = len(self._problems)
        inner._add_entry(id, {"type": COMPONENT + name, "inputs": given}, None, ())
        if len(self._problems) > before:
            return None
        outlets = {output: inner._end(end) for (instance, output), end in inner._outlets.items() if instance == id}
        outputs = {output: (end["node"], end["output"]) for output, end in outlets.items() if _is_link(end)}
        extra = {input: leads[input] for input in names if input not in gives}
        return Inside(name, f"{id}/", inner.finish(), tuple(names), outputs, extra)

    def _led(self, id: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        led: dict[str, Any] = {}
        for name, value in inputs.items():
            for source, output in _sources(value):
                if source in self._instances and (source, output) not in self._outlets:
                    message = f"node {id}: input {name} links to output {shown(output)} of {source}, which has no such"
                    known = ", ".join(name for instance, name in self._outlets if instance == source)
                    problem = Problem("unknown_output", id, name, message, f"one of {known}", shown(output))
                    self._problems.append(problem)
            if (items := _list(value)) is not None:
                led[name] = [end for item in items if (end := self._end(item)) is not None or item is None]
            elif (end := self._end(value)) is not None or value is None:
                led[name] = end
        return led

    def _end(self, value: Any) -> Any:
        """What a link leads to in the end; None for nothing."""
        for _ in range(len(self._outlets) + 1):
            if not _is_link(value):
                return value
            source = value["node"], value["output"]
            if source not in self._outlets:
                return value
            value = self._outlets[source]
        return None

    def _leave_out(self) -> None:
        entries, gone = self._flat.entries, self._muted
        readers: dict[str, list[tuple[str, str]]] = {}
        for id, value in entries.items():
            for name, given in (_object((_object(value) or {}).get("inputs")) or {}).items():
                for source, _ in _sources(given):
                    readers.setdefault(source, []).append((id, name))
        stack = list(gone)
        while stack:
            source = stack.pop()
            for id, name in readers.get(source, ()):
                if id in gone or id not in entries:
                    continue
                if self._is_optional(entries[id], name):
                    inputs = {key: value for key, value in entries[id]["inputs"].items() if key != name}
                    entries[id] = {**entries[id], "inputs": inputs}
                else:
                    gone[id] = gone[source] if gone[source] != "muted" else f"needs {source}, which is muted"
                    stack.append(id)
        for id, reason in gone.items():
            entries.pop(id, None)
            self._flat.skipped[id] = reason

    def _is_optional(self, entry: Entry, name: str) -> bool:
        spec = self._registry.get(entry["type"])
        return spec is not None and any(port.name == name and port.optional for port in spec.inputs)

    def _is_sink(self, id: str) -> bool:
        kind = (_object(self._flat.entries[id]) or {}).get("type")
        spec = self._registry.get(kind) if isinstance(kind, str) else None
        return spec is not None and spec.sink


def component(components: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The definition of a component, if there is a sound one."""
    found = _object(components.get(name)) or {}
    nodes = _object(found.get("nodes"))
    inputs, outputs = _list(found.get("inputs", [])), _list(found.get("outputs", []))
    if nodes is None or inputs is None or outputs is None:
        return None
    ports = [(port, ("name", "node", "input")) for port in inputs]
    ports += [(port, ("name", "node", "output")) for port in outputs]
    if any(type((_object(port) or {}).get(field)) is not str for port, fields in ports for field in fields):
        return None
    if any(_object((_object(entry) or {}).get("inputs", {})) is None for entry in nodes.values()):
        return None
    return {"inputs": inputs, "outputs": outputs, "nodes": nodes}


def _moved(prefix: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry whose links lead to ids after `prefix`."""

    def moved(value: Any) -> Any:
        if _is_link(value):
            return {"node": prefix + value["node"], "output": value["output"]}
        items = _list(value)
        return value if items is None else [moved(item) for item in items]

    inputs = _object(entry.get("inputs")) or {}
    return {**entry, "inputs": {name: moved(value) for name, value in inputs.items()}}


def _object(value: Any) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if type(value) is dict else None


def _list(value: Any) -> list[Any] | None:
    return cast("list[Any]", value) if type(value) is list else None


def _is_link(value: Any) -> bool:
    link = _object(value) or {}
    return len(link) == 2 and type(link.get("node")) is str and type(link.get("output")) is str


def _sources(value: Any) -> Iterator[tuple[str, str]]:
    """Where the links of an input come from."""
    for item in (value,) if (items := _list(value)) is None else items:
        if _is_link(item):
            yield item["node"], item["output"]


def _outers(id: str) -> Iterator[str]:
    """The instances an inner node is in."""
    while "/" in id:
        id = id.rpartition("/")[0]
        yield id


def _bad(id: str | None, expected: str, got: object) -> Problem:
    where = f"node {id}: " if id else ""
    return Problem("bad_document", id, None, f"{where}{expected}, got {shown(got)}", expected, shown(got))
