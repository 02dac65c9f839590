"""How a constant input is edited, checked and resolved. A widget is a value: frozen, comparable, JSON both ways."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from graph.files import Files
from graph.fragment import Body


@dataclass(frozen=True)
class Widget:
    """Base of every widget. `external` marks one whose constant names something outside the document."""

    external: ClassVar[bool] = False

    def check(self, value: object, files: Files) -> None:
        """Raise ValueError, saying what was expected, when `value` may not be entered here."""

    def options_for(self, files: Files) -> Sequence[str]:
        """The values to choose from, when the set is closed: for hints and menus."""
        return ()

    def fingerprint(self, value: object, files: Files) -> object:
        """What the key sees of the constant; plain data."""
        return value

    def resolve(self, value: object, files: Files) -> object:
        """What the function receives for the constant in the document."""
        return value

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        """`files` adds the names that can be chosen now, where the widget chooses among files."""
        return {"kind": type(self).__name__}


@dataclass(frozen=True)
class Slider(Widget):
    """A number from `min` to `max`, both included; `step` is what one notch of the editor changes, not a constraint."""

    min: float
    max: float
    step: float = 1

    def check(self, value: object, files: Files) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.min <= value <= self.max:
            raise ValueError(f"a number from {self.min} to {self.max}")

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        return {"kind": "Slider", "min": self.min, "max": self.max, "step": self.step}


@dataclass(frozen=True)
class Text(Widget):
    multiline: bool = False

    def check(self, value: object, files: Files) -> None:
        if not isinstance(value, str):
            raise ValueError("a text")

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        return {"kind": "Text", "multiline": self.multiline}


@dataclass(frozen=True)
class Curve(Widget):
    """Points that straight lines join, as a text such as "0: 7, 0.5: 5, 1: 1": shares of a way, 0 to 1, and at each a
    value from `min` to `max`. The function receives the text, of which `points` makes pairs."""

    min: float
    max: float

    def check(self, value: object, files: Files) -> None:
        self.points(value)

    def points(self, text: object) -> tuple[tuple[float, float], ...]:
        """Shares and values, by share. Raises ValueError, saying what was expected."""
        try:
            pairs = [tuple(map(float, point.split(":"))) for point in str(text).split(",") if point.strip()]
            found = sorted((share, value) for share, value in pairs)
        except ValueError:
            raise ValueError('pairs as "0: 7, 0.5: 5, 1: 1"') from None
        if not found or not all(0 <= share <= 1 and self.min <= value <= self.max for share, value in found):
            raise ValueError(f"shares of 0 to 1 and values from {self.min:g} to {self.max:g}")
        return tuple(found)

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        return {"kind": "Curve", "min": self.min, "max": self.max}


@dataclass(frozen=True)
class Colour(Widget):
    """A colour as "#rrggbb". The function receives the text, of which `parts` makes numbers."""

    def check(self, value: object, files: Files) -> None:
        self.parts(value)

    def parts(self, text: object) -> tuple[float, float, float]:
        """Red, green and blue, 0 to 1. Raises ValueError, saying what was expected."""
        if not isinstance(text, str) or re.fullmatch("#[0-9a-fA-F]{6}", text) is None:
            raise ValueError('a colour as "#rrggbb"')
        red, green, blue = bytes.fromhex(text[1:])
        return red / 255, green / 255, blue / 255


@dataclass(frozen=True)
class Toggle(Widget):
    def check(self, value: object, files: Files) -> None:
        if not isinstance(value, bool):
            raise ValueError("true or false")


@dataclass(frozen=True)
class Seed(Widget):
    """A whole number of 64 bits; the editor can draw one after a run. Its digits may also come as a text, as numbers
    beyond 2**53 lose digits in programs whose only numbers are of double precision (RFC 8259, section 6)."""

    @staticmethod
    def number(value: object) -> object:
        """The number that a text of digits means; anything else as it is."""
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
            return int(value)
        return value

    def check(self, value: object, files: Files) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
            raise ValueError("a whole number from 0 to 2**64 - 1")


@dataclass(frozen=True)
class Choice(Widget):
    """One of a closed set."""

    options: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))

    def check(self, value: object, files: Files) -> None:
        if value not in self.options:
            raise ValueError(f"one of {', '.join(self.options)}")

    def options_for(self, files: Files) -> Sequence[str]:
        return self.options

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        return {"kind": "Choice", "options": list(self.options)}


@dataclass(frozen=True)
class _File(Widget):
    """A file by its name in a folder: the function receives its path, the key takes its content."""

    external: ClassVar[bool] = True

    def folder_name(self) -> str:
        raise NotImplementedError

    def check(self, value: object, files: Files) -> None:
        if not isinstance(value, str):
            raise ValueError(f"the name of a file in {self.folder_name()!r}")
        try:
            files.path(self.folder_name(), value)
        except ValueError as error:
            raise ValueError(f"a file in {self.folder_name()!r} ({error})") from error

    def fingerprint(self, value: object, files: Files) -> object:
        return files.fingerprint(self.folder_name(), str(value))

    def resolve(self, value: object, files: Files) -> object:
        return files.path(self.folder_name(), str(value))


@dataclass(frozen=True)
class ModelFile(_File):
    """Weights, by name in one of the models folders: "checkpoints", "vae", ... `others` are words that may stand in the
    place of a name, as "None"; they are handed over as they are."""

    folder: str
    others: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "others", tuple(self.others))

    def folder_name(self) -> str:
        return self.folder

    def options_for(self, files: Files) -> Sequence[str]:
        return [*self.others, *files.names(self.folder)]

    def check(self, value: object, files: Files) -> None:
        if value not in self.others:
            super().check(value, files)

    def fingerprint(self, value: object, files: Files) -> object:
        return value if value in self.others else super().fingerprint(value, files)

    def resolve(self, value: object, files: Files) -> object:
        return value if value in self.others else super().resolve(value, files)

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        options = {"options": list(self.options_for(files))} if files else {}
        others = {"others": list(self.others)} if self.others else {}
        return {"kind": "ModelFile", "folder": self.folder, **others, **options}


@dataclass(frozen=True)
class InputFile(_File):
    """An uploaded file, by name; `media` is the first half of its media type: "image", "video", ..."""

    media: str = "image"

    def folder_name(self) -> str:
        return "input"

    def options_for(self, files: Files) -> Sequence[str]:
        kind = f"{self.media}/"
        return [name for name in files.names("input") if (mimetypes.guess_type(name)[0] or "").startswith(kind)]

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        options = {"options": list(self.options_for(files))} if files else {}
        return {"kind": "InputFile", "media": self.media, **options}


@dataclass(frozen=True)
class OutputName(Widget):
    """How the names of the files a sink writes begin; "/" puts them in folders."""

    def check(self, value: object, files: Files) -> None:
        if not isinstance(value, str):
            raise ValueError("the beginning of a file name")
        try:
            files.check_name(value)
        except ValueError as error:
            raise ValueError(f"the beginning of a file name ({error})") from error


@dataclass(frozen=True)
class Gives(Widget):
    """A component of the document, `{"component": NAME}`, as the body of a loop; the node gives each round `inputs`."""

    external: ClassVar[bool] = True
    inputs: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))

    def check(self, value: object, files: Files) -> None:
        if not isinstance(value, Body):
            raise ValueError('a component of the document, as {"component": NAME}')

    def fingerprint(self, value: object, files: Files) -> object:
        return value.template.digest(files) if isinstance(value, Body) else None

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        return {"kind": "Component", "gives": list(self.inputs)}


@dataclass(frozen=True)
class ForeignWidget(Widget):
    """A widget this process has no class for, as its JSON: it accepts any constant, whoever runs the node checks it."""

    json: Mapping[str, Any]

    def to_json(self, files: Files | None = None) -> dict[str, Any]:
        return dict(self.json)


def widget_from_json(json: Mapping[str, Any]) -> Widget:
    match json:
        case {"kind": "Slider", "min": low, "max": high, "step": step}:
            return Slider(low, high, step)
        case {"kind": "Text", "multiline": bool(multiline)}:
            return Text(multiline)
        case {"kind": "Curve", "min": int(low) | float(low), "max": int(high) | float(high)}:
            return Curve(low, high)
        case {"kind": "Colour"}:
            return Colour()
        case {"kind": "Toggle"}:
            return Toggle()
        case {"kind": "Seed"}:
            return Seed()
        case {"kind": "Choice", "options": options}:
            return Choice(options)
        case {"kind": "ModelFile", "folder": str(folder)}:
            return ModelFile(folder, json.get("others", ()))
        case {"kind": "InputFile", "media": str(media)}:
            return InputFile(media)
        case {"kind": "Component", "gives": gives}:
            return Gives(gives)
        case {"kind": "OutputName"}:
            return OutputName()
        case _:
            return ForeignWidget(json)
