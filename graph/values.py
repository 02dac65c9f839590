"""What the engine must know of a value it does not understand: its size, its equality, whether it still stands."""

from __future__ import annotations

import struct
import sys
from types import NoneType
from typing import Any, Final, Protocol, cast

_MOST_ITEMS: Final = 100_000
_SCALARS: Final = frozenset((NoneType, bool, int, float, str, bytes))


class Traits(Protocol):
    def size(self, value: object) -> int:
        """Bytes the value holds in memory."""
        ...

    def fingerprint(self, value: object) -> bytes | None:
        """Bytes equal exactly when values are equal; None when there is no cheap way, as for a live model."""
        ...

    def valid(self, value: object) -> bool:
        """False when what the value stands for is gone, as for an OutputFile whose file was deleted."""
        ...


class PlainTraits:
    """Traits of plain data: None, bool, int, float, str, bytes, and lists, tuples and dicts of them."""

    def size(self, value: object) -> int:
        if type(value) in _SCALARS:
            return sys.getsizeof(value)
        total = 0
        stack: list[Any] = [value]
        for _ in range(_MOST_ITEMS):
            if not stack:
                break
            item = stack.pop()
            total += sys.getsizeof(item)
            if type(item) is dict:
                stack.extend(cast("dict[Any, Any]", item).values())
            elif type(item) in (list, tuple):
                stack.extend(item)
        return total

    def fingerprint(self, value: object) -> bytes | None:
        return encode(value)

    def valid(self, value: object) -> bool:
        return True


def encode(value: object) -> bytes | None:
    """Plain data as bytes that differ whenever type or value differs (1, True, 1.0, "1", -0.0 and 0.0 are all
    distinct; dicts are compared without order). None for anything else, and beyond 100,000 items."""
    if (scalar := _encode_scalar(value)) is not None:
        return scalar
    parts: list[bytes] = []
    stack: list[Any] = [value]
    while stack:
        if len(parts) > _MOST_ITEMS:
            return None
        item = stack.pop()
        kind = cast(object, type(item))
        if (scalar := _encode_scalar(item)) is not None:
            parts.append(scalar)
        elif kind is list or kind is tuple:
            parts.append((b"l%d:" if kind is list else b"t%d:") % len(item))
            stack.extend(reversed(item))
        elif kind is dict and all(type(key) is str for key in item):
            pairs = sorted(cast("dict[str, Any]", item).items(), reverse=True)
            parts.append(b"m%d:" % len(pairs))
            for key, member in pairs:
                stack += (member, key)
        else:
            return None
    return b"".join(parts)


def _encode_scalar(value: object) -> bytes | None:
    kind = type(value)
    if kind is str:
        return encode_text(cast(str, value))
    if kind is int:
        return b"i%x;" % cast(int, value)
    if kind is float:
        return b"d" + struct.pack(">d", value)
    if kind is bool:
        return b"T" if value else b"F"
    if value is None:
        return b"N"
    return b"b%d:%b" % (len(value), value) if isinstance(value, bytes) and kind is bytes else None


def encode_text(text: str) -> bytes:
    """`encode` of a text."""
    data = text.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(data), data)
