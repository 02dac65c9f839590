"""What a node function hands back to the engine instead of values: values to be made, and what makes them.

A `Lazy` is awaited, passed on or returned; what it stands for runs only when it is wanted. `call` is a node that does
not exist yet: it grows in place of the node whose function made it, once one of its outputs is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from graph.files import Files

T = TypeVar("T")


class Origin(Protocol):
    """Where a lazy value comes from; compared by identity. Nothing but a function that holds it, or a Lazy of it, can
    ask for what it makes, so it dies when that is over: the engine keeps no reference, and lets go of `inputs`."""

    def reads(self) -> Iterable[Lazy[Any]]:
        """The lazy values it is made of."""
        ...


class Lazy(Generic[T]):
    """A value that is made when it is wanted. In the signature of a node: an input that is read only on `await`."""

    __slots__ = ("origin", "output")

    def __init__(self, origin: Origin, output: str) -> None:
        self.origin, self.output = origin, output

    def __await__(self) -> Generator[Lazy[T], T, T]:
        return (yield self)

    def __getitem__(self, index: int) -> Lazy[Any]:
        """An item of a list that was awaited before; its key is its own, whatever the rest of the list is."""
        return Lazy(Item(self, index), "value")


@dataclass(frozen=True, eq=False)
class Input:
    """A linked input of the running node: position of the node it is linked to, and the name of the link."""

    position: int
    link: str

    def reads(self) -> Iterable[Lazy[Any]]:
        return ()


@dataclass(frozen=True, eq=False)
class Value:
    """A value as it is."""

    value: object

    def reads(self) -> Iterable[Lazy[Any]]:
        return ()


@dataclass(frozen=True, eq=False)
class Item:
    of: Lazy[Any]
    index: int

    def reads(self) -> Iterable[Lazy[Any]]:
        return (self.of,)


@dataclass(eq=False)
class Call:
    """A node to be: its function, or what else makes nodes, with inputs by name, lazy ones and plain values."""

    fn: Callable[..., Any]
    inputs: Mapping[str, object]

    def reads(self) -> Iterable[Lazy[Any]]:
        for value in self.inputs.values():
            for item in value if isinstance(value, list) else (value,):  # pyright: ignore[reportUnknownVariableType]
                if isinstance(item, Lazy):
                    yield item

    def __getitem__(self, output: str) -> Any:
        """The output of this name, as a Lazy; typed Any, since a node may return it in place of the value itself."""
        return Lazy[Any](self, output)


def call(fn: Callable[..., Any], **inputs: object) -> Call:
    """The node of a function marked with `@node`, to grow in place of the running one.

    `call(add, a=1, b=total)["int"]` is its output "int", to be awaited, passed to another call, or returned as an
    output of the running node. Inputs are values, or lazy.
    """
    return Call(fn, inputs)


class Template(Protocol):
    """What a body is made of; known to the engine."""

    def digest(self, files: Files) -> bytes: ...


@dataclass(frozen=True, eq=False)
class Body:
    """A component handed to a node: the body of a loop. Calling it is a round, with inputs by name, values or lazy;
    what the component has no input for is left out."""

    name: str
    inputs: tuple[str, ...]
    template: Template
    given: Mapping[str, object]
    """inputs that every round takes from the inputs of the node itself"""

    def __call__(self, **inputs: object) -> Round:
        known = {name: value for name, value in inputs.items() if name in self.inputs}
        return Round(self, {**self.given, **known})


@dataclass(eq=False)
class Round:
    """One call of a body."""

    body: Body
    inputs: Mapping[str, object]

    def reads(self) -> Iterable[Lazy[Any]]:
        return [value for value in self.inputs.values() if isinstance(value, Lazy)]  # pyright: ignore[reportUnknownVariableType]

    def __getitem__(self, output: str) -> Any:
        """The output of this name, as a Lazy; typed Any as above."""
        return Lazy[Any](self, output)
