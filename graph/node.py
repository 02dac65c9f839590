"""Node definitions: a typed function is the whole declaration; its signature is the schema."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import FunctionType, ModuleType, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from graph.bounds import AtMost
from graph.context import Context, OutputFile
from graph.files import Files, NoFiles
from graph.fragment import Lazy
from graph.widgets import Choice, Slider, Text, Toggle, Widget, widget_from_json

Migration = Callable[[Mapping[str, Any]], Mapping[str, Any]]
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
    migrate: Mapping[str, Migration]
    at_most: AtMost | None


def node(
    id: str,
    *,
    category: str,
    title: str = "",
    version: str = "1",
    sink: bool = False,
    resource: Resource = "cpu",
    volatile: str = "",
    migrate: Mapping[str, Migration] | None = None,
    at_most: AtMost | None = None,
) -> Callable[[F], F]:
    """Mark a function as a node; the function itself stays as it is and stays callable.

    `version` is changed when the same inputs give other results. A `sink` runs for its effect and needs no reader.
    `resource` is the class that limits how many such nodes run at a time. `volatile` says what beside its inputs the
    node reads ("the clock"): it runs in every job, and what follows it only when it made something else than before.
    `migrate` turns the inputs that a document holds for an older version into those of this one, by that version.
    `at_most` bounds what a document may ask of it.
    """

    def mark(fn: F) -> F:
        options = Options(id, category, title or id, version, sink, resource, volatile, migrate or {}, at_most)
        setattr(fn, MARK, options)
        return fn

    return mark


@dataclass(frozen=True)
class Port:
    """An input or output. `type` is nominal, carried by name; an `optional` input that is left out is None. A `lazy`
    input is handed over as a Lazy. Ports of type Any with one `variable` are of one type in every node."""

    name: str
    type: str
    widget: Widget | None = None
    default: object = REQUIRED
    optional: bool = False
    lazy: bool = False
    variable: str = ""
    whole: bool = False
    """a list that comes as one lazy value, by one link"""
    extra: bool = False
    """handed to the body of a loop, not to the function"""
    spare: bool = False
    """a list that comes with None for items that could not be made"""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED and not self.optional

    @property
    def is_list(self) -> bool:
        return self.type.startswith("list[")

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "widget": self.widget.to_json(files) if self.widget else None,
            **({} if self.default is REQUIRED else {"default": self.default}),
            "required": self.required,
            "optional": self.optional,
            **({"lazy": True} if self.lazy else {}),
            **({"whole": True} if self.whole else {}),
            **({"variable": self.variable} if self.variable else {}),
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
            lazy=json.get("lazy", False),
            variable=json.get("variable", ""),
            whole=json.get("whole", False),
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
    tupled: bool = False
    """its function returns a NamedTuple, if of one field only"""
    migrate: Mapping[str, Migration | None] = field(default_factory=dict[str, "Migration | None"])
    """by the version a document was written for; None where the function is known to the worker only"""
    at_most: AtMost | None = None
    collects: bool = False
    """its last output is the files written by what it grows"""

    @cached_property
    def input_types(self) -> Mapping[str, str]:
        return {port.name: port.type for port in self.inputs}

    @cached_property
    def output_types(self) -> Mapping[str, str]:
        return {port.name: port.type for port in self.outputs}

    @cached_property
    def amounts(self) -> Sequence[str]:
        """The inputs that say how much is to be made: whole numbers set by a slider, as width, height and steps."""
        return [port.name for port in self.inputs if port.type == "int" and isinstance(port.widget, Slider)]

    def start(self, values: Mapping[str, object], context: Context) -> Any:
        """Call the function; what it returns. Of one that is `driven`, a coroutine that yields what it awaits."""
        if self.fn is None:
            raise TypeError(f"node {self.id} is known here by its definition only and cannot run")
        result = self.fn(**values, **{self.context: context}) if self.context else self.fn(**values)
        return asyncio.run(result) if inspect.iscoroutine(result) and not self.driven else result

    def named(self, result: Any) -> dict[str, Any]:
        """What the function returned as output name -> value. TypeError when it is not what it declares."""
        outputs = self.outputs[:-1] if self.collects else self.outputs
        if len(outputs) == 1 and not self.tupled:
            return {outputs[0].name: result}
        if not outputs:
            return {}
        returned = cast("tuple[Any, ...]", result) if isinstance(result, tuple) else (result,)
        if len(returned) != len(outputs):
            names = ", ".join(port.name for port in outputs)
            raise TypeError(f"node {self.id} must return {len(outputs)} values ({names}), got {len(returned)}")
        return {port.name: value for port, value in zip(outputs, returned)}

    @cached_property
    def variables(self) -> bool:
        """Whether types of outputs follow those of inputs."""
        return any(port.variable for port in self.inputs)

    def port(self, link: str) -> Port:
        """The input a link of a node leads to; one of several links to one input has its number after a dot."""
        name = link.partition(".")[0]
        return next(port for port in self.inputs if port.name in (link, name))

    @cached_property
    def driven(self) -> bool:
        """Its function awaits its lazy inputs, so the engine drives it."""
        return any(port.lazy for port in self.inputs)

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
            **({"migrates": sorted(self.migrate)} if self.migrate else {}),
            **({"at_most": self.at_most.to_json()} if self.at_most else {}),
            "inputs": [port.to_json(files) for port in self.inputs],
            "outputs": [
                {"name": port.name, "type": port.type, **({"variable": port.variable} if port.variable else {})}
                for port in self.outputs
            ],
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
            migrate=dict.fromkeys(json.get("migrates", ())),
            at_most=AtMost.from_json(json["at_most"]) if "at_most" in json else None,
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
    if any(port.lazy for port in inputs) and not inspect.iscoroutinefunction(fn):
        raise TypeError(f"node {options.id}: lazy inputs are read by await: its function must be async")
    if options.at_most and (strange := set(options.at_most.inputs) - {port.name for port in inputs}):
        raise TypeError(f"node {options.id}: at_most names {strange}, which are no inputs")
    outputs = _outputs(hints.get("return", NoneType))
    return NodeSpec(
        id=options.id,
        title=options.title,
        category=options.category,
        doc=inspect.getdoc(fn) or "",
        version=options.version,
        sink=options.sink,
        resource=options.resource,
        inputs=tuple(inputs),
        outputs=outputs,
        source=fn.__module__,
        fn=fn,
        context=context,
        volatile=options.volatile,
        migrate=options.migrate,
        at_most=options.at_most,
        tupled=len(outputs) == 1 and _is_named_tuple(hints.get("return")),
    )


def _input(where: str, name: str, hint: Any, default: Any) -> Port:
    widget: Widget | None = None
    optional = lazy = spare = False
    while (origin := get_origin(hint)) in (Annotated, Union, UnionType, Lazy):
        if origin is Annotated:
            hint, *marks = get_args(hint)
            widget = next((mark for mark in marks if isinstance(mark, Widget)), widget)
            continue
        if origin is Lazy:
            (hint,), lazy = get_args(hint), True
            continue
        members = [member for member in get_args(hint) if member is not NoneType]
        if len(members) != 1:
            raise TypeError(f"{where}: a port has one type, got {hint}")
        (hint,), optional = members, True
    whole = lazy and origin is list
    if origin is list and get_origin(get_args(hint)[0]) is Lazy:
        hint, lazy = list[get_args(get_args(hint)[0])[0]], True
    if origin is list and NoneType in (kinds := get_args(get_args(hint)[0])):
        (kind,), spare = [kind for kind in kinds if kind is not NoneType], True
        hint = list[kind]
    if origin is Literal:
        widget, hint = widget or Choice(get_args(hint)), str
    widget = widget or _default_widget(hint)
    port = Port(name, _type_name(hint), widget, REQUIRED, optional, lazy, _variable(hint), whole, spare=spare)
    if default is inspect.Parameter.empty or (default is None and optional):
        return port
    if hint is float and type(default) is int:
        default = float(default)
    if widget and not widget.external:
        try:
            widget.check(default, NoFiles())
        except ValueError as error:
            raise TypeError(f"{where}: default must be {error}, got {default!r}") from error
    return replace(port, default=default)


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
    if _is_named_tuple(hint):
        hints = get_type_hints(get_origin(hint) or hint).items()
        return tuple(Port(name, _type_name(type), variable=_variable(type)) for name, type in hints)
    if hint == list[OutputFile]:
        return (Port("files", _type_name(hint)),)
    return (Port(_type_name(hint).lower(), _type_name(hint), variable=_variable(hint)),)


def _is_named_tuple(hint: Any) -> bool:
    hint = get_origin(hint) or hint
    return isinstance(hint, type) and "_fields" in vars(hint)


def _type_name(hint: Any) -> str:
    """Types are nominal: `Image = NewType("Image", Tensor)` is "Image", `list[Image]` is "list[Image]"; a type variable
    is "Any"."""
    if get_origin(hint) is list:
        return f"list[{_type_name(get_args(hint)[0])}]"
    return "Any" if isinstance(hint, TypeVar) else hint.__name__


def _variable(hint: Any) -> str:
    if get_origin(hint) is list:
        return _variable(get_args(hint)[0])
    return hint.__name__ if isinstance(hint, TypeVar) else ""
