"""The worker's voice: numbers without holes, full batches, the end in the same breath, progress thinned."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from graph.context import OutputFile
from graph.events import Failed, Finished, NodeError, Preview, Progress, Started
from jobs import outbox, recorder
from jobs.outbox import FULL, Outbox
from jobs.protocol import Message, read


@pytest.fixture
def stream() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def box(stream: io.BytesIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.setattr(outbox, "LINGER_S", 3600)
    recorder.prepare(tmp_path / "record")
    box = Outbox(stream, recorder.Recorder(tmp_path / "record"))
    box.begin("j", 2, 3)
    return box


def messages(stream: io.BytesIO) -> list[Message]:
    stream.seek(0)
    found = []
    while (message := read(stream)) is not None:
        found.append(message)
    return found


def test_events_are_numbered_and_leave_in_full_batches(box: Outbox, stream: io.BytesIO) -> None:
    for i in range(FULL + 5):
        box.emit(Started(str(i), "never run"))
    box.end("done", None)
    first, second, done = messages(stream)
    assert (first.head["first"], first.head["last"]) == (3, FULL + 2)
    assert (second.head["first"], second.head["last"], done.head["last"]) == (FULL + 3, FULL + 7, FULL + 7)
    events = json.loads(first.body) + json.loads(second.body)
    assert [event["n"] for event in events] == list(range(3, FULL + 8))
    assert {event["job"] for event in events} == {"j"}


def test_the_end_carries_summary_outputs_and_the_first_error(box: Outbox, stream: io.BytesIO) -> None:
    error = NodeError("node_failed", "ValueError", "why", "2")
    file = OutputFile("x-00001.png", "image/png", 1, 2)
    box.emit(Started("1", "never run"))
    box.emit(Finished("1", 2.5, (file,)))
    box.emit(Started("2", "never run"))
    box.emit(Failed("2", error))
    box.end("failed", box.error)
    done = messages(stream)[-1]
    assert done.head["outputs"] == {"1": [file.to_json()]}
    assert done.head["error"]["message"] == "why"
    assert {id: node["state"] for id, node in json.loads(done.body).items()} == {"1": "ran", "2": "failed"}


def test_of_progress_within_a_batch_the_latest_goes_out(box: Outbox, stream: io.BytesIO) -> None:
    for step in range(1, 1001):
        box.emit(Progress("1", step, 1000))
    box.end("done", None)
    (event,) = json.loads(messages(stream)[0].body)
    assert (event["step"], event["n"]) == (1000, 3)


def test_a_preview_leaves_at_once_after_what_came_before_it(box: Outbox, stream: io.BytesIO) -> None:
    box.emit(Started("1", "never run"))
    box.emit(Preview("1", "image/jpeg", b"\xff\xd8"))
    events, preview = messages(stream)
    assert (events.op, events.head["last"]) == ("events", 3)
    assert (preview.op, preview.head["last"], preview.head["node"]) == ("preview", 4, "1")
    assert json.loads(preview.body)[0]["data"] == "/9g="


def test_the_recorder_knows_the_last_node_of_the_job(box: Outbox, tmp_path: Path) -> None:
    box.emit(Started("first", "never run"))
    box.emit(Started("größer", "never run"))
    assert recorder.last_node(tmp_path / "record", "j") == "größer"
    assert recorder.last_node(tmp_path / "record", "another") is None
    recorder.prepare(tmp_path / "record")
    assert recorder.last_node(tmp_path / "record", "j") is None
