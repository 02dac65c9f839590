"""The programs that listen on `/ws`, each under the name it gave itself, and what they are told."""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import time
import uuid
from collections.abc import Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from aiohttp import WSMsgType, web

from api.events import HEARTBEAT_S
from api.files import MAX_UPLOAD
from api.problems import Refused
from api.services import Services
from compat.protocol.prompts import Prompt
from compat.protocol.translation import FORMATS, Message, Picture, Streamed, Translation
from compat.workflows.foreign import is_object
from jobs.files import FileStore
from jobs.job import TERMINAL
from jobs.service import Jobs

MAX_MESSAGE: Final = 1 << 16
TABLES_S: Final = 0.06
"""Seconds between two tables of progress."""
PREVIEW, PREVIEW_WITH_METADATA = 1, 4
FEATURES: Final[Mapping[str, object]] = {"supports_preview_metadata": True, "max_upload_size": MAX_UPLOAD}
log = logging.getLogger("weft.api")


@dataclass(eq=False)
class Listener:
    """One WebSocket; `wants_metadata`: it can read previews that say of which node they are."""

    socket: web.WebSocketResponse
    wants_metadata: bool = False

    async def tell(self, message: Message) -> None:
        """Nothing for one that has gone."""
        if not self.socket.closed:
            type, data = message
            await self.socket.send_str(json.dumps({"type": type, "data": data}))

    async def show(self, picture: Picture, prompt: str) -> None:
        format = FORMATS.get(picture.media_type)
        if format is None or self.socket.closed:
            return
        if self.wants_metadata and not picture.whole:
            names = ("node_id", "display_node_id", "real_node_id")
            said = dict.fromkeys(names, picture.node) | {"prompt_id": prompt, "parent_node_id": None}
            head = json.dumps({**said, "image_type": picture.media_type}).encode()
            await self.socket.send_bytes(struct.pack(">II", PREVIEW_WITH_METADATA, len(head)) + head + picture.data)
        else:
            await self.socket.send_bytes(struct.pack(">II", PREVIEW, format) + picture.data)


@dataclass
class Listeners:
    """By the name of the program; the later of two of one name is the one that is told."""

    by_name: dict[str, Listener] = field(default_factory=dict[str, Listener])
    running: dict[str, Translation] = field(default_factory=dict[str, Translation])
    """of each program, the prompt that runs"""

    async def tell(self, name: str, message: Message) -> None:
        if (listener := self.by_name.get(name)) is not None:
            await _unless_gone(listener.tell(message))

    async def show(self, name: str, picture: Picture, prompt: str) -> None:
        if (listener := self.by_name.get(name)) is not None:
            await _unless_gone(listener.show(picture, prompt))


async def listen(request: web.Request, services: Services, listeners: Listeners) -> web.StreamResponse:
    """The WebSocket of a program, `?clientId=NAME`: the length of the queue, and what becomes of its prompts."""
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE, compress=False)
    if not socket.can_prepare(request).ok:
        raise Refused(426, "websocket", "Expected a WebSocket handshake here.", headers={"Upgrade": "websocket"})
    name = request.query.get("clientId") or uuid.uuid4().hex
    await socket.prepare(request)
    listener = Listener(socket)
    earlier, listeners.by_name[name] = listeners.by_name.get(name), listener
    if earlier is not None:
        await earlier.socket.close()
    watching = asyncio.create_task(_tell_of_the_queue(listener, services.jobs, name), name="status")
    try:
        if (running := listeners.running.get(name)) is not None and running.at is not None:
            await _unless_gone(listener.tell(("executing", {"node": running.at})))
        await _hear(listener)
    finally:
        watching.cancel()
        await asyncio.wait([watching])
        if listeners.by_name.get(name) is listener:
            del listeners.by_name[name]
    return socket


async def follow(prompt: Prompt, services: Services, listeners: Listeners) -> None:
    """Tell the program that asked for a prompt what becomes of it, to its end."""
    story, name, told = Translation(prompt), prompt.client, 0.0
    async with aclosing(await services.jobs.subscribe(prompt.job)) as texts:
        async for text in texts:
            for event in json.loads(text):
                is_end = event["type"] == "state" and event["state"] in TERMINAL
                is_due = is_end or time.monotonic() - told >= TABLES_S
                if is_due and (table := story.progress_state()) is not None:
                    told = time.monotonic()
                    await listeners.tell(name, table)
                for message in story.take(event):
                    await _pass_on(message, prompt, listeners, services.files)
                if story.at is not None:
                    listeners.running[name] = story
    if listeners.running.get(name) is story:
        del listeners.running[name]
    await listeners.tell(name, await status(services.jobs))
    await listeners.tell(name, story.end())


async def remaining(jobs: Jobs) -> Mapping[str, object]:
    """How many prompts run and wait, whoever asked for them."""
    queue = await jobs.queue(1)
    return {"exec_info": {"queue_remaining": len(queue.running) + queue.total}}


async def status(jobs: Jobs) -> Message:
    return "status", {"status": await remaining(jobs)}


async def _pass_on(
    message: Message | Picture | Streamed, prompt: Prompt, listeners: Listeners, files: FileStore
) -> None:
    match message:
        case Picture():
            await listeners.show(prompt.client, message, prompt.id)
        case Streamed():
            for file in message.files:
                data = await asyncio.to_thread(files.read, file.folder, file.name)
                await listeners.show(prompt.client, Picture(message.node, file.media_type, data, whole=True), prompt.id)
        case _:
            await listeners.tell(prompt.client, message)


async def _tell_of_the_queue(listener: Listener, jobs: Jobs, name: str) -> None:
    """The length of the queue, whenever a job changes its state."""
    type, said = await status(jobs)
    await _unless_gone(listener.tell((type, {**said, "sid": name})))
    async with aclosing(jobs.watch()) as texts:
        async for text in texts:
            if any(event["type"] == "state" for event in json.loads(text)):
                await _unless_gone(listener.tell(await status(jobs)))


async def _hear(listener: Listener) -> None:
    """What a program says: only its first message means something, if it tells its abilities."""
    first = True
    async for message in listener.socket:
        said = _parsed(message.data) if first and message.type == WSMsgType.TEXT else None
        first = False
        if is_object(said) and said.get("type") == "feature_flags" and is_object(said.get("data")):
            listener.wants_metadata = said["data"].get("supports_preview_metadata") is True
            await _unless_gone(listener.tell(("feature_flags", FEATURES)))


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def _unless_gone(sending: Awaitable[None]) -> None:
    """One that has just gone is told nothing; its prompts go on."""
    try:
        await sending
    except ConnectionError:
        log.debug("a program that listened went away")
