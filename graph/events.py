"""Everything a run tells the outside world, one event for each decision; the only way information flows up."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from graph.context import OutputFile

NodeId = str


@dataclass(frozen=True, slots=True)
class Queued:
    """The cache lacks what the node makes, as far as is known; `reason` says why."""

    node: NodeId
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"type": "queued", "node": self.node, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Cached:
    """The node need not run. Of a wanted sink `outputs` are the files of the earlier run."""

    node: NodeId
    reason: str
    outputs: tuple[OutputFile, ...] = ()

    def to_json(self) -> dict[str, Any]:
        files = {"outputs": [file.to_json() for file in self.outputs]} if self.outputs else {}
        return {"type": "cached", "node": self.node, "reason": self.reason, **files}


@dataclass(frozen=True, slots=True)
class Started:
    """The node's function is about to be called; its inputs have arrived, so `reason` is exact."""

    node: NodeId
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"type": "started", "node": self.node, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Progress:
    node: NodeId
    step: int
    total: int

    def to_json(self) -> dict[str, Any]:
        return {"type": "progress", "node": self.node, "step": self.step, "total": self.total}


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture of work in progress, encoded; its bytes are base64 on the wire."""

    node: NodeId
    media_type: str
    data: bytes

    def to_json(self) -> dict[str, Any]:
        data = base64.b64encode(self.data).decode("ascii")
        return {"type": "preview", "node": self.node, "media_type": self.media_type, "data": data}


@dataclass(frozen=True, slots=True)
class Finished:
    """The function returned after `ms` milliseconds; `outputs` are the files a sink wrote, `bytes` what it made."""

    node: NodeId
    ms: float
    outputs: tuple[OutputFile, ...] = ()
    bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        files = {"outputs": [file.to_json() for file in self.outputs]} if self.outputs else {}
        return {"type": "finished", "node": self.node, "ms": round(self.ms, 3), "bytes": self.bytes, **files}


@dataclass(frozen=True, slots=True)
class NodeError:
    """Why a node failed: `type` is the exception's class, `port` the input to blame where one is known."""

    code: str
    type: str
    message: str
    node: NodeId
    port: str | None = None
    traceback: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "type": self.type,
            "message": self.message,
            "node": self.node,
            "port": self.port,
            "traceback": self.traceback,
        }


def endless(node: NodeId, owner: str) -> NodeError:
    """The failure of a node that is what it grew of."""
    message = f"{owner} expands into itself without end: expected a fragment that differs from what it grows of"
    return NodeError("endless_expansion", "RecursionError", message, node)


@dataclass(frozen=True, slots=True)
class Failed:
    node: NodeId
    error: NodeError

    def to_json(self) -> dict[str, Any]:
        return {"type": "failed", "node": self.node, "error": self.error.to_json()}


@dataclass(frozen=True, slots=True)
class Skipped:
    """The node was to run and will not: something it needs failed, nothing needs it any more, or the job was
    cancelled."""

    node: NodeId
    reason: str

    def to_json(self) -> dict[str, Any]:
        return {"type": "skipped", "node": self.node, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long the run takes: `ms` from its start to its end, `left_ms` of that from now on, by what nodes took in
    earlier runs and by the steps of those that run; of `unknown` nodes nothing is known. `peak_bytes` are the most that
    are held at a time."""

    ms: float
    left_ms: float
    peak_bytes: int
    unknown: int

    def to_json(self) -> dict[str, Any]:
        times = {"ms": round(self.ms, 1), "left_ms": round(self.left_ms, 1)}
        return {"type": "estimate", **times, "peak_bytes": self.peak_bytes, "unknown": self.unknown}


Event = Queued | Cached | Started | Progress | Preview | Finished | Failed | Skipped | Estimate
