"""What a class of ComfyUI becomes here: a node of ours, its inputs and outputs by the peer's.

A port is `"model"` for an input that is only ever linked, `"samples>latent"` where ours has another name,
`"conditioning_1>conditionings[]"` for one item of a list; `("steps", 20)` for one with a widget, of that default, and
`("sampler_name>sampler", "euler", SAMPLERS)` where values have other names here. Widgets stand in the peer's order.
`"device>"` is left out without a word, `"tonemap>!"` is left out and told if it is not at its default. `"width>+width"`
belongs to the node made beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

PortText = str | tuple[str, object] | tuple[str, object, "Convert"]
CONTROL: Final = ("fixed", "increment", "decrement", "randomize")
"""What the peer keeps in a widget of its own behind a seed."""
AFTER_RUN: Final[Mapping[str, str]] = {"increment": "increment", "decrement": "decrement", "randomize": "random"}


class NoCounterpart(ValueError):
    """A value that means nothing here."""


Convert = Callable[[Any], object]
"""A constant of the peer as ours, or NoCounterpart."""


@dataclass(frozen=True)
class Port:
    """`target` is "" for what is left out; `beside`: it belongs to the node made beside; `told`: if it is left out."""

    name: str
    target: str
    is_widget: bool = False
    default: object = None
    convert: Convert | None = None
    many: bool = False
    beside: bool = False
    told: bool = False

    @staticmethod
    def of(written: PortText) -> Port:
        text, *rest = (written,) if isinstance(written, str) else written
        name, arrow, target = text.partition(">")
        target = target if arrow else name
        convert: Any = rest[1] if len(rest) > 1 else None
        plain = target.strip("+![]")
        marks = {"many": target.endswith("[]"), "beside": target.startswith("+"), "told": target == "!"}
        return Port(name, plain, bool(rest), rest[0] if rest else None, convert, **marks)


@dataclass(frozen=True)
class Beside:
    """A second node. `gives` is (its output, our input it feeds), `takes` (our output, its input it reads): one of
    both is said; with `takes` the outputs are its own."""

    type: str
    gives: tuple[str, str] | None = None
    takes: tuple[str, str] | None = None


@dataclass(frozen=True)
class Kind:
    """`outputs` are ours, in the order of the peer's; `fixed` are inputs of ours that the peer has no word for."""

    type: str
    outputs: tuple[str, ...]
    ports: tuple[Port, ...]
    fixed: Mapping[str, object] = field(default_factory=dict[str, object])
    beside: Beside | None = None

    @cached_property
    def widgets(self) -> tuple[Port, ...]:
        return tuple(port for port in self.ports if port.is_widget)


def kind(
    type: str, outputs: str, *ports: PortText, fixed: Mapping[str, object] | None = None, beside: Beside | None = None
) -> Kind:
    return Kind(type, tuple(outputs.split()), tuple(map(Port.of, ports)), fixed or {}, beside)


def named(values: list[Any], widgets: tuple[Port, ...]) -> dict[str, object]:
    """Values of widgets by name, from a list in the order of the peer's widgets, which may lack some that came to the
    class later, and has a word after each seed that says what becomes of it; that is returned as "NAME control"."""
    found: dict[str, object] = {}
    at = 0
    for number, port in enumerate(widgets):
        if at == len(values):
            break
        lacks_some = len(values) - at < len(widgets) - number
        if lacks_some and not alike(values[at], port.default):
            continue
        found[port.name] = values[at]
        at += 1
        if is_seed(port.name) and at < len(values) and (control := control_of(values[at])):
            found[f"{port.name} control"] = control
            at += 1
    return found


def is_seed(name: str) -> bool:
    return name in ("seed", "noise_seed")


def control_of(value: object) -> str:
    """The word for what becomes of a seed, or ""; old files say true and false."""
    if type(value) is bool:
        return "randomize" if value else "fixed"
    return value if isinstance(value, str) and value in CONTROL else ""


def alike(value: object, default: object) -> bool:
    """Whether a value is of the sort of a default: a text, a switch, a number."""
    if default is None or isinstance(default, str):
        return isinstance(value, str)
    if isinstance(default, bool):
        return isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)
