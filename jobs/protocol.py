"""Frames between server and worker: a JSON head and an opaque body, each with its length in front.

The body (a workflow, a batch of events, a catalogue) is JSON text that passes through the server without being parsed.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

_LENGTHS = struct.Struct(">II")
MAX_HEAD = 16 << 20
MAX_BODY = 512 << 20


class BrokenFrame(ValueError):
    """The other side wrote something that is not a frame."""


@dataclass(frozen=True)
class Message:
    head: Mapping[str, Any]
    body: bytes = b""

    @property
    def op(self) -> str:
        return str(self.head["op"])


def encode(message: Message) -> bytes:
    head = json.dumps(message.head, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(head), len(message.body)) + head + message.body


def read(stream: BinaryIO) -> Message | None:
    """The next message of a blocking stream; None at its end. Raises BrokenFrame."""
    lengths = stream.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    head, body = _checked(lengths)
    data = stream.read(head + body)
    if len(data) < head + body:
        return None
    return _message(data, head)


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """The next message of an asyncio stream; None at its end, also in the middle of a frame. Raises BrokenFrame."""
    try:
        head, body = _checked(await reader.readexactly(_LENGTHS.size))
        return _message(await reader.readexactly(head + body), head)
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return None


def _checked(lengths: bytes) -> tuple[int, int]:
    head, body = _LENGTHS.unpack(lengths)
    if head > MAX_HEAD or body > MAX_BODY:
        raise BrokenFrame(f"frame announces {head} + {body} bytes, at most {MAX_HEAD} + {MAX_BODY} are allowed")
    return head, body


def _message(data: bytes, head: int) -> Message:
    try:
        parsed = json.loads(data[:head])
    except ValueError as error:
        raise BrokenFrame(f"frame head is not JSON: {error}") from error
    match parsed:
        case {"op": str()}:
            return Message(cast("dict[str, Any]", parsed), data[head:])
        case _:
            raise BrokenFrame(f"frame head must be an object with a string 'op', got {data[:head]!r:.80}")
