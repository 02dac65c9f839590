"""Values as data that can be written down and read back equal: a structure in JSON and buffers of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple, Protocol, cast

from graph.context import OutputFile

Bytes = bytes | bytearray | memoryview


class Buffer(NamedTuple):
    """Numbers of one kind, in C order; `dtype` is the name safetensors has for it ("F32", "U8")."""

    dtype: str
    shape: tuple[int, ...]
    data: Bytes


class Packed(NamedTuple):
    structure: Any
    buffers: Mapping[str, Buffer]


class Unstorable(Exception):
    """The value is alive (a model, an open handle) or of a kind nobody knows how to write down."""


class Storage(Protocol):
    def pack(self, value: object) -> Packed:
        """Raises Unstorable."""
        ...

    def unpack(self, packed: Packed) -> object:
        """An equal value, of the same types. Raises ValueError when the data does not say one."""
        ...


class PlainStorage:
    """Plain data and output files. A subclass packs and unpacks further kinds in `pack_other` and `unpack_other`.

    A number, text, bool or None stands for itself in the structure, a list for a list; the rest is an object with one
    member, whose name is the kind: f(loat), i(nteger of many digits), b(ytes), t(uple), d(ict), o(utput file).
    """

    def pack(self, value: object) -> Packed:
        buffers: dict[str, Buffer] = {}
        try:
            return Packed(self.pack_part(value, buffers), buffers)
        except RecursionError:
            raise Unstorable("nested too deep") from None

    def unpack(self, packed: Packed) -> object:
        try:
            return self.unpack_part(packed.structure, packed.buffers)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not the data of a value: {error!r}") from error

    def pack_part(self, value: object, buffers: dict[str, Buffer]) -> Any:
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            number = cast(int, value)
            return number if -(2**63) <= number < 2**63 else {"i": hex(number)}
        if kind is float:
            return {"f": cast(float, value).hex()}
        if kind is bytes:
            return {"b": put(buffers, "U8", (len(cast(bytes, value)),), cast(bytes, value))}
        if kind is list:
            return [self.pack_part(item, buffers) for item in cast("list[object]", value)]
        if kind is tuple:
            return {"t": [self.pack_part(item, buffers) for item in cast("tuple[object, ...]", value)]}
        if kind is dict:
            pairs = cast("dict[object, object]", value).items()
            return {"d": [[self.pack_part(part, buffers) for part in pair] for pair in pairs]}
        if isinstance(value, OutputFile):
            return {"o": asdict(value)}
        return self.pack_other(value, buffers)

    def unpack_part(self, part: Any, buffers: Mapping[str, Buffer]) -> Any:
        if type(part) is list:
            return [self.unpack_part(item, buffers) for item in cast("list[Any]", part)]
        if type(part) is not dict:
            return part
        ((kind, content),) = cast("dict[str, Any]", part).items()
        match kind:
            case "f":
                return float.fromhex(content)
            case "i":
                return int(content, 16)
            case "b":
                return bytes(buffers[content].data)
            case "t":
                return tuple(self.unpack_part(item, buffers) for item in content)
            case "d":
                return {self.unpack_part(key, buffers): self.unpack_part(item, buffers) for key, item in content}
            case "o":
                return OutputFile(**content)
            case _:
                return self.unpack_other(kind, content, buffers)

    def pack_other(self, value: object, buffers: dict[str, Buffer]) -> Any:
        raise Unstorable(f"a {type(value).__module__}.{type(value).__qualname__} cannot be written down")

    def unpack_other(self, kind: str, content: Any, buffers: Mapping[str, Buffer]) -> object:
        raise ValueError(f"there is no kind {kind!r}")


def put(buffers: dict[str, Buffer], dtype: str, shape: tuple[int, ...], data: Bytes) -> str:
    """Add a buffer; its name."""
    name = str(len(buffers))
    buffers[name] = Buffer(dtype, shape, data)
    return name
