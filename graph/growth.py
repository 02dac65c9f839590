"""Nodes that grow of others while a graph runs: what a function awaits or returns becomes part of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast
from weakref import WeakKeyDictionary, ref

from graph.bind import Binder, Link, Node, as_link
from graph.cache import Cache, Outputs
from graph.component import Template
from graph.files import Files
from graph.fragment import Body, Call, Input, Item, Lazy, Origin, Round, Value
from graph.keys import identities, item_key
from graph.matching import Copy
from graph.node import NodeSpec, Port, spec_of
from graph.plan import Plan
from graph.problems import InvalidGraph, Problems
from graph.values import encode_text
from graph.workflow import Limits

MOST_NODES: Final = 100_000
MOST_LEVELS: Final = 64
Place = tuple[int, str]
_VALUE: Final = Node(
    NodeSpec("", "a value", "", "", "1", False, "cpu", (), (Port("value", "Any"),), ""), {}, {}, (), b"value", b""
)


@dataclass
class Grown:
    """What one node grew: places of the lazy values it made so far, and of each lazy input it handed on."""

    places: WeakKeyDictionary[Origin, Any] = field(default_factory=WeakKeyDictionary["Origin", Any])
    parts: dict[ref[Origin], range] = field(default_factory=dict["ref[Origin]", range])
    dead: list[ref[Origin]] = field(default_factory=list["ref[Origin]"])
    reads: dict[str, Place] = field(default_factory=dict[str, Place])
    sinks: list[int] = field(default_factory=list[int])
    rounds: int = 0
    count: int = 0
    values: int = 0


class Growth:
    """Adds to a plan, under the lock of its run. `made` are the values of what needs no run, by position."""

    def __init__(self, plan: Plan, cache: Cache, files: Files, values: Mapping[int, Outputs]) -> None:
        self.made: dict[int, Outputs] = {}
        self._plan, self._cache, self._files, self._values = plan, cache, files, values
        self._binders: dict[Callable[..., Any], tuple[str, Binder]] = {}
        self._grown: dict[int, Grown] = {}

    def place(self, owner: int, asks: Iterable[Lazy[Any]]) -> tuple[list[Place], Grown]:
        """Where the values of `asks` are made, after adding what is not in the plan yet."""
        if len(self._plan.rank(owner)) > MOST_LEVELS:
            raise RecursionError(f"expected at most {MOST_LEVELS} levels of nodes that expand into others")
        grown = self._grown.setdefault(owner, Grown())
        self.made = {}
        asks = tuple(asks)
        for origin in _in_order(asks, grown.places):
            if len(self._plan.ids) > MOST_NODES:
                raise RecursionError(f"expected a graph of at most {MOST_NODES} nodes, those it expands into included")
            first = len(self._plan.ids)
            grown.places[origin] = self._add(owner, grown, origin)
            grown.parts[ref(origin, grown.dead.append)] = range(first, len(self._plan.ids))
            if isinstance(origin, Call | Round):
                origin.inputs = {}
        return [_place(grown, lazy) for lazy in asks], grown

    def forgotten(self, owner: int) -> list[int]:
        """What grew of it that its function cannot ask for any more, since the last call."""
        grown, found = self._grown[owner], list[int]()
        while grown.dead:
            found += grown.parts.pop(grown.dead.pop())
        return found

    def sinks(self, owner: int) -> Sequence[int]:
        """What it grew that runs for its effect."""
        return self._grown[owner].sinks if owner in self._grown else ()

    def _add(self, owner: int, grown: Grown, origin: Origin) -> Any:
        match origin:
            case Input(position, link):
                output = self._plan.nodes[owner].links[link].output
                grown.reads[link] = position, output
                return position
            case Value(value):
                return self._add_value(owner, grown, value)
            case Item(of, index):
                return self._add_item(owner, grown, _place(grown, of), index)
            case Round(body, inputs):
                return self._add_round(owner, grown, body, inputs)
            case Copy(of=node, links=links):
                return self.add_node(owner, grown, "", node, {n: _place(grown, lazy) for n, lazy in links.items()})
            case Call(fn, inputs):
                return self._add_call(owner, grown, fn, inputs)
            case _:
                raise TypeError(f"expected a lazy value of the engine, got one from {type(origin).__name__}")

    def _add_value(self, owner: int, grown: Grown, value: object) -> int:
        made_as = item_key(self._plan.keys[owner], grown.values)
        return self._known(owner, grown, "", {"value": value}, made_as)

    def _add_item(self, owner: int, grown: Grown, of: Place, index: int) -> int:
        position, output = of
        record, outputs = self._plan.records[position], self._values.get(position) or self.made.get(position)
        if record is None or outputs is None:
            raise TypeError("an item of a lazy list can be taken after the list was awaited")
        return self._known(
            owner, grown, "", {"value": outputs[output][index]}, item_key(record.fingerprints[output], index)
        )

    def _known(self, owner: int, grown: Grown, name: str, outputs: Outputs, made_as: bytes) -> int:
        record = self._cache.describe(made_as, outputs, 0)
        grown.values += 1
        grown.count += 1
        id = f"{self._plan.ids[owner]}:{grown.values}"
        identity = _VALUE.head + b"".join(record.fingerprints.values())
        i = self._plan.add(id, owner, _VALUE, (), identity, grown.count)
        self._plan.records[i] = record
        self.made[i] = outputs
        return i

    def _add_call(self, owner: int, grown: Grown, fn: Callable[..., Any], inputs: Mapping[str, object]) -> int:
        if fn not in self._binders:
            spec = spec_of(fn)
            self._binders[fn] = spec.id, Binder({spec.id: spec}, self._files, Limits())
        type, binder = self._binders[fn]
        given = {name: self._entered(owner, grown, value) for name, value in inputs.items()}
        problems = Problems()
        node = binder.bind(type, {"type": type, "inputs": given}, problems)
        if problems or node is None:
            raise InvalidGraph(problems)
        return self.add_node(owner, grown, "", node, {n: (int(i), output) for n, (i, output) in node.links.items()})

    def _add_round(self, owner: int, grown: Grown, body: Body, inputs: Mapping[str, object]) -> Mapping[str, Place]:
        assert isinstance(body.template, Template)
        given = {name: self._entered(owner, grown, value) for name, value in inputs.items()}
        outside = {
            link.node: self._plan.nodes[int(link.node)]
            for value in given.values()
            if (link := as_link(value)) is not None
        }
        grown.rounds += 1
        positions: dict[str, int] = {id: int(id) for id in outside}
        for id, node in body.template.round(given, outside).items():
            places = {name: (positions[link.node], link.output) for name, link in node.links.items()}
            name = f"{grown.rounds}/{id.removeprefix(body.template.inside.prefix)}"
            positions[id] = self.add_node(owner, grown, name, node, places)
            if node.spec.sink:
                grown.sinks.append(positions[id])
        return {name: (positions[node], output) for name, (node, output) in body.template.inside.outputs.items()}

    def _entered(self, owner: int, grown: Grown, value: object) -> object:
        """An input of a call as a document would have it; what is no plain constant is linked to."""
        if isinstance(value, Lazy):
            position, output = _place(grown, cast("Lazy[Any]", value))
            return {"node": str(position), "output": output}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list) and any(isinstance(item, Lazy) for item in cast("list[object]", value)):
            return [self._linked(owner, grown, item) for item in cast("list[object]", value)]
        return self._linked(owner, grown, cast("object", value))

    def _linked(self, owner: int, grown: Grown, value: object) -> object:
        if isinstance(value, Lazy):
            return self._entered(owner, grown, cast("object", value))
        return {"node": str(self._add_value(owner, grown, value)), "output": "value"}

    def add_node(self, owner: int, grown: Grown, name: str, node: Node, places: Mapping[str, Place]) -> int:
        """Add a bound node whose links lead to `places`."""
        plan = self._plan
        if node.volatile and not plan.nodes[owner].volatile:
            raise TypeError(
                f"{plan.nodes[owner].spec.id} expands into {node.spec.id}, which is volatile: so must it be"
            )
        parents = [places[name] for name in node.links]
        links = {name: Link(plan.ids[i], output) for name, (i, output) in zip(node.links, parents)}
        sources = b"".join(encode_text(output) for _, output in parents)
        grown.count += 1
        id = f"{plan.ids[owner]}/{name or grown.count - grown.values}"
        (identity,) = identities([node], self._files)
        i = plan.add(id, owner, replace(node, links=links, sources=sources), parents, identity, grown.count)
        if i not in plan.transient:
            plan.records[i] = self._cache.find(plan.keys[i])
        if plan.records[i] is None and (arrived := plan.arrived(i)) is not None:
            plan.find_by_value(i, arrived, self._cache)
        return i


def _place(grown: Grown, lazy: Lazy[Any]) -> Place:
    found = grown.places[lazy.origin]
    if isinstance(lazy.origin, Input):
        return grown.reads[lazy.origin.link]
    if not isinstance(found, Mapping):
        return found, lazy.output
    outputs = cast("Mapping[str, Place]", found)
    if lazy.output not in outputs:
        raise TypeError(f"there is no output {lazy.output!r}; expected one of {', '.join(outputs)}")
    return outputs[lazy.output]


def _in_order(asks: Sequence[Lazy[Any]], known: Mapping[Origin, Any]) -> Iterator[Origin]:
    """Origins that have no place yet, each after those it is made of; long chains cost no stack."""
    done: set[Origin] = set()
    stack: list[tuple[Origin, bool]] = [(lazy.origin, False) for lazy in reversed(asks)]
    while stack:
        origin, is_ready = stack.pop()
        if origin in known or origin in done:
            continue
        if is_ready:
            done.add(origin)
            yield origin
        else:
            stack.append((origin, True))
            stack += [(lazy.origin, False) for lazy in reversed(list(origin.reads()))]
