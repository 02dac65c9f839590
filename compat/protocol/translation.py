"""The events of a job as ComfyUI's messages, in its order, whatever the network does with them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from compat.protocol.prompts import STREAMED, Prompt, class_of, owner, pictures
from graph.context import OutputFile

Message = tuple[str, Mapping[str, Any]]
"""Its type, and its data."""
FORMATS: Final[Mapping[str, int]] = {"image/jpeg": 1, "image/png": 2}


@dataclass(frozen=True)
class Picture:
    """A preview of a node, encoded; `whole`: a result that is sent instead of being kept."""

    node: str
    media_type: str
    data: bytes
    whole: bool = False


@dataclass(frozen=True)
class Streamed:
    """Results to be read and sent to the program."""

    node: str
    files: Sequence[OutputFile]


class Translation:
    """Takes the events of one job in order. `at` is the node that runs, as far as was told."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._begin()

    def _begin(self) -> None:
        self.at: str | None = None
        self._cached: list[str] | None = []
        self._shown: dict[str, Sequence[OutputFile]] = {}
        self._executed: list[str] = []
        self._table: dict[str, dict[str, Any]] = {}
        self._failure: Mapping[str, Any] | None = None
        self._changed = False

    def take(self, event: Mapping[str, Any]) -> Iterator[Message | Picture | Streamed]:
        """What to tell of an event."""
        match event["type"]:
            case "state":
                yield from self._state(event)
            case "cached":
                yield from self._found(self._owner(event), _files(event))
            case "started":
                yield from self._planned()
                yield from self._start(self._owner(event))
            case "progress":
                yield from self._progress(self._owner(event), event["step"], event["total"])
            case "preview":
                yield Picture(self._owner(event), event["media_type"], base64.b64decode(event["data"]))
            case "finished":
                yield from self._finished(event["node"], self._owner(event), _files(event))
            case "failed":
                yield from self._planned()
                self._failure = self._failure or event["error"]
                self._note(self._owner(event), state="error")
            case _:
                pass

    def progress_state(self) -> Message | None:
        """The whole table, if it is another one than at the last call."""
        if not self._changed:
            return None
        self._changed = False
        return "progress_state", self._told(nodes={id: dict(entry) for id, entry in self._table.items()})

    def _state(self, event: Mapping[str, Any]) -> Iterator[Message | Picture | Streamed]:
        match event["state"]:
            case "running":
                self._begin()
                yield "execution_start", self._told(timestamp=event["t"])
            case "done":
                yield from self._planned()
                yield "execution_success", self._told(timestamp=event["t"])
            case "failed":
                yield from self._planned()
                yield "execution_error", self._error(event)
            case "cancelled":
                yield "execution_interrupted", self._stopped(self.at or "", event)
            case _:
                pass

    def end(self) -> Message:
        """That there is no more to tell, for when the history has it."""
        self.at = None
        return "executing", self._told(node=None)

    def _planned(self) -> Iterator[Message | Picture | Streamed]:
        """Once: what need not run."""
        if self._cached is None:
            return
        cached, self._cached = self._cached, None
        yield "execution_cached", self._told(nodes=cached)
        for id, files in self._shown.items():
            yield from self._show(id, files)

    def _found(self, id: str, files: Sequence[OutputFile]) -> Iterator[Message | Picture | Streamed]:
        self._note(id, state="finished", value=1, max=1)
        if self._cached is not None:
            if id not in self._cached:
                self._cached.append(id)
            if files:
                self._shown[id] = files
        elif files:
            yield from self._show(id, files)

    def _start(self, id: str) -> Iterator[Message]:
        self._note(id, state="running")
        if id != self.at:
            self.at = id
            yield "executing", self._told(node=id, display_node=id)

    def _progress(self, id: str, step: int, total: int) -> Iterator[Message]:
        self._note(id, state="running", value=step, max=total)
        yield "progress", self._told(value=step, max=total, node=id)

    def _finished(self, node: str, id: str, files: Sequence[OutputFile]) -> Iterator[Message | Streamed]:
        if node == id or node.replace("|", "/") == id:
            self._executed.append(id)
            self._note(id, state="finished", value=self._table.get(id, {}).get("max", 1))
        if files:
            yield from self._show(id, files)

    def _show(self, id: str, files: Sequence[OutputFile]) -> Iterator[Message | Streamed]:
        if class_of(self._prompt.nodes, id) == STREAMED:
            if id != self.at:
                self.at = id
                yield "executing", self._told(node=id, display_node=id)
            yield Streamed(id, files)
        else:
            yield "executed", self._told(node=id, display_node=id, output=pictures(files))

    def _error(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        error = self._failure or event.get("error") or {}
        id = owner(str(error.get("node") or self.at or ""), self._prompt.nodes)
        return {
            **self._stopped(id, event),
            "exception_message": error.get("message", ""),
            "exception_type": error.get("type") or error.get("code", ""),
            "traceback": str(error.get("traceback") or "").splitlines(keepends=True),
            "current_inputs": {},
            "current_outputs": list(self._executed),
        }

    def _stopped(self, id: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        kind = class_of(self._prompt.nodes, id) if id else ""
        return self._told(node_id=id, node_type=kind, executed=list(self._executed), timestamp=event["t"])

    def _note(self, id: str, **said: object) -> None:
        entry = self._table.setdefault(id, {"value": 0, "max": 1})
        entry |= said
        entry |= {"node_id": id, "prompt_id": self._prompt.id, "display_node_id": id, "parent_node_id": None}
        entry["real_node_id"] = id
        self._changed = True

    def _told(self, **said: object) -> dict[str, Any]:
        return {**said, "prompt_id": self._prompt.id}

    def _owner(self, event: Mapping[str, Any]) -> str:
        return owner(event["node"], self._prompt.nodes)


def _files(event: Mapping[str, Any]) -> list[OutputFile]:
    return [OutputFile(**file) for file in event.get("outputs", ())]
