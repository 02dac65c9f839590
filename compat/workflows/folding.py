"""Subgraphs are converted spread out; here they become components: the nodes of an instance move to a sheet of their
own, what crosses its border becomes ports, and instances that come to the same share one component.

Whatever nodes it is told to fold, the document computes what it did: labels and ends only say what ports are called.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from compat.workflows.foreign import REROUTE, is_list
from graph.bind import as_link
from graph.flatten import COMPONENT

USUAL: Final = "Subgraph"
LONGEST: Final = 80
Nodes = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Fold:
    """The nodes whose ids begin with `prefix`, an instance of what is called `name`, within the fold `outer` ("": the
    document). `inputs`: its inputs in order; `labels`: which of them an input of a node is; `ends`: links to what its
    outputs give."""

    prefix: str
    outer: str
    name: str
    title: str
    inputs: Sequence[str]
    labels: Mapping[tuple[str, str], str]
    ends: Mapping[str, Mapping[str, str]]
    place: Mapping[str, object] | None
    frames: Mapping[str, Mapping[str, object]]


def fold(document: Mapping[str, Any], folds: Sequence[Fold]) -> tuple[dict[str, Any], dict[str | None, str]]:
    """The document with components, and the ids that nodes within instances have when they run, by those they had.
    What is within a fold is folded first."""
    folding = _Folding(document["nodes"], document["view"]["nodes"], folds)
    for each in sorted(folds, key=lambda each: -each.prefix.count(":")):
        folding.fold(each)
    view = {**document["view"], "nodes": folding.places}
    whole = {**document, "nodes": folding.nodes, "view": view}
    if folding.components:
        whole["components"] = folding.components
    return whole, folding.lies()


@dataclass
class _Border:
    """Ports in the making. `given`: what the instance says, by name; `inputs`, `outputs`: what an input or output of an
    inner node is called; `taken`: names that are kept for others."""

    taken: set[str]
    given: dict[str, Any] = field(default_factory=dict[str, Any])
    inputs: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    outputs: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    reroutes: Nodes = field(default_factory=dict[str, dict[str, Any]])
    _sources: dict[str, str] = field(default_factory=dict[str, str])

    def show(self, wanted: str, port: tuple[str, str], value: Any) -> None:
        """An input of that name; of another one, where that stands for another value."""
        label = wanted
        while label in self.given and self.given[label] != value:
            label += "_"
        self.given[label] = value
        self._sources.setdefault(json.dumps(value, sort_keys=True), label)
        self.inputs[port] = label

    def cross(self, port: tuple[str, str], value: Any) -> None:
        """An input for what comes from outside, one for each source."""
        source = json.dumps(value, sort_keys=True)
        if source not in self._sources:
            self._sources[source] = label = _free(port[1], self.given.keys() | self.taken, "_")
            self.given[label] = value
        self.inputs[port] = self._sources[source]

    def give(self, wanted: str, port: tuple[str, str]) -> str:
        """The name of an output."""
        return self.outputs.setdefault(port, _free(wanted, set(self.outputs.values()), "_"))


class _Folding:
    def __init__(self, nodes: Nodes, places: Mapping[str, Any], folds: Sequence[Fold]) -> None:
        self.nodes, self.places = dict(nodes), dict(places)
        self.components: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self._led: dict[tuple[str, str], dict[str, str]] = {}
        self._within: dict[str, tuple[str, str]] = {}
        self._readers: dict[str, dict[str, None]] = defaultdict(dict)
        for id, entry in nodes.items():
            self._note_reader(id, entry["inputs"].values())
        self._members: dict[str, list[str]] = {each.prefix: [] for each in folds}
        for id in nodes:
            self._members.get(_home(id, self._members), []).append(id)

    def lies(self) -> dict[str | None, str]:
        found: dict[str | None, str] = {}
        for id in self._within:
            at, path = self._within[id]
            while at in self._within:
                at, inner = self._within[at]
                path = f"{inner}/{path}"
            found[id] = f"{at}/{path}"
        return found

    def fold(self, part: Fold) -> None:
        inside = {id: self.nodes.pop(id) for id in self._members[part.prefix]}
        if not inside:
            return
        instance = _free(part.prefix[:-1], self.nodes, "'")
        border = _Border({*part.inputs, *part.labels.values()})
        self._show(part, inside, border)
        self._take_inputs(inside, border)
        after_run = _take_seeds(inside, border)
        self._give_outputs(part, instance, inside, border)
        entry: dict[str, Any] = {"inputs": border.given} | ({"after_run": after_run} if after_run else {})
        if {node.get("mode") for node in inside.values()} == {"mute"}:
            inside = {id: _without(node, "mode") for id, node in inside.items()}
            entry["mode"] = "mute"
        if part.title:
            entry["title"] = part.title
        self.nodes[instance] = {"type": COMPONENT + self._component(part, instance, inside, border), **entry}
        self._note_reader(instance, border.given.values())
        if part.place is not None:
            self.places[instance] = dict(part.place)
        if part.outer in self._members:
            self._members[part.outer].append(instance)

    def _note_reader(self, id: str, values: Iterable[Any]) -> None:
        for link in _links(values):
            self._readers[link["node"]][id] = None

    def _show(self, part: Fold, inside: Nodes, border: _Border) -> None:
        """The inputs that the subgraph has; those that nothing is said of come last."""
        labels = [(port, label) for port, label in part.labels.items() if port[0] in inside]
        for (id, input), label in labels:
            value = inside[id]["inputs"].get(input)
            if input in inside[id]["inputs"] and not any(link["node"] in inside for link in _links([value])):
                border.show(label, (id, input), value)
        for (id, input), label in labels:
            if input not in inside[id]["inputs"] and label not in border.given:
                border.inputs[id, input] = label

    def _take_inputs(self, inside: Nodes, border: _Border) -> None:
        """Every other link from outside."""
        for id, entry in inside.items():
            held = dict(entry["inputs"])
            inside[id] = {**entry, "inputs": held}
            for input, value in entry["inputs"].items():
                items = value if is_list(value) else [value]
                outer = [link for link in _links(items) if link["node"] not in inside]
                if not outer or (id, input) in border.inputs:
                    continue
                if len(outer) == len(items):
                    border.cross((id, input), value)
                else:
                    wanted = _free(f"{id}.{input}", inside, "'")
                    held[input] = [_rerouted(item, wanted, border) if item in outer else item for item in items]

    def _give_outputs(self, part: Fold, instance: str, inside: Nodes, border: _Border) -> None:
        """The outputs that the subgraph has, and every other one that is read outside."""
        for label, link in part.ends.items():
            end = self._end(link)
            if end["node"] in inside:
                border.give(label, (end["node"], end["output"]))
        for id in inside:
            for reader in [each for each in self._readers.get(id, ()) if each in self.nodes]:
                inputs = self.nodes[reader]["inputs"]
                found = {name: _relinked(value, id, instance, border) for name, value in inputs.items()}
                self.nodes[reader] = {**self.nodes[reader], "inputs": found}
                self._readers[instance][reader] = None
        for port, label in border.outputs.items():
            self._led[port] = {"node": instance, "output": label}

    def _end(self, link: Mapping[str, str]) -> Mapping[str, str]:
        """Where a link leads now that some nodes are in instances."""
        while (led := self._led.get((link["node"], link["output"]))) is not None:
            link = led
        return link

    def _component(self, part: Fold, instance: str, inside: Nodes, border: _Border) -> str:
        """The name of the component of these nodes: one there is, if it comes to the same."""
        inner = {id: id[len(part.prefix) :] for id in (*inside, *border.reroutes)}
        self._within |= {id: (instance, name) for id, name in inner.items()}
        nodes: Nodes = {}
        bare: Nodes = {}
        for id, entry in (inside | border.reroutes).items():
            values = {name: _inner(value, inner) for name, value in entry["inputs"].items()}
            own = {name: value for name, value in values.items() if (id, name) not in border.inputs}
            constant = {name: value for name, value in values.items() if name in own or not any(_links([value]))}
            nodes[inner[id]], bare[inner[id]] = {**entry, "inputs": constant}, {**entry, "inputs": own}
        order = {name: number for number, name in enumerate(part.inputs)}
        inputs = sorted(border.inputs.items(), key=lambda port: order.get(port[1], len(order)))
        outputs = border.outputs.items()
        ports = {
            "inputs": [{"name": label, "node": inner[id], "input": input} for (id, input), label in inputs],
            "outputs": [{"name": label, "node": inner[id], "output": name} for (id, name), label in outputs],
        }
        places = {inner[id]: self.places.pop(id) for id in inside if id in self.places}
        same = json.dumps([part.name, bare, ports], sort_keys=True)
        if same not in self._names:
            self._names[same] = name = _free(part.name[:LONGEST] or USUAL, self.components, " ")
            frames = {"frames": dict(part.frames)} if part.frames else {}
            self.components[name] = {**ports, "nodes": nodes, "view": {"nodes": places, **frames}}
        return self._names[same]


def _take_seeds(inside: Nodes, border: _Border) -> dict[str, str]:
    """What changes after a run lies with the instance, so that every one has its own."""
    found: dict[str, str] = {}
    for id, entry in inside.items():
        for input, mode in entry.get("after_run", {}).items():
            said = input in entry["inputs"] and not any(_links([entry["inputs"][input]]))
            if said and (id, input) not in border.inputs:
                label = _free(input, border.given.keys() | border.taken, "_")
                border.show(label, (id, input), entry["inputs"][input])
            if (id, input) in border.inputs:
                found[border.inputs[id, input]] = mode
        inside[id] = _without(entry, "after_run")
    return found


def _rerouted(link: Any, wanted: str, border: _Border) -> dict[str, str]:
    """An item of a list that mixes links from both sides, led in by a node of its own."""
    reroute = _free(wanted, border.reroutes, "'")
    border.reroutes[reroute] = {"type": REROUTE, "inputs": {}}
    border.cross((reroute, "value"), link)
    return {"node": reroute, "output": "value"}


def _relinked(value: Any, id: str, instance: str, border: _Border) -> Any:
    if is_list(value):
        return [_relinked(item, id, instance, border) for item in value]
    link = as_link(value)
    if link is None or link.node != id:
        return value
    return {"node": instance, "output": border.give(link.output, (id, link.output))}


def _without(entry: Mapping[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != field}


def _home(id: str, prefixes: Mapping[str, object]) -> str:
    """The innermost of the prefixes that the id has."""
    end = len(id)
    for _ in range(32):
        end = id.rfind(":", 0, end)
        if end < 0:
            return ""
        if id[: end + 1] in prefixes:
            return id[: end + 1]
    return ""


def _links(values: Iterable[Any]) -> Iterator[dict[str, str]]:
    for value in values:
        for item in value if is_list(value) else (value,):
            if as_link(item) is not None:
                yield item


def _inner(value: Any, inner: Mapping[str, str]) -> Any:
    if is_list(value):
        return [_inner(item, inner) for item in value]
    link = as_link(value)
    return {"node": inner[link.node], "output": link.output} if link is not None and link.node in inner else value


def _free(wanted: str, taken: Container[str], between: str) -> str:
    """The name, or one like it that is not taken."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}{between}{number}"
    return name
