"""The queue over HTTP: stopping, moving, priorities, turns, cancelling many, running again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.world import API, World, workflow


@pytest.fixture
def paused(world: World) -> Iterator[World]:
    assert world.ask("POST", f"{API}/queue/pause").json["paused"] is True
    yield world
    waiting = world.ask("GET", f"{API}/queue").json["queued"]
    world.send_json("POST", f"{API}/jobs/cancel", {"ids": waiting})
    assert world.send_json("POST", f"{API}/queue/resume", {}).json["paused"] is False


def submit(world: World, client: str = "one", **more: object) -> str:
    request = {"workflow": workflow("x"), **more}
    return world.send_json("POST", f"{API}/jobs", request, {"Weft-Client": client}).json["id"]


def queued(world: World) -> list[str]:
    return world.ask("GET", f"{API}/queue").json["queued"]


def move(world: World, id: str, **change: object) -> dict[str, object]:
    answer = world.send_json("PATCH", f"{API}/jobs/{id}", change)
    assert answer.status == 200, answer.body
    return answer.json


def test_a_paused_queue_takes_jobs_and_starts_none(paused: World) -> None:
    id = submit(paused)
    assert paused.ask("GET", f"{API}/queue").json == {"paused": True, "running": [], "queued": [id], "total": 1}
    assert paused.ask("GET", f"{API}/jobs/{id}").json["state"] == "queued"
    paused.ask("POST", f"{API}/queue/resume")
    assert paused.ask("GET", f"{API}/jobs/{id}", headers={"Prefer": "wait=20"}).json["state"] == "done"


def test_jobs_are_moved(paused: World) -> None:
    a, b, c, d = (submit(paused) for _ in range(4))
    assert move(paused, d, position=0) == {"id": d, "priority": 0, "position": 0}
    assert queued(paused) == [d, a, b, c]
    assert move(paused, c, before=b)["position"] == 2
    assert queued(paused) == [d, a, c, b]
    assert move(paused, d, position=99)["position"] == 3
    assert queued(paused) == [a, c, b, d]
    assert move(paused, b, priority=5) == {"id": b, "priority": 5, "position": 0}
    assert move(paused, a, priority=-5)["position"] == 3
    assert queued(paused) == [b, c, d, a]


def test_clients_take_turns_and_priorities_go_first(paused: World) -> None:
    many = [submit(paused, "many") for _ in range(3)]
    few = [submit(paused, "few") for _ in range(2)]
    urgent = submit(paused, "many", priority=1)
    assert queued(paused) == [urgent, many[0], few[0], many[1], few[1], many[2]]
    job = paused.ask("GET", f"{API}/jobs/{urgent}").json
    assert (job["client"], job["priority"]) == ("many", 1)


def test_many_jobs_are_cancelled_at_once_or_none(paused: World) -> None:
    a, b, c = (submit(paused) for _ in range(3))
    refused = paused.send_json("POST", f"{API}/jobs/cancel", {"ids": [a, "nothing", b]})
    assert (refused.status, refused.json["code"]) == (404, "unknown_job")
    assert queued(paused) == [a, b, c]
    answer = paused.send_json("POST", f"{API}/jobs/cancel", {"ids": [a, c]})
    assert (answer.status, answer.json) == (202, {"states": {a: "cancelled", c: "cancelled"}})
    assert queued(paused) == [b]


def test_a_job_runs_again_as_it_was(world: World) -> None:
    request = {"workflow": workflow("again") | {"notes": 1}, "targets": ["2"], "priority": 3}
    first = world.send_json("POST", f"{API}/jobs", request).json["id"]
    answer = world.ask("POST", f"{API}/jobs/{first}/rerun")
    assert answer.status == 202
    assert answer.json["id"] != first
    ended = world.ask("GET", f"{API}/jobs/{answer.json['id']}", headers={"Prefer": "wait=20"}).json
    assert (ended["state"], ended["priority"]) == ("done", 3)
    assert world.ask("GET", f"{API}/jobs/{answer.json['id']}/workflow").json == request["workflow"]
    assert world.ask("POST", f"{API}/jobs/nothing/rerun").status == 404


@pytest.mark.parametrize(
    "change",
    [{}, {"position": -1}, {"position": True}, {"position": 1.5}, {"before": 3}, {"priority": 5000}, {"rank": 1}]
    + [{"position": 0, "priority": 1}],
)
def test_a_change_that_makes_no_sense_is_refused(paused: World, change: dict[str, object]) -> None:
    a, b = submit(paused), submit(paused)
    assert paused.send_json("PATCH", f"{API}/jobs/{b}", change).status == 400
    assert queued(paused) == [a, b]


def test_only_a_queued_job_is_moved(world: World) -> None:
    done = world.run(workflow("done"))
    refused = world.send_json("PATCH", f"{API}/jobs/{done}", {"position": 0})
    assert (refused.status, refused.json["code"], refused.json["state"]) == (409, "not_queued", "done")
    assert world.send_json("PATCH", f"{API}/jobs/nothing", {"position": 0}).status == 404


@pytest.mark.parametrize("priority", [1.5, "1", True, 1001, None])
def test_a_priority_is_a_whole_number(world: World, priority: object) -> None:
    answer = world.send_json("POST", f"{API}/jobs", {"workflow": workflow("x"), "priority": priority})
    assert (answer.status, answer.json["code"]) == (400, "bad_request")


def test_a_client_has_a_name_of_letters(world: World) -> None:
    answer = world.send_json("POST", f"{API}/jobs", {"workflow": workflow("x")}, {"Weft-Client": "a b"})
    assert (answer.status, answer.json["code"]) == (400, "bad_client")
