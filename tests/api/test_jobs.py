from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from aiohttp import WSMsgType

from tests.api.world import API, World, workflow


def test_a_job_from_post_to_result(world: World) -> None:
    accepted = world.send_json("POST", f"{API}/jobs", {"workflow": workflow("a red apple")})
    assert accepted.status == 202
    assert list(accepted.json) == ["id"]
    id = accepted.json["id"]
    assert accepted.headers["Location"] == f"{API}/jobs/{id}"
    job = world.ask("GET", f"{API}/jobs/{id}", headers={"Prefer": "wait=20"}).json
    assert (job["id"], job["state"], job["error"]) == (id, "done", None)
    assert job["nodes"]["1"] == {"state": "ran", "reason": "never run", "ms": 0.1}
    url = f"{API}/files/output/out%20put/%C3%A9-00001.png"
    assert job["outputs"] == {"2": [{"url": url, "media_type": "image/png", "width": 8, "height": 8}]}


def test_every_problem_of_a_graph_is_told_at_once_and_nothing_is_recorded(world: World) -> None:
    before = world.state()
    broken = workflow(7, **{"3": {"type": "test.Wrods", "inputs": {}}, "4": {"type": "test.Show", "inputs": {}}})
    answer = world.send_json("POST", f"{API}/jobs", {"workflow": broken})
    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = {(problem["code"], problem["node"]) for problem in answer.json["problems"]}
    assert {("unknown_node", "3"), ("missing_input", "4")} <= told
    assert ("wrong_type", "1") in told or ("bad_value", "1") in told
    assert answer.json["code"] == "invalid_graph"
    assert (answer.json["node"], answer.json["port"]) == ("1", "text")
    assert any("test.Words" in (problem["hint"] or "") for problem in answer.json["problems"])
    lenient = world.send_json("POST", f"{API}/jobs", {"workflow": broken}, {"Prefer": "handling=lenient"})
    assert (lenient.status, lenient.json) == (200, {"problems": answer.json["problems"]})
    assert world.state() == before


def test_targets_choose_what_is_wanted(world: World) -> None:
    accepted = world.send_json("POST", f"{API}/jobs", {"workflow": workflow("apple"), "targets": ["2"]})
    assert accepted.status == 202
    refused = world.send_json("POST", f"{API}/jobs", {"workflow": workflow("apple"), "targets": ["77"]})
    assert (refused.status, refused.json["problems"][0]["code"]) == (422, "unknown_target")


def test_parameters_fill_the_interface_of_the_workflow(world: World) -> None:
    document = workflow("apple") | {"interface": [{"name": "fruit", "node": "1", "input": "text"}]}
    answer = world.send_json("POST", f"{API}/jobs", {"workflow": document, "parameters": {"fruit": "plum"}})
    assert answer.status == 202
    recorded = world.ask("GET", f"{API}/jobs/{answer.json['id']}/workflow").json
    assert recorded["nodes"]["1"]["inputs"]["text"] == "plum"
    assert recorded["interface"] == document["interface"]
    before = world.state()
    for parameters, status, code in (
        ({"friut": "plum"}, 422, "unknown_input"),
        ({"fruit": 7}, 422, "wrong_type"),
        (["fruit"], 400, None),
    ):
        refused = world.send_json("POST", f"{API}/jobs", {"workflow": document, "parameters": parameters})
        assert refused.status == status
        assert [problem["code"] for problem in refused.json.get("problems", [])] == ([code] if code else [])
    assert world.state() == before
    explained = world.send_json("POST", f"{API}/jobs/explain", {"workflow": document, "parameters": {"fruit": "fig"}})
    assert explained.status == 200


def test_an_idempotency_key_gives_one_job(world: World) -> None:
    key = {"Idempotency-Key": "0f8c4a"}
    first = world.send_json("POST", f"{API}/jobs", {"workflow": workflow("pear")}, key)
    again = world.send_json("POST", f"{API}/jobs", {"workflow": workflow("pear")}, key)
    other = world.send_json("POST", f"{API}/jobs", {"workflow": workflow("plum")}, key)
    assert (first.status, again.status) == (202, 202)
    assert first.json["id"] == again.json["id"]
    assert (other.status, other.json["code"], other.json["job"]) == (422, "key_reused", first.json["id"])
    assert world.send_json("POST", f"{API}/jobs", {}, {"Idempotency-Key": "ö"}).status == 400


def test_a_running_job_is_cancelled(world: World) -> None:
    id = world.hold()
    assert world.ask("GET", f"{API}/jobs/{id}").json["state"] == "running"
    assert world.ask("POST", f"{API}/jobs/{id}/cancel").status == 202
    ended = world.ask("GET", f"{API}/jobs/{id}", headers={"Prefer": "wait=20"}).json
    assert ended["state"] == "cancelled"
    again = world.send_json("POST", f"{API}/jobs/{id}/cancel", {})
    assert (again.status, again.json["state"]) == (202, "cancelled")


def test_pages_of_jobs_are_newest_first_and_complete(world: World) -> None:
    ids = [world.run(workflow(f"picture {index}")) for index in range(5)]
    first = world.ask("GET", f"{API}/jobs?limit=2&state=done").json
    assert [job["id"] for job in first["jobs"]] == ids[:2:-1]
    second = world.ask("GET", f"{API}/jobs?limit=2&state=done&cursor={first['next']}").json
    assert [job["id"] for job in second["jobs"]] == ids[2:0:-1]
    assert world.ask("GET", f"{API}/jobs?limit=500").json["next"] is None


@pytest.mark.parametrize("query", ["state=gone", "limit=many", "cursor=abc"])
def test_a_bad_query_is_refused(world: World, query: str) -> None:
    assert world.ask("GET", f"{API}/jobs?{query}").json["code"] == "bad_query"


@pytest.mark.parametrize("path", ["", "/workflow", "/events"])
def test_an_unknown_job_is_404(world: World, path: str) -> None:
    answer = world.ask("GET", f"{API}/jobs/0123{path}")
    assert (answer.status, answer.json["code"]) == (404, "unknown_job")


def test_the_workflow_of_a_job_comes_back_whole(world: World) -> None:
    document = workflow("kiwi") | {"view": {"zoom": 2}, "notes": ["unknown", {"fields": None}]}
    id = world.run(document)
    assert world.ask("GET", f"{API}/jobs/{id}/workflow").json == document


def test_explain_runs_nothing(world: World) -> None:
    before = world.state()
    answer = world.send_json("POST", f"{API}/jobs/explain", {"workflow": workflow("apple")})
    assert answer.json == {
        "nodes": {id: {"state": "run", "reason": "never run"} for id in "12"},
        "ms": 0,
        "peak_bytes": 0,
        "unknown": 2,
    }
    assert world.state() == before


def test_explain_tells_the_problems_of_a_workflow_where_it_may(world: World) -> None:
    broken = {"workflow": {"version": 1, "nodes": {"2": {"type": "test.Show", "inputs": {}}}}}
    assert world.send_json("POST", f"{API}/jobs/explain", broken).status == 422
    answer = world.send_json("POST", f"{API}/jobs/explain", broken, {"Prefer": "handling=lenient"})
    assert (answer.status, answer.json["nodes"]) == (200, {})
    assert [(each["node"], each["port"], each["code"]) for each in answer.json["problems"]] == [
        ("2", "value", "missing_input")
    ]


def test_recorded_events_are_numbered_and_replayed_from_any_number(world: World) -> None:
    id = world.run(workflow("lime"))
    events = world.ask("GET", f"{API}/jobs/{id}/events").json["events"]
    numbers = [event["n"] for event in events]
    assert numbers == sorted(set(numbers))
    assert [event["state"] for event in events if event["type"] == "state"] == ["queued", "running", "done"]
    for after in (*numbers, 0):
        rest = world.ask("GET", f"{API}/jobs/{id}/events?after={after}").json["events"]
        assert rest == [event for event in events if event["n"] > after]


def test_the_stream_of_a_job_replays_and_ends_with_1000(world: World) -> None:
    id = world.run(workflow("fig"))
    events = world.ask("GET", f"{API}/jobs/{id}/events").json["events"]

    async def follow(after: int) -> tuple[list[dict[str, object]], int | None]:
        received: list[dict[str, object]] = []
        url = f"http://{world.authority}{API}/events?job={id}&after={after}"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            async for message in socket:
                assert message.type is WSMsgType.TEXT
                received += json.loads(message.data)
            return received, socket.close_code

    assert asyncio.run(follow(0)) == (events, 1000)
    assert asyncio.run(follow(3)) == (events[3:], 1000)


def test_a_live_stream_sees_a_job_to_its_end(world: World) -> None:
    async def follow() -> list[str]:
        id = (await asyncio.to_thread(world.send_json, "POST", f"{API}/jobs", {"workflow": workflow("hold")})).json[
            "id"
        ]
        url = f"http://{world.authority}{API}/events?job={id}"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            states: list[str] = []
            async for message in socket:
                states += [event["state"] for event in json.loads(message.data) if event["type"] == "state"]
                if states[-1] == "running":
                    await asyncio.to_thread(world.ask, "POST", f"{API}/jobs/{id}/cancel")
            return states

    assert asyncio.run(follow()) == ["queued", "running", "cancelled"]


def test_the_stream_of_everything_tells_the_worker_and_every_transition(world: World) -> None:
    async def watch() -> list[dict[str, object]]:
        events: list[dict[str, object]] = []
        url = f"http://{world.authority}{API}/events"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            events += json.loads((await socket.receive()).data)
            id = await asyncio.to_thread(world.run, workflow("date"))
            while not any(event.get("job") == id and event["state"] == "done" for event in events):
                events += json.loads((await socket.receive(20)).data)
        return events

    events = asyncio.run(watch())
    assert (events[0]["type"], events[0]["state"]) == ("worker", "ready")
    assert {event["type"] for event in events[1:]} == {"state"}


def test_an_unknown_job_has_no_stream(world: World) -> None:
    async def connect() -> int:
        url = f"http://{world.authority}{API}/events?job=nothing"
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url)
            return refused.value.status

    assert asyncio.run(connect()) == 404
    assert world.ask("GET", f"{API}/events").status == 426
    assert world.ask("GET", f"{API}/events?after=-1").status == 400
