"""Node definitions: a typed function is the whole declaration; its signature is the schema."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType, ModuleType, NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from graph.context import Context, OutputFile
from graph.files import Files, NoFiles
from graph.widgets import Choice, Slider, Text, Toggle, Widget, widget_from_json

F = TypeVar("F", bound=Callable[..., Any])
Resource = Literal["gpu", "cpu", "io"]
MARK: Final = "__node__"


class Required:
    """The default of a port that has none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = Required()


@dataclass(frozen=True)
class Options:
    id: str
    category: str
    title: str
    version: str
    sink: bool
    resource: Resource
    volatile: str


def node(
    id: str,
    *,
    category: str,
    title: str = "",
    version: str = "1",
    sink: bool = False,
    resource: Resource = "cpu",
    volatile: str = "",
) -> Callable[[F], F]:
    """Mark a function as a node; the function itself stays as it is and stays callable.

    `version` is changed when the same inputs give other results. A `sink` runs for its effect and needs no reader.
    `resource` is the class that limits how many such nodes run at a time. `volatile` says what beside its inputs the
    node reads ("the clock"): it runs in every job, and what follows it only when it made something else than before.
    """

    def mark(fn: F) -> F:
        setattr(fn, MARK, Options(id, category, title or id, version, sink, resource, volatile))
        return fn

    return mark


@dataclass(frozen=True)
class Port:
    """An input or output. `type` is nominal, carried by name; an `optional` input that is left out is None."""

    name: str
    type: str
    widget: Widget | None = None
    default: object = REQUIRED
    optional: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED and not self.optional

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "widget": self.widget.to_json(files) if self.widget else None,
            **({} if self.default is REQUIRED else {"default": self.default}),
            "required": self.required,
            "optional": self.optional,
        }

    @staticmethod
    def from_json(json: Mapping[str, Any]) -> Port:
        widget = json.get("widget")
        return Port(
            name=json["name"],
            type=json["type"],
            widget=widget_from_json(widget) if widget else None,
            default=json.get("default", REQUIRED),
            optional=json.get("optional", False),
        )


@dataclass(frozen=True)
class NodeSpec:
    """A node's definition. `fn` is None where the definition came as JSON: enough to validate, not to run."""

    id: str
    title: str
    category: str
    doc: str
    version: str
    sink: bool
    resource: Resource
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    source: str
    fn: Callable[..., Any] | None = None
    context: str | None = None
    volatile: str = ""

    @cached_property
    def input_types(self) -> Mapping[str, str]:
        return {port.name: port.type for port in self.inputs}

    @cached_property
    def output_types(self) -> Mapping[str, str]:
        return {port.name: port.type for port in self.outputs}

    def call(self, values: Mapping[str, object], context: Context) -> dict[str, Any]:
        """Run the function; its result as output name -> value. TypeError when it does not return what it declares."""
        if self.fn is None:
            raise TypeError(f"node {self.id} is known here by its definition only and cannot run")
        result = self.fn(**values, **{self.context: context}) if self.context else self.fn(**values)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        outputs = self.outputs
        if len(outputs) == 1:
            return {outputs[0].name: result}
        if not outputs:
            return {}
        returned = cast("tuple[Any, ...]", result) if isinstance(result, tuple) else (result,)
        if len(returned) != len(outputs):
            names = ", ".join(port.name for port in outputs)
            raise TypeError(f"node {self.id} must return {len(outputs)} values ({names}), got {len(returned)}")
        return {port.name: value for port, value in zip(outputs, returned)}

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        """`files` adds to file widgets the names that can be chosen now."""
        return {
            "id": self.id,
            "title": self.title,
            "category": self.category,
            "doc": self.doc,
            "version": self.version,
            "sink": self.sink,
            "resource": self.resource,
            **({"volatile": self.volatile} if self.volatile else {}),
            "inputs": [port.to_json(files) for port in self.inputs],
            "outputs": [{"name": port.name, "type": port.type} for port in self.outputs],
            "source": self.source,
        }

    @staticmethod
    def from_json(json: Mapping[str, Any]) -> NodeSpec:
        return NodeSpec(
            **{
                name: json[name] for name in ("id", "title", "category", "doc", "version", "sink", "resource", "source")
            },
            inputs=tuple(Port.from_json(port) for port in json["inputs"]),
            outputs=tuple(Port.from_json(port) for port in json["outputs"]),
            volatile=json.get("volatile", ""),
        )


def collect(module: ModuleType) -> list[NodeSpec]:
    """The nodes a module defines, in source order. Importing a module registers nothing."""
    found = (v for v in vars(module).values() if isinstance(v, FunctionType) and MARK in vars(v))
    return [spec_of(fn) for fn in found if fn.__module__ == module.__name__]


def spec_of(fn: Callable[..., Any]) -> NodeSpec:
    """The definition a marked function declares; TypeError names the parameter that cannot be an input."""
    options: Options = vars(fn)[MARK]
    hints = get_type_hints(fn, include_extras=True)
    inputs: list[Port] = []
    context: str | None = None
    for name, parameter in inspect.signature(fn).parameters.items():
        where = f"node {options.id}: parameter {name!r}"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise TypeError(f"{where} must be an ordinary named parameter")
        if name not in hints:
            raise TypeError(f"{where} has no type annotation")
        if hints[name] is Context:
            context = name
        else:
            inputs.append(_input(where, name, hints[name], parameter.default))
    return NodeSpec(
        id=options.id,
        title=options.title,
        category=options.category,
        doc=inspect.getdoc(fn) or "",
        version=options.version,
        sink=options.sink,
        resource=options.resource,
        inputs=tuple(inputs),
        outputs=_outputs(hints.get("return", NoneType)),
        source=fn.__module__,
        fn=fn,
        context=context,
        volatile=options.volatile,
    )


def _input(where: str, name: str, hint: Any, default: Any) -> Port:
    widget: Widget | None = None
    optional = False
    while (origin := get_origin(hint)) in (Annotated, Union, UnionType):
        if origin is Annotated:
            hint, *marks = get_args(hint)
            widget = next((mark for mark in marks if isinstance(mark, Widget)), widget)
            continue
        members = [member for member in get_args(hint) if member is not NoneType]
        if len(members) != 1:
            raise TypeError(f"{where}: a port has one type, got {hint}")
        (hint,), optional = members, True
    if origin is Literal:
        widget, hint = widget or Choice(get_args(hint)), str
    widget = widget or _default_widget(hint)
    if default is inspect.Parameter.empty or (default is None and optional):
        return Port(name, _type_name(hint), widget, REQUIRED, optional)
    if hint is float and type(default) is int:
        default = float(default)
    if widget and not widget.external:
        try:
            widget.check(default, NoFiles())
        except ValueError as error:
            raise TypeError(f"{where}: default must be {error}, got {default!r}") from error
    return Port(name, _type_name(hint), widget, default, optional)


def _default_widget(hint: object) -> Widget | None:
    if hint is bool:
        return Toggle()
    if hint is str:
        return Text()
    if hint is int:
        return Slider(-(2**53), 2**53)
    if hint is float:
        return Slider(-1e9, 1e9, 0.01)
    return None


def _outputs(hint: Any) -> tuple[Port, ...]:
    if hint is NoneType:
        return ()
    if isinstance(hint, type) and "_fields" in vars(hint):
        return tuple(Port(name, _type_name(type)) for name, type in get_type_hints(hint).items())
    if hint == list[OutputFile]:
        return (Port("files", _type_name(hint)),)
    return (Port(_type_name(hint).lower(), _type_name(hint)),)


def _type_name(hint: Any) -> str:
    """Types are nominal: `Image = NewType("Image", Tensor)` is "Image", `list[Image]` is "list[Image]"."""
    if get_origin(hint) is list:
        return f"list[{_type_name(get_args(hint)[0])}]"
    return hint.__name__
