"""The events of a job become the peer's messages, in its order."""

from __future__ import annotations

import base64
from typing import Any

from compat.protocol.prompts import Prompt, Prompts, owner
from compat.protocol.translation import Picture, Streamed, Translation

NODES = {id: {"class_type": kind, "inputs": {}} for id, kind in (("3", "KSampler"), ("9", "SaveImage"))}
FILE = {"name": "a/b.png", "media_type": "image/png", "width": 8, "height": 8, "folder": "output"}


def prompt(id: str = "p", job: str = "j", nodes: Any = NODES) -> Prompt:
    return Prompt(id, job, 0, "c", nodes, {}, ("9",), 0)


def told(*events: dict[str, Any], nodes: Any = NODES) -> list[Any]:
    story = Translation(prompt(nodes=nodes))
    return [message for event in events for message in story.take({"t": 5, **event})]


def types(messages: list[Any]) -> list[str]:
    return [message[0] if isinstance(message, tuple) else type(message).__name__ for message in messages]


def state(now: str, **more: Any) -> dict[str, Any]:
    return {"type": "state", "state": now, **more}


def test_a_run_is_told_in_order() -> None:
    messages = told(
        state("queued"),
        state("running"),
        {"type": "cached", "node": "4"},
        {"type": "queued", "node": "3"},
        {"type": "started", "node": "3.noise"},
        {"type": "started", "node": "3"},
        {"type": "progress", "node": "3", "step": 1, "total": 4},
        {"type": "preview", "node": "3", "media_type": "image/jpeg", "data": base64.b64encode(b"jpeg").decode()},
        {"type": "finished", "node": "3"},
        {"type": "started", "node": "9"},
        {"type": "finished", "node": "9", "outputs": [FILE]},
        state("done"),
    )
    assert types(messages) == [
        "execution_start",
        "execution_cached",
        "executing",
        "progress",
        "Picture",
        "executing",
        "executed",
        "execution_success",
    ]
    assert messages[1][1]["nodes"] == ["4"]
    assert messages[4] == Picture("3", "image/jpeg", b"jpeg")
    assert messages[6][1]["output"] == {"images": [{"filename": "b.png", "subfolder": "a", "type": "output"}]}
    assert all(data["prompt_id"] == "p" for _, data in (m for m in messages if isinstance(m, tuple)))


def test_an_output_that_is_kept_is_shown_after_the_plan() -> None:
    messages = told(state("running"), {"type": "cached", "node": "9", "outputs": [FILE]}, state("done"))
    assert types(messages) == ["execution_start", "execution_cached", "executed", "execution_success"]


def test_a_failure_names_the_node_of_the_prompt() -> None:
    error = {"type": "ValueError", "message": "no", "node": "3.guide", "traceback": "a\nb\n"}
    messages = told(
        state("running"),
        {"type": "started", "node": "3.guide"},
        {"type": "failed", "node": "3.guide", "error": error},
        state("failed", error={"code": "node_failed", "message": "1 node failed"}),
    )
    last = messages[-1]
    assert last[0] == "execution_error"
    assert (last[1]["node_id"], last[1]["node_type"], last[1]["exception_type"]) == ("3", "KSampler", "ValueError")
    assert last[1]["traceback"] == ["a\n", "b\n"]


def test_a_job_that_fails_without_a_node_is_an_error_where_it_was() -> None:
    lost = state("failed", error={"code": "worker_died", "message": "the worker died"})
    kind, data = told(state("running"), {"type": "started", "node": "3"}, lost)[-1]
    assert (kind, data["node_id"], data["exception_message"]) == ("execution_error", "3", "the worker died")


def test_a_cancelled_run_is_interrupted() -> None:
    kind, data = told(state("running"), {"type": "started", "node": "3"}, state("cancelled"))[-1]
    assert (kind, data["node_id"], data["node_type"]) == ("execution_interrupted", "3", "KSampler")


def test_a_second_attempt_begins_anew() -> None:
    story = Translation(prompt())
    for event in (state("running"), {"type": "started", "node": "3"}, state("queued"), state("running")):
        list(story.take({"t": 5, **event}))
    assert story.at is None
    assert story.progress_state() is None


def test_the_table_is_told_when_it_changed() -> None:
    story = Translation(prompt())
    list(story.take({"t": 5, "type": "progress", "node": "3", "step": 2, "total": 4}))
    table = story.progress_state()
    assert table is not None
    assert table[1]["nodes"]["3"]["value"] == 2
    assert story.progress_state() is None


def test_pictures_for_the_program_alone_are_streamed() -> None:
    nodes = {**NODES, "9": {"class_type": "SaveImageWebsocket", "inputs": {}}}
    messages = told(state("running"), {"type": "finished", "node": "9", "outputs": [FILE]}, nodes=nodes)
    assert isinstance(messages[-1], Streamed)
    assert messages[-2] == ("executing", {"node": "9", "display_node": "9", "prompt_id": "p"})


def test_nodes_made_beside_belong_to_the_one_they_came_of() -> None:
    nodes = {"3": {}, "57:3": {}, "a/b": {}, "1.5": {}}
    found = [owner(id, nodes) for id in ("3.noise'", "57:3.beside", "a|b", "a|b.guide", "1.5.guide", "3/4", "x.y")]
    assert found == ["3", "57:3", "a/b", "a/b", "1.5", "3", "x.y"]


def test_an_id_that_comes_again_is_the_later_prompt() -> None:
    prompts = Prompts()
    prompts.add(prompt(job="one"))
    prompts.add(prompt(job="two"))
    assert [each.job for each in prompts] == ["two"]
    assert prompts.of_job("one") is None
