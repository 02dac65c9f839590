"""The state of each node of a job, folded from its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NodeState = dict[str, Any]
"""`{"state": "cached"|"running"|"ran"|"failed"|"skipped", "reason": str, "ms": float | None}`"""


class Summary:
    def __init__(self) -> None:
        self.nodes: dict[str, NodeState] = {}
        self.estimate: Mapping[str, float] | None = None
        """the latest, `t` being when it was made"""

    def fold(self, event: Mapping[str, Any]) -> None:
        """Take one event in its JSON form; a job that starts (again) forgets its earlier attempt."""
        match event["type"]:
            case "queued":
                pass
            case "cached" | "skipped" as state:
                self.nodes[event["node"]] = {"state": state, "reason": event["reason"], "ms": 0}
            case "started":
                self.nodes[event["node"]] = {"state": "running", "reason": event["reason"], "ms": None}
            case "finished":
                self.nodes[event["node"]].update(state="ran", ms=event["ms"])
            case "failed":
                self.nodes[event["node"]] = {"state": "failed", "reason": event["error"]["message"], "ms": None}
            case "estimate":
                self.estimate = {name: event.get(name, 0) for name in ("ms", "left_ms", "peak_bytes", "unknown", "t")}
            case "state" if event["state"] == "running":
                self.nodes.clear()
                self.estimate = None
            case _:
                pass

    def interrupted(self, reason: str) -> dict[str, NodeState]:
        """The nodes when the run ends here: what was running is skipped for `reason`."""
        stopped = {"state": "skipped", "reason": reason, "ms": None}
        return {id: stopped if node["state"] == "running" else node for id, node in self.nodes.items()}
