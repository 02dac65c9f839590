"""What the protocol keeps in memory: prompts, the programs that listen, and what uploads are called there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from api.services import Services
from compat.protocol.listeners import Listeners, follow
from compat.protocol.prompts import Prompt, Prompts
from compat.workflows.foreign import is_object

MOST_NAMES: Final = 10_000
log = logging.getLogger("weft.api")


class Uploads:
    """Names that programs gave to files, where another file had the name: some say it again instead of what they were
    answered."""

    def __init__(self) -> None:
        self._stored: dict[str, str] = {}

    def put(self, given: str, stored: str) -> None:
        self._stored.pop(given, None)
        if given != stored:
            self._stored[given] = stored
        while len(self._stored) > MOST_NAMES:
            del self._stored[next(iter(self._stored))]

    def find(self, given: str) -> str:
        return self._stored.get(given, given)

    def named(self, nodes: Mapping[str, Any], inputs: Mapping[str, str]) -> dict[str, Any]:
        """The nodes of a prompt with the names of files here; `inputs`: by class, the input that names one."""
        return {id: self._with_name(node, inputs.get(node["class_type"], "")) for id, node in nodes.items()}

    def _with_name(self, node: Mapping[str, Any], input: str) -> Mapping[str, Any]:
        inputs = node.get("inputs")
        if not is_object(inputs) or not isinstance(given := inputs.get(input), str):
            return node
        return {**node, "inputs": {**inputs, input: self.find(given.removesuffix(" [input]"))}}


@dataclass
class Peer:
    """One for each server; lives as long."""

    prompts: Prompts = field(default_factory=Prompts)
    listeners: Listeners = field(default_factory=Listeners)
    uploads: Uploads = field(default_factory=Uploads)
    _count: int = -1
    _followers: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def count(self) -> int:
        """The number of a prompt that asks for none; refused ones count, too."""
        self._count += 1
        return self._count

    def accepted(self, prompt: Prompt, services: Services) -> None:
        """Remember a prompt, and tell its program from now on what becomes of it."""
        self.prompts.add(prompt)
        if prompt.client:
            task = asyncio.create_task(follow(prompt, services, self.listeners), name=f"prompt {prompt.id}")
            self._followers.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._followers.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a prompt was not told to the end", exc_info=error)
