"""Frames: what goes in comes out, a cut stream ends quietly, nonsense is refused before it is believed."""

from __future__ import annotations

import asyncio
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.protocol import MAX_HEAD, BrokenFrame, Message, encode, read, receive

HEADS = st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(), max_size=4)


async def _received(data: bytes) -> list[Message]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return [message async for message in _messages(reader)]


async def _messages(reader: asyncio.StreamReader):
    while (message := await receive(reader)) is not None:
        yield message


@given(st.lists(st.tuples(HEADS, st.binary(max_size=50)), max_size=4), st.integers(0, 60))
def test_messages_come_out_as_they_went_in(given_messages: list[tuple[dict, bytes]], cut: int) -> None:
    messages = [Message({**head, "op": "x"}, body) for head, body in given_messages]
    data = b"".join(map(encode, messages))
    stream = io.BytesIO(data)
    assert [read(stream) for _ in messages] == messages
    assert read(stream) is None
    assert asyncio.run(_received(data)) == messages
    whole = asyncio.run(_received(data[: len(data) - cut]))
    assert whole == messages[: len(whole)]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">II", MAX_HEAD + 1, 0),
        struct.pack(">II", 0, 0xFFFFFFFF),
        struct.pack(">II", 3, 0) + b"{]}",
        struct.pack(">II", 2, 0) + b"[]",
        struct.pack(">II", 2, 0) + b"{}",
        struct.pack(">II", 8, 0) + b'{"op":1}',
        struct.pack(">II", 2, 0) + b"\xff\xff",
    ],
)
def test_nonsense_is_a_broken_frame(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        read(io.BytesIO(data))
    with pytest.raises(BrokenFrame):
        asyncio.run(_received(data))
