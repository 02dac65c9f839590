"""What a running node may use: progress, previews, the device, and a place for the files it makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Cancelled(Exception):
    """Raised inside a node, by `Context.progress`, when its job was cancelled."""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file a sink has written: its name inside `folder` ("output", or "temp" for what need not last)."""

    name: str
    media_type: str
    width: int
    height: int
    folder: str = "output"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "media_type": self.media_type,
            "width": self.width,
            "height": self.height,
            "folder": self.folder,
        }


class Progress(Protocol):
    def __call__(self, step: int, total: int) -> None: ...


class Preview(Protocol):
    def __call__(self, media_type: str, data: bytes) -> None: ...


class Save(Protocol):
    def __call__(
        self,
        data: bytes | Iterable[bytes],
        *,
        prefix: str,
        media_type: str,
        width: int,
        height: int,
        temporary: bool,
    ) -> OutputFile: ...


def _no_progress(step: int, total: int) -> None:
    """Outside a run nobody listens and nobody cancels."""


def _no_preview(media_type: str, data: bytes) -> None:
    """Outside a run nobody looks."""


def _no_save(
    data: bytes | Iterable[bytes],  # noqa: ARG001
    *,
    prefix: str,
    media_type: str,  # noqa: ARG001
    width: int,  # noqa: ARG001
    height: int,  # noqa: ARG001
    temporary: bool,  # noqa: ARG001
) -> OutputFile:
    raise RuntimeError(f"cannot save {prefix!r}: a node called directly has no output folder; run it in a workflow")


@dataclass(frozen=True)
class Context:
    """Handed to a node that declares a parameter `ctx: Context`.

    `progress(step, total)` reports a finished step and raises `Cancelled` when the job was cancelled.
    `preview(media_type, data)` shows an encoded picture of work in progress.
    `save(data, prefix=, media_type=, width=, height=, temporary=)` writes a file and returns its OutputFile;
    `data` may come in pieces.
    `device` is where tensors belong ("cpu", "cuda:0"); `document` is the workflow as submitted, `node` the id of
    the node that runs. `residency` holds the weights of the worker's models, for nodes that load some: it decides what
    of them lies on the device.
    """

    progress: Progress = _no_progress
    preview: Preview = _no_preview
    save: Save = _no_save
    device: str = "cpu"
    document: Mapping[str, Any] = field(default_factory=dict[str, Any])
    node: str = ""
    residency: object = None


NO_CONTEXT = Context()
