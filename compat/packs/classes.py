"""Definitions of nodes from ComfyUI's node classes: INPUT_TYPES as ports with widgets, RETURN_TYPES as outputs."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from compat.packs.values import TYPES, is_open
from graph.files import Files
from graph.node import REQUIRED, NodeSpec, Port
from graph.widgets import Choice, InputFile, ModelFile, OutputName, Seed, Slider, Text, Toggle, Widget

FILES: Final = "files"
"""The last output of a sink: what it wrote."""
MOST: Final = 2**53


class Names(list[str]):
    """Names of the files of a models folder, and `others` before them; it stays one where a pack adds some."""

    def __init__(self, folder: str, names: Sequence[str], others: Sequence[str] = ()) -> None:
        super().__init__([*others, *names])
        self.folder, self.others = folder, tuple(others)

    def __radd__(self, before: Sequence[str]) -> Names:
        return Names(self.folder, self[len(self.others) :], [*before, *self.others])


@dataclass(frozen=True)
class ModelName(ModelFile):
    """As ModelFile, where the function receives the name."""

    def resolve(self, value: object, files: Files) -> object:
        return value


@dataclass(frozen=True)
class InputName(InputFile):
    """As InputFile, where the function receives the name."""

    def resolve(self, value: object, files: Files) -> object:
        return value


@dataclass(frozen=True)
class Input:
    """One entry of INPUT_TYPES. `kind`: the type of its link; `words`: what the choices of a menu stand for."""

    name: str
    kind: str
    port: Port
    words: Mapping[str, object]


@dataclass(frozen=True)
class Declared:
    """What a class says of itself. `hidden`: names of what it wants to know beside its inputs, by its parameter."""

    inputs: tuple[Input, ...]
    outputs: tuple[tuple[str, Port], ...]
    hidden: Mapping[str, str]
    takes_lists: bool
    gives_lists: tuple[bool, ...]


def declared(node: type[Any]) -> Declared:
    """Read a class. TypeError says what is not as it must be."""
    said = cast("Mapping[str, Any]", node.INPUT_TYPES())
    takes_lists = bool(getattr(node, "INPUT_IS_LIST", False))
    inputs = tuple(
        _input(name, entry, group == "optional", takes_lists)
        for group in ("required", "optional")
        for name, entry in cast("Mapping[str, Any]", said.get(group) or {}).items()
    )
    hidden = {name: str(_head(entry)) for name, entry in cast("Mapping[str, Any]", said.get("hidden") or {}).items()}
    kinds = [_kind_of(entry) for entry in getattr(node, "RETURN_TYPES", ())]
    spread = tuple(getattr(node, "OUTPUT_IS_LIST", ())) or (False,) * len(kinds)
    names = _names(getattr(node, "RETURN_NAMES", None) or kinds, kinds)
    outputs = tuple(
        (kind, Port(name, f"list[{type_of(kind)}]" if whole else type_of(kind)))
        for name, kind, whole in zip(names, kinds, spread)
    )
    return Declared(inputs, outputs, hidden, takes_lists, spread)


def spec_of(id: str, node: type[Any], title: str, pack: str, read: Declared, fn: Any) -> NodeSpec:
    """The definition, with the function that runs it."""
    is_sink = bool(getattr(node, "OUTPUT_NODE", False))
    outputs = [port for _, port in read.outputs]
    if is_sink:
        outputs.append(Port(FILES, "list[OutputFile]"))
    return NodeSpec(
        id=id,
        title=title,
        category=str(getattr(node, "CATEGORY", "") or pack.rpartition(".")[2]),
        doc=str(getattr(node, "DESCRIPTION", "") or ""),
        version="1",
        sink=is_sink,
        resource="gpu",
        inputs=tuple(each.port for each in read.inputs),
        outputs=tuple(outputs),
        source=pack,
        fn=fn,
        context="ctx",
        volatile="what IS_CHANGED of its class says" if hasattr(node, "IS_CHANGED") else "",
        tupled=True,
    )


def type_of(kind: str) -> str:
    """Our name of a type of theirs; one of several, or any, is Any."""
    return "Any" if is_open(kind) else TYPES.get(kind, kind)


def _head(entry: Any) -> Any:
    return entry[0] if isinstance(entry, tuple | list) and entry else entry


def _kind_of(entry: Any) -> str:
    """The type an entry names: a list is a menu, and a text that is said to differ from no other is any type."""
    if isinstance(entry, list | tuple):
        return "COMBO"
    differs = operator.ne(entry, "a type that there is not")
    return str(entry) if differs and entry not in ("*", "any", "ANY", "") else "*"


def _input(name: str, entry: Any, optional: bool, takes_lists: bool) -> Input:
    head = _head(entry)
    said = entry[1] if isinstance(entry, tuple | list) and len(cast(Any, entry)) > 1 else None
    options: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    kind = _kind_of(head)
    words: dict[str, object] = {}
    widget: Widget | None = None
    default: object = REQUIRED
    if not options.get("forceInput") and not options.get("rawLink"):
        choices = head if isinstance(head, list | tuple) else options.get("options")
        if kind == "COMBO":
            found = cast("Sequence[object]", choices or ())
            words = {str(word): word for word in found}
            widget, default = _menu(found, words, options)
        elif kind in _WIDGETS:
            widget, default = _WIDGETS[kind](name, options)
    ours = type_of(kind)
    if takes_lists and widget is None:
        ours = f"list[{ours}]"
    port = Port(name, ours, widget, default, optional=optional and default is REQUIRED, lazy=bool(options.get("lazy")))
    return Input(name, kind, port, words)


def _menu(found: Sequence[object], words: Mapping[str, object], options: Mapping[str, Any]) -> tuple[Widget, object]:
    if isinstance(found, Names):
        return ModelName(found.folder, found.others), found.others[0] if found.others else REQUIRED
    if options.get("image_upload"):
        return InputName("image"), REQUIRED
    default = options.get("default")
    first = next(iter(words), REQUIRED)
    return Choice(tuple(words)), str(default) if default is not None and str(default) in words else first


def _whole(name: str, options: Mapping[str, Any]) -> tuple[Widget, object]:
    if name in ("seed", "noise_seed"):
        return Seed(), max(0, int(options.get("default", 0)))
    low, high = _limits(options)
    low, high = math.ceil(low), math.floor(high)
    return Slider(low, high, _step(options, 1)), min(max(int(options.get("default") or 0), low), high)


def _number(_: str, options: Mapping[str, Any]) -> tuple[Widget, object]:
    low, high = _limits(options)
    return Slider(low, high, _step(options, 0.01)), min(max(float(options.get("default") or 0), low), high)


def _limits(options: Mapping[str, Any]) -> tuple[float, float]:
    low, high = options.get("min"), options.get("max")
    found = (-MOST if low is None else max(low, -MOST), MOST if high is None else min(high, MOST))
    return found if found[0] <= found[1] else (-MOST, MOST)


def _step(options: Mapping[str, Any], usual: float) -> float:
    step = options.get("step")
    return step if isinstance(step, int | float) and step > 0 else usual


def _text(name: str, options: Mapping[str, Any]) -> tuple[Widget, object]:
    default = str(options.get("default") or "")
    return OutputName() if name == "filename_prefix" else Text(bool(options.get("multiline"))), default


def _switch(_: str, options: Mapping[str, Any]) -> tuple[Widget, object]:
    return Toggle(), bool(options.get("default"))


_WIDGETS: Final[Mapping[str, Any]] = {"INT": _whole, "FLOAT": _number, "STRING": _text, "BOOLEAN": _switch}


def _names(said: Sequence[Any], kinds: Sequence[str]) -> Iterator[str]:
    """Names of outputs, each its own."""
    taken: set[str] = {FILES}
    for number, kind in enumerate(kinds):
        name = str(said[number]).strip() if number < len(said) else kind
        name = name if name and not isinstance(said[min(number, len(said) - 1)], list | tuple) else kind
        while name in taken:
            name = f"{name} {number}"
        taken.add(name)
        yield name
