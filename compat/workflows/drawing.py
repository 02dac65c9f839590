"""The format in which ComfyUI saves what a person draws (0.4 and 1), with subgraphs spread out and remembered as parts.

A link names a node and the number of its output. Inside a subgraph, node -10 stands for its inputs and -20 for its
outputs; an instance is a node whose type is the id of the definition. Widgets keep their values in a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from compat.workflows.foreign import (
    ENDS,
    NOTES,
    REROUTE,
    Foreign,
    Frames,
    Node,
    Part,
    Source,
    is_list,
    is_object,
    is_whole,
    objects,
    refuse,
    refuse_more_than,
    text,
    title_of,
)
from compat.workflows.kinds import control_of, is_seed, named
from compat.workflows.rewrites import MOST_HOPS, widgets_of
from compat.workflows.scenery import frames_of, place_of

INPUTS, OUTPUTS = "-10", "-20"
PRIMITIVE: Final = "PrimitiveNode"
MODES: Final[Mapping[object, str]] = {2: "mute", 4: "bypass"}
DEEPEST: Final = 16
Raw = dict[str, Any]


def is_drawing(document: Mapping[str, object]) -> bool:
    return is_list(document.get("nodes"))


def read_drawing(document: Mapping[str, Any]) -> Foreign:
    """The workflow of a document that `is_drawing`. InvalidGraph if it is too large."""
    reader = _Reader(_definitions(document, {}, 0))
    frames = reader.read(_Level(document, "", None, {}))
    return Foreign(reader.nodes, frames, reader.parts)


def _definitions(document: Mapping[str, Any], found: dict[str, Raw], depth: int) -> dict[str, Raw]:
    """All subgraphs by id, those inside others too."""
    if depth > DEEPEST:
        refuse(f"subgraphs nested at most {DEEPEST} deep", "more")
    inner = document.get("definitions")
    for each in objects(inner.get("subgraphs")) if is_object(inner) else ():
        found[text(each.get("id"))] = each
        _definitions(each, found, depth + 1)
    return found


@dataclass
class _Level:
    """The nodes of the document or of an instance of a subgraph. `ends`: what feeds each output of the instance."""

    raw: Mapping[str, Any]
    prefix: str
    outer: _Level | None
    instance: Raw
    nodes: dict[str, Raw] = field(default_factory=dict[str, Raw])
    links: dict[object, tuple[str, int]] = field(default_factory=dict[object, "tuple[str, int]"])
    ends: dict[int, tuple[str, int]] = field(default_factory=dict[int, "tuple[str, int]"])
    inner: dict[str, _Level] = field(default_factory=dict[str, "_Level"])

    def __post_init__(self) -> None:
        for node in objects(self.raw.get("nodes")):
            id = _id(node.get("id"))
            if id is None or id in self.nodes:
                refuse("nodes with an id each", node.get("id"))
            self.nodes[id] = node
        for link, origin, slot, target, place in _links(self.raw.get("links")):
            self.links[link] = origin, slot
            if target == OUTPUTS:
                self.ends[place] = origin, slot


def _id(value: object) -> str | None:
    return str(value) if is_whole(value) else value if isinstance(value, str) else None


def _links(links: object) -> Iterator[tuple[int | str, str, int, str, int]]:
    """Id, node and output a link comes from, node and input it goes to."""
    fields = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    for link in links if is_list(links) else ():
        parts = [link.get(name) for name in fields] if is_object(link) else link[:5] if is_list(link) else []
        if len(parts) == 5 and isinstance(parts[0], int | str) and is_whole(parts[2]) and is_whole(parts[4]):
            origin, target = _id(parts[1]), _id(parts[3])
            if origin is not None and target is not None:
                yield parts[0], origin, parts[2], target, parts[4]


class _Reader:
    """Reads levels into one dict of nodes, those of an instance under ids "instance:node", as in the peer's export."""

    def __init__(self, definitions: Mapping[str, Raw]) -> None:
        self._definitions = definitions
        self.nodes: dict[str, Node] = {}
        self.parts: list[Part] = []
        self._levels = 0

    def read(self, root: _Level) -> Frames:
        """Take up all nodes; the frames of the outermost level."""
        self._open(root, 0)
        return self._read(root, "")

    def _open(self, level: _Level, depth: int) -> None:
        """Open the instances first, so that links can be followed into them."""
        self._levels += 1 + len(level.nodes)
        refuse_more_than(self._levels)
        for id, node in level.nodes.items():
            definition = self._definitions.get(text(node.get("type")))
            if definition is not None:
                if depth >= DEEPEST:
                    refuse(f"subgraphs nested at most {DEEPEST} deep", "more")
                level.inner[id] = _Level(definition, f"{level.prefix}{id}:", level, node)
                self._open(level.inner[id], depth + 1)

    def _read(self, level: _Level, mode: str) -> Frames:
        drawn: dict[str, Node] = {}
        for id, raw in level.nodes.items():
            own = mode or MODES.get(raw.get("mode"), "") if _hashable(raw.get("mode")) else mode
            kind = text(raw.get("type"))
            if id in level.inner:
                title = title_of(raw.get("title"), kind)
                drawn[id] = Node(kind, {}, title, own, place=place_of(raw, sized=False))
            elif kind != PRIMITIVE:
                drawn[id] = self._node(level, raw, kind, own)
        frames, homes = frames_of(objects(level.raw.get("groups")), drawn)
        for id, node in drawn.items():
            if id in homes and node.place is not None:
                node = replace(node, place={**node.place, "frame": homes[id]})
            if id in level.inner:
                self._read_part(level, id, node)
            else:
                self.nodes[level.prefix + id] = node
        return frames

    def _read_part(self, outer: _Level, id: str, instance: Node) -> None:
        """A bypassed instance is drawn, too, and never runs: what it passes on is led past it."""
        level = outer.inner[id]
        frames = self._read(level, "mute" if instance.mode == "bypass" else instance.mode)
        ends: dict[str, object] = {}
        for slot, port in enumerate(objects(level.raw.get("outputs"))):
            inner = level.ends.get(slot)
            ends[f"> {text(port.get('name'))}"] = None if inner is None else self._end(level, *inner)
        name = f"{level.prefix}{ENDS}"
        self.nodes[name] = Node(ENDS, {label: end for label, end in ends.items() if isinstance(end, Source)})
        called = text(level.raw.get("name"))
        inputs = [text(port.get("name")) for port in objects(level.raw.get("inputs"))]
        title = "" if instance.title == called else instance.title
        labels = _labels(level)
        part = Part(level.prefix, outer.prefix, called, title, inputs, labels, name, instance.place, frames)
        self.parts.append(part)

    def _node(self, level: _Level, raw: Raw, kind: str, mode: str) -> Node:
        place = place_of(raw, sized=kind in NOTES)
        title = title_of(raw.get("title"), kind)
        if kind in NOTES:
            values = raw.get("widgets_values")
            said = text(values[0]) if is_list(values) and values else ""
            return Node(kind, {"text": said}, title, "", (), {}, place)
        if kind == REROUTE:
            source = next(self._fed(level, raw), (None, None))[1]
            return Node(kind, {} if source is None else {"value": source}, "", "", (), {}, place)
        values, kept = _values(raw, kind)
        inputs: dict[str, object] = {**values}
        for name, source in self._fed(level, raw):
            if source is not None:
                inputs[name] = source
        outputs = tuple(text(slot.get("name")) for slot in objects(raw.get("outputs")))
        types: dict[str | int, str] = {
            text(slot.get("name")): text(slot.get("type")) for slot in objects(raw.get("inputs"))
        }
        types |= {at: text(slot.get("type")) for at, slot in enumerate(objects(raw.get("outputs")))}
        return Node(kind, inputs, title, mode, outputs, types, place, kept | _pack(raw))

    def _fed(self, level: _Level, raw: Raw) -> Iterator[tuple[str, object]]:
        """Names of the inputs that are linked, with the Source or the value in the end; None for nothing."""
        for slot in objects(raw.get("inputs")):
            link = slot.get("link")
            if _hashable(link) and link in level.links:
                yield text(slot.get("name")), self._end(level, *level.links[link])

    def _end(self, level: _Level, origin: str, slot: int) -> object:
        for _ in range(MOST_HOPS):
            if origin == INPUTS and level.outer is not None:
                name = _port_name(level.raw.get("inputs"), slot)
                given, outer = level.instance, level.outer
                link = next(
                    (each.get("link") for each in objects(given.get("inputs")) if each.get("name") == name), None
                )
                if not _hashable(link) or link not in outer.links:
                    return _promoted(given, name)
                (origin, slot), level = outer.links[link], outer
            elif origin in level.inner and MODES.get(_mode(level.nodes[origin])) == "bypass":
                passed = _passed(level, level.nodes[origin], slot)
                if passed is None:
                    return None
                origin, slot = passed
            elif origin in level.inner:
                level = level.inner[origin]
                if slot not in level.ends:
                    return None
                origin, slot = level.ends[slot]
            elif origin not in level.nodes:
                return None
            elif text(level.nodes[origin].get("type")) == PRIMITIVE:
                values = level.nodes[origin].get("widgets_values")
                return values[0] if is_list(values) and values else None
            else:
                return Source(level.prefix + origin, slot)
        return None


def _labels(level: _Level) -> dict[tuple[str, str], str]:
    """Which inputs of nodes in a subgraph are its inputs, by links or, in older files, as widgets shown on it."""
    found: dict[tuple[str, str], str] = {}
    properties = level.instance.get("properties")
    shown = properties.get("proxyWidgets") if is_object(properties) else None
    for each in shown if is_list(shown) else ():
        inner, name = each[:2] if is_list(each) and len(each) > 1 else (None, None)
        if isinstance(inner, str) and isinstance(name, str) and inner in level.nodes:
            found[level.prefix + inner, name] = name
    for id, raw in level.nodes.items():
        for slot in objects(raw.get("inputs")):
            link = slot.get("link")
            origin, place = level.links.get(link, ("", 0)) if _hashable(link) else ("", 0)
            if origin == INPUTS:
                name = "value" if raw.get("type") == REROUTE else text(slot.get("name"))
                found[level.prefix + id, name] = _port_name(level.raw.get("inputs"), place)
    return found


def _passed(level: _Level, instance: Raw, slot: int) -> tuple[str, int] | None:
    """What a bypassed instance passes on: the input of the same number or the first one, of the output's type."""
    inputs, outputs = objects(instance.get("inputs")), objects(instance.get("outputs"))
    kind = outputs[slot].get("type") if 0 <= slot < len(outputs) else None
    same = inputs[slot : slot + 1] if slot >= 0 else []
    for each in (*same, *inputs):
        link = each.get("link")
        if each.get("type") == kind and _hashable(link) and link in level.links:
            return level.links[link]
    return None


def _values(raw: Raw, kind: str) -> tuple[dict[str, object], dict[str, object]]:
    """Constants by name; and what has no name is kept as it is."""
    by_name, given = raw.get("widgets_values_named"), raw.get("widgets_values")
    if is_object(by_name) and by_name:
        return by_name, {}
    if is_object(given):
        return given, {}
    if not is_list(given) or not given:
        return {}, {}
    if widgets := widgets_of(kind):
        return named(given, widgets), {}
    names = [name for name in _widget_names(raw) for name in ((name, "") if is_seed(name) else (name,))]
    if len(names) != len(given) or not all(name or control_of(value) for name, value in zip(names, given)):
        names = _widget_names(raw)
    if len(names) == len(given):
        return {name: value for name, value in zip(names, given) if name}, {}
    return {}, {"widgets_values": given}


def _pack(raw: Raw) -> dict[str, object]:
    """The pack a node comes with there, where it says so; nothing for what comes with the peer itself."""
    told = raw.get("properties")
    name = (told.get("cnr_id") or told.get("aux_id")) if is_object(told) else None
    return {"pack": name} if isinstance(name, str) and name and name != "comfy-core" else {}


def _widget_names(raw: Raw) -> list[str]:
    return [text(slot.get("name")) for slot in objects(raw.get("inputs")) if is_object(slot.get("widget"))]


def _promoted(instance: Raw, name: str) -> object:
    """The value an instance has for an input that is not linked; None if it leaves it to the node inside."""
    by_name, given = instance.get("widgets_values_named"), instance.get("widgets_values")
    if is_object(by_name) and name in by_name:
        return by_name[name]
    names = _widget_names(instance)
    if is_list(given) and len(given) == len(names) and name in names:
        return given[names.index(name)]
    return None


def _port_name(ports: object, slot: int) -> str:
    found = objects(ports)
    return text(found[slot].get("name")) if 0 <= slot < len(found) else ""


def _mode(raw: Raw) -> int | None:
    mode = raw.get("mode")
    return mode if is_whole(mode) else None


def _hashable(value: object) -> bool:
    return value is None or isinstance(value, int | str)
