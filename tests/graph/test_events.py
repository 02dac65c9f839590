"""Events as they travel."""

from __future__ import annotations

import json

from graph import OutputFile
from graph.events import Cached, Estimate, Failed, Finished, NodeError, Preview, Progress, Queued, Skipped, Started

FILE = OutputFile("a.png", "image/png", 4, 3)
FILE_JSON = {"name": "a.png", "media_type": "image/png", "width": 4, "height": 3, "folder": "output"}


def test_every_event_is_plain_json_with_its_type_and_node() -> None:
    events = [
        (Queued("1", "never run"), {"type": "queued", "reason": "never run"}),
        (Cached("1", "same"), {"type": "cached", "reason": "same"}),
        (Cached("1", "same", (FILE,)), {"type": "cached", "reason": "same", "outputs": [FILE_JSON]}),
        (Started("1", "evicted"), {"type": "started", "reason": "evicted"}),
        (Progress("1", 2, 20), {"type": "progress", "step": 2, "total": 20}),
        (Preview("1", "image/jpeg", b"\xff"), {"type": "preview", "media_type": "image/jpeg", "data": "/w=="}),
        (Finished("1", 1.23456), {"type": "finished", "ms": 1.235, "bytes": 0}),
        (Finished("1", 2.0, (FILE,), 48), {"type": "finished", "ms": 2.0, "bytes": 48, "outputs": [FILE_JSON]}),
        (Skipped("1", "cancelled"), {"type": "skipped", "reason": "cancelled"}),
        (
            Failed("1", NodeError("node_failed", "ValueError", "bad", "1")),
            {
                "type": "failed",
                "error": {
                    "code": "node_failed",
                    "type": "ValueError",
                    "message": "bad",
                    "node": "1",
                    "port": None,
                    "traceback": "",
                },
            },
        ),
    ]
    for event, expected in events:
        assert json.loads(json.dumps(event.to_json())) == {"node": "1", **expected}
    told = Estimate(1234.56, 1000.04, 2048, 1).to_json()
    assert told == {"type": "estimate", "ms": 1234.6, "left_ms": 1000.0, "peak_bytes": 2048, "unknown": 1}
