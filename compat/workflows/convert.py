"""A workflow of ComfyUI as a document of Weft, and what could not be carried over.

A node without a counterpart stays, as a node of its own class with its values and links, which the page shows as one
that is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from compat.workflows.drawing import is_drawing, read_drawing
from compat.workflows.folding import Fold, fold
from compat.workflows.foreign import (
    ENDS,
    NOTES,
    REROUTE,
    Foreign,
    Node,
    Part,
    Source,
    is_list,
    is_number,
    is_object,
    refuse,
)
from compat.workflows.kinds import AFTER_RUN, Kind, Port, is_seed
from compat.workflows.notes import MOST, Note, about, missing
from compat.workflows.packs import kinds_of_packs, with_values
from compat.workflows.prompt import is_prompt, read_prompt
from compat.workflows.rewrites import free, lead, rewrite
from compat.workflows.table import CLASSES
from compat.workflows.values import rest_of_one
from graph.bind import as_link
from graph.flatten import COMPONENT
from graph.node import NodeSpec
from graph.widgets import Choice, Slider
from graph.workflow import VERSION, load

PASSED_OTHERWISE: Final = (
    "ConditioningCombine",
    "ImageBatch",
    "LatentBatch",
    "ModelMergeSimple",
    "CLIPMergeSimple",
    "FluxGuidance",
)
"""Classes that pass on something else there than here when they are bypassed."""
Registry = Mapping[str, NodeSpec]
_FILLED_IN: Final = re.compile("%[^%]+%")
_CHOICE: Final = re.compile(r"(?<!\\)\{[^{}|]*\|[^{}]*\}")


@dataclass(frozen=True)
class Converted:
    document: Mapping[str, Any]
    notes: tuple[Note, ...]

    def to_json(self) -> dict[str, object]:
        return {"workflow": self.document, "notes": [note.to_json() for note in self.notes[:MOST]]}


def is_foreign(document: object) -> bool:
    """Whether this is a workflow of ComfyUI, in either of its formats."""
    return is_object(document) and (is_drawing(document) or is_prompt(document))


def convert(document: object, registry: Registry) -> Converted:
    """The workflow as ours. `registry`: the nodes there are here. InvalidGraph if it is none of ComfyUI's, or too
    large."""
    if not is_object(document):
        refuse("an object", document)
    if is_drawing(document):
        foreign = read_drawing(document)
    elif is_prompt(document):
        foreign = read_prompt(document)
    else:
        refuse("nodes as a list, or nodes by id, each with a class_type", document)
    converting = _Converting(foreign, registry)
    whole, lies = fold(converting.document(), converting.folds())
    load(whole)
    return Converted(whole, tuple(replace(note, node=lies.get(note.node, note.node)) for note in converting.notes))


def convert_json(document: object, registry: Registry) -> dict[str, object]:
    """As `convert`, as JSON."""
    return convert(document, registry).to_json()


class _Converting:
    def __init__(self, foreign: Foreign, registry: Registry) -> None:
        self._registry = registry
        packs = kinds_of_packs(registry)
        self._kinds = {**packs, **CLASSES}
        self._frames, self._parts = foreign.frames, foreign.parts
        self._nodes = {
            id: with_values(node, packs[node.kind], registry[node.kind]) if node.kind in packs else node
            for id, node in _with_ids_of_ours(foreign.nodes).items()
        }
        self._lead_past()
        rewrite(self._nodes)
        self.notes: list[Note] = []
        self._beside: dict[str, str] = {}

    def document(self) -> dict[str, Any]:
        taken = dict(self._nodes)
        for id, node in self._nodes.items():
            if (kind := self._kinds.get(node.kind)) is not None and kind.beside is not None:
                self._beside[id] = other = free(taken, f"{id}.beside")
                taken[other] = node
        made: dict[str, Any] = {}
        places: dict[str, Any] = {}
        unknown: list[str] = []
        for id, node in self._nodes.items():
            kind = self._kinds.get(node.kind)
            if node.place is not None:
                places[id] = dict(node.place)
            if node.kind in NOTES:
                made[id] = {"type": "Note", "inputs": {"text": node.inputs.get("text", "")}, **_titled(node)}
            elif node.kind == REROUTE:
                made[id] = {"type": REROUTE, "inputs": self._linked(node.inputs)}
            elif node.kind == ENDS:
                continue
            elif kind is None:
                unknown.append(node.kind)
                made[id] = self._as_it_is(node)
            else:
                self._tell_other(id, node)
                made |= self._counterpart(id, node, kind)
        drawn = sum(node.kind not in (REROUTE, ENDS, *NOTES) for node in self._nodes.values())
        self.notes[:0] = missing(unknown, drawn)
        frames = {"frames": dict(self._frames)} if self._frames else {}
        return {"version": VERSION, "nodes": made, "view": {"nodes": places, **frames}}

    def folds(self) -> list[Fold]:
        """What was a subgraph, in words of the document."""
        instances = {part.prefix[:-1] for part in self._parts}
        return [self._fold(part, instances) for part in self._parts]

    def _fold(self, part: Part, instances: set[str]) -> Fold:
        labels: dict[tuple[str, str], str] = {}
        for (id, name), label in part.labels.items():
            port = (_of_ours(id), name) if id in instances else self._port(_of_ours(id), name)
            if port is not None and label:
                labels[port] = label
        ends: dict[str, dict[str, str]] = {}
        given = self._nodes.get(_of_ours(part.ends))
        for name, end in given.sources() if given is not None else ():
            if (link := self._link(end)) is not None:
                ends[name.removeprefix("> ")] = link
        prefix, outer = _of_ours(part.prefix), _of_ours(part.outer)
        return Fold(prefix, outer, part.name, part.title, part.inputs, labels, ends, part.place, part.frames)

    def _port(self, id: str, name: str) -> tuple[str, str] | None:
        """Which input of ours was one of the peer's; None for what is left out, and for an item of a list."""
        node = self._nodes.get(id)
        kind = self._kinds.get(node.kind) if node is not None else None
        if kind is None:
            return None if node is None else (id, name)
        names = (name, f"noise_{name}") if is_seed(name) else (name,)
        port = next((each for each in kind.ports if each.name in names and each.target and not each.many), None)
        return None if port is None else (self._beside[id] if port.beside else id, port.target)

    def _lead_past(self) -> None:
        """Lead links past bypassed nodes that do not pass on here what they do there; what is unknown is muted then."""
        passed: dict[Source, Source | None] = {}
        for id, node in list(self._nodes.items()):
            kind = self._kinds.get(node.kind)
            here = kind is not None and kind.beside is None and node.kind not in PASSED_OTHERWISE
            if node.mode == "bypass" and not here:
                passed |= {Source(id, slot): _passed_on(node, slot) for slot in range(len(node.outputs))}
                if kind is None or node.kind == "FluxGuidance":
                    self._nodes[id] = replace(node, mode="mute")
        lead(self._nodes, passed)

    def _as_it_is(self, node: Node) -> dict[str, Any]:
        """The node under its own name, or where a node of ours has that, marked as the peer's."""
        inputs = self._linked({name: value for name, value in node.inputs.items() if not name.endswith(" control")})
        is_ours = node.kind in self._registry or node.kind.startswith(COMPONENT)
        kind = f"comfy.{node.kind}" if is_ours else node.kind
        return {**node.extra, "type": kind, "inputs": inputs, **_titled(node), **_mode(node)}

    def _counterpart(self, id: str, node: Node, kind: Kind) -> dict[str, Any]:
        inputs: dict[str, Any] = {}
        beside: dict[str, Any] = {}
        for port in kind.ports:
            if port.target == "":
                self._tell_left(id, node, port)
            elif (value := self._value(id, node, port)) is not None:
                if port.many:
                    inputs[port.target] = [*inputs.get(port.target, []), value]
                else:
                    (beside if port.beside else inputs)[port.target] = value
        inputs |= kind.fixed
        entry = {"type": kind.type, "inputs": inputs, **_titled(node), **_mode(node), **_after_run(node, kind)}
        if kind.beside is None:
            return {id: self._checked(id, node, entry)}
        other = self._beside[id]
        if kind.beside.gives is not None:
            output, input = kind.beside.gives
            inputs[input] = {"node": other, "output": output}
        elif kind.beside.takes is not None:
            output, input = kind.beside.takes
            beside[input] = {"node": id, "output": output}
        second = {"type": kind.beside.type, "inputs": beside, **_mode(node)}
        return {id: self._checked(id, node, entry), other: self._checked(other, node, second)}

    def _value(self, id: str, node: Node, port: Port) -> Any:
        """A link or a constant of ours; None for nothing, which leaves what there is no default for to be chosen."""
        value = node.inputs.get(port.name)
        if isinstance(value, Source):
            if port.convert is rest_of_one:
                self.notes.append(about("turned", id, node.name, port.name))
            return self._link(value)
        if not port.is_widget:
            return None
        value = port.default if value is None else _fitting(value, port.default)
        if isinstance(value, str):
            value = self._plain(id, node, port, value)
        return _constant(value if port.convert is None else port.convert(value))

    def _plain(self, id: str, node: Node, port: Port, value: str) -> str:
        """The text without what the peer fills in at each run. Choices in prompts stay, as braces mean nothing here."""
        if port.name == "filename_prefix" and _FILLED_IN.search(value):
            self.notes.append(about("pattern", id, node.name, port.name, value))
            parts = _FILLED_IN.sub("", value.replace("\\", "/")).split("/")
            return "/".join(part for each in parts if (part := each.strip("_- "))) or "ComfyUI"
        if choice := _CHOICE.search(value):
            self.notes.append(about("choice", id, node.name, port.name, choice.group()))
        return value

    def _tell_other(self, id: str, node: Node) -> None:
        if node.kind == "KSampler" and node.mode != "bypass":
            self.notes.append(about("noise", id, node.name, "seed"))
        elif node.kind == "FluxGuidance" and "model" not in node.inputs:
            self.notes.append(about("unread", id, node.name, "guidance"))

    def _tell_left(self, id: str, node: Node, port: Port) -> None:
        value = node.inputs.get(port.name)
        if not port.told or value is None:
            return
        if isinstance(value, Source):
            self.notes.append(about("fed", id, node.name, port.name))
        elif _fitting(value, port.default) != port.default:
            self.notes.append(about("left", id, node.name, port.name, value))

    def _checked(self, id: str, node: Node, entry: dict[str, Any]) -> dict[str, Any]:
        """The same; words and numbers that a widget does not have are told."""
        spec = self._registry.get(entry["type"])
        for port in spec.inputs if spec is not None else ():
            value: Any = entry["inputs"].get(port.name)
            if isinstance(port.widget, Choice) and value is not None and not is_object(value):
                unfit = value not in port.widget.options
            elif isinstance(port.widget, Slider) and is_number(value):
                unfit = not port.widget.min <= value <= port.widget.max
            else:
                unfit = False
            if unfit:
                self.notes.append(about("value", id, node.name, port.name, value))
        return entry

    def _linked(self, inputs: Mapping[str, object]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in inputs.items():
            entry = self._link(value) if isinstance(value, Source) else _constant(value)
            if entry is not None or not isinstance(value, Source):
                found[name] = entry
        return found

    def _link(self, source: Source) -> dict[str, str] | None:
        """The link of ours; None where nothing comes from there."""
        node = self._nodes.get(source.node)
        if node is None or node.kind in NOTES or source.slot < 0:
            return None
        if node.kind == REROUTE:
            return {"node": source.node, "output": "value"}
        kind = self._kinds.get(node.kind)
        if kind is None:
            return {"node": source.node, "output": _output_name(node, source.slot)}
        if source.slot >= len(kind.outputs):
            return None
        after = kind.beside is not None and kind.beside.takes is not None
        return {"node": self._beside[source.node] if after else source.node, "output": kind.outputs[source.slot]}


def _with_ids_of_ours(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """With ids that mean nothing else here: a slash says what is inside an instance, a colon alone what is outside."""
    ids: dict[str, str] = {}
    taken: dict[str, Node] = {}
    for id, node in nodes.items():
        ids[id] = free(taken, "outside" if id == ":" else _of_ours(id))
        taken[ids[id]] = node

    def ours(value: object) -> object:
        return Source(ids[value.node], value.slot) if isinstance(value, Source) and value.node in ids else value

    return {
        id: replace(node, inputs={name: ours(value) for name, value in node.inputs.items()})
        for id, node in taken.items()
    }


def _of_ours(id: str) -> str:
    return id.replace("/", "|")


def _constant(value: object) -> object:
    """The same; as text, if it would be read as links here."""
    items = value if is_list(value) else [value]
    return json.dumps(value) if any(as_link(item) is not None for item in items) else value


def _mode(node: Node) -> dict[str, str]:
    return {"mode": node.mode} if node.mode else {}


def _titled(node: Node) -> dict[str, str]:
    return {"title": node.title} if node.title else {}


def _after_run(node: Node, kind: Kind) -> dict[str, Any]:
    modes = {
        port.target: AFTER_RUN[str(word)]
        for port in kind.widgets
        if (word := node.inputs.get(f"{port.name} control")) in AFTER_RUN
    }
    return {"after_run": modes} if modes else {}


def _passed_on(node: Node, slot: int) -> Source | None:
    """What a bypassed node passes on for an output: the input of the same number, else the first, of the same type."""
    kind = node.types.get(slot)
    names = [name for name in node.types if isinstance(name, str)]
    for name in (*names[slot : slot + 1], *names):
        value = node.inputs.get(name)
        if isinstance(value, Source) and (node.types[name] == kind or "*" in (node.types[name], kind)):
            return value
    return None


def _output_name(node: Node, slot: int) -> str:
    """The name in the file where it is the only one of that name, else its number."""
    name = node.outputs[slot] if slot < len(node.outputs) else ""
    return name if name and node.outputs.count(name) == 1 else f"{name or 'output'} {slot}"


def _fitting(value: Any, default: object) -> Any:
    """A number written as a text, or with a fraction of nothing, as the number that is meant."""
    if isinstance(default, bool) or not isinstance(default, int | float):
        return value
    if isinstance(value, str):
        try:
            value = int(value) if isinstance(default, int) and value.isdecimal() else float(value)
        except ValueError:
            return value
    whole = isinstance(default, int) and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value
