"""The worker's voice: events of the running job in numbered batches, its end, and answers, as frames on one stream."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from graph.events import Event, Preview, Progress, Started
from jobs.protocol import Message, encode
from jobs.recorder import Recorder
from jobs.summary import Summary

FULL = 256
LINGER_S = 0.012
"""A batch leaves when it is full, this long after its first event, or when the job ends."""


_JSON: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Outbox:
    """Writes to `stream`; safe to use from threads. Events belong to the job of the last `begin`."""

    def __init__(self, stream: BinaryIO, recorder: Recorder) -> None:
        self._stream, self._recorder = stream, recorder
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._pending: list[dict[str, Any]] = []
        self._progress: dict[str, dict[str, Any]] = {}
        threading.Thread(target=self._flush_late, name="outbox", daemon=True).start()

    def begin(self, job: str, attempt: int, first: int) -> None:
        """From now on events are of `job`, numbered from `first`."""
        with self._lock:
            self._job, self._head, self._next = job, {"job": job, "attempt": attempt}, first
            self._summary = Summary()
            self._outputs: dict[str, Any] = {}
            self.error: Mapping[str, Any] | None = None

    def emit(self, event: Event) -> None:
        """Send soon. Of the progress of one node within a batch only the latest goes out."""
        fields = event.to_json()
        kind = type(event)
        with self._lock:
            if kind is Preview:
                self._send_preview(fields["node"], self._numbered(fields))
                return
            if kind is Progress:
                if fields["node"] in self._progress:
                    self._progress[fields["node"]].update(fields, t=time.time_ns() // 1_000_000)
                    return
                self._progress[fields["node"]] = fields
            elif kind is Started:
                self._recorder.note(self._job, fields["node"])
            self._pending.append(self._numbered(fields))
            self._note(fields)
            if len(self._pending) == 1:
                self._some.set()
            elif len(self._pending) == FULL:
                self._flush()

    def end(self, state: str, error: Mapping[str, Any] | None) -> None:
        """What is pending and the end of the job, in one write."""
        with self._lock:
            body = _JSON(self._summary.nodes).encode()
            facts = {"state": state, "error": error, "outputs": self._outputs, "last": self._next - 1}
            self._write(*self._batch(), Message({"op": "done", **self._head, **facts}, body))

    def tell(self, message: Message) -> None:
        """Send what is no event at once."""
        with self._lock:
            self._write(message)

    def _numbered(self, fields: dict[str, Any]) -> dict[str, Any]:
        fields["n"], fields["job"], fields["t"] = self._next, self._job, time.time_ns() // 1_000_000
        self._next += 1
        return fields

    def _note(self, event: Mapping[str, Any]) -> None:
        self._summary.fold(event)
        if "outputs" in event:
            self._outputs[event["node"]] = event["outputs"]
        if event["type"] == "failed" and self.error is None:
            self.error = event["error"]

    def _send_preview(self, node: str, event: Mapping[str, Any]) -> None:
        body = _JSON([event]).encode()
        self._write(*self._batch(), Message({"op": "preview", **self._head, "last": event["n"], "node": node}, body))

    def _batch(self) -> list[Message]:
        """What is pending as one message, or none; nothing is pending then."""
        pending, self._pending, self._progress = self._pending, [], {}
        if not pending:
            return []
        head = {"op": "events", **self._head, "first": pending[0]["n"], "last": pending[-1]["n"]}
        return [Message(head, _JSON(pending).encode())]

    def _flush(self) -> None:
        self._write(*self._batch())

    def _flush_late(self) -> None:
        while self._some.wait():
            time.sleep(LINGER_S)
            with self._lock:
                self._some.clear()
                self._flush()

    def _write(self, *messages: Message) -> None:
        data = b"".join(map(encode, messages))
        if data:
            self._stream.write(data)
            self._stream.flush()
