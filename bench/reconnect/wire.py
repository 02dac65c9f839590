"""A WebSocket reader that can be cut at any byte: it sees what a client whose line breaks there has seen."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
from collections.abc import AsyncGenerator
from typing import Any

TEXT, CLOSE = 1, 8


class Cut(Exception):
    """The line broke: at the client's end, or at the server's."""


class Away(Exception):
    """There is no server."""


class Refused(Exception):
    """The answer was not a stream."""


class Wire:
    """One connection that breaks after `budget` bytes, wherever in a frame or the handshake that is."""

    def __init__(self, port: int, budget: int) -> None:
        self._port, self._budget = port, budget

    async def events(self, path: str) -> AsyncGenerator[list[dict[str, Any]]]:
        """The events of each frame that came whole, until the server closes. Raises Cut, Away and Refused."""
        try:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError as error:
            raise Away from error
        try:
            await self._shake_hands(path)
            while True:
                opcode, payload = await self._frame()
                if opcode == CLOSE:
                    return
                if opcode == TEXT:
                    yield json.loads(payload)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Cut from error
        finally:
            self._writer.transport.abort()

    async def _shake_hands(self, path: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._writer.write(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += await self._take(1)
        if b" 101 " not in answer.split(b"\r\n")[0]:
            raise Refused(answer.split(b"\r\n")[0].decode())

    async def _frame(self) -> tuple[int, bytes]:
        first, length = await self._take(2)
        if length == 126:
            (length,) = struct.unpack(">H", await self._take(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await self._take(8))
        return first & 15, await self._take(length)

    async def _take(self, count: int) -> bytes:
        allowed = min(count, self._budget)
        data = await self._reader.readexactly(allowed)
        self._budget -= allowed
        if allowed < count:
            raise Cut
        return data
