from __future__ import annotations

import json
import threading

import pytest

from tests.api.world import API, Answer, World, workflow


def put(world: World, name: str, document: object, **headers: str) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return world.send_json("PUT", f"{API}/workflows/{name}", document, named)


def test_a_workflow_comes_back_byte_for_byte(world: World) -> None:
    text = json.dumps(workflow("apple") | {"view": {"x": 1.50}, "unknown": {"b": 1, "a": 2}}, indent=3).encode()
    saved = put(world, "fruit%20bowl", text)
    assert saved.status == 201
    back = world.ask("GET", f"{API}/workflows/fruit%20bowl")
    assert (back.status, back.body) == (200, text)
    assert back.headers["Content-Type"].startswith("application/json")
    assert back.headers["ETag"] == f'"{saved.json["revision"]}"' == saved.headers["ETag"]
    fresh = world.ask("GET", f"{API}/workflows/fruit%20bowl", headers={"If-None-Match": back.headers["ETag"]})
    assert fresh.status == 304


def test_a_save_names_the_revision_it_replaces(world: World) -> None:
    first = put(world, "still", workflow("one"))
    blind = put(world, "still", workflow("blind"))
    assert (blind.status, blind.json["code"], blind.json["current"]) == (
        409,
        "revision_conflict",
        first.json["revision"],
    )
    second = put(world, "still", workflow("two"), If_Match=first.headers["ETag"])
    assert second.status == 200
    late = put(world, "still", workflow("late"), If_Match=first.headers["ETag"])
    assert (late.status, late.json["current"]) == (409, second.json["revision"])
    assert late.headers["Content-Type"] == "application/problem+json"
    assert late.headers["ETag"] == second.headers["ETag"]
    assert world.ask("GET", f"{API}/workflows/still").json == workflow("two")
    lenient = put(world, "still", workflow("late"), If_Match=first.headers["ETag"], Prefer="handling=lenient")
    assert (lenient.status, lenient.json["current"]) == (202, second.json["revision"])
    assert world.ask("GET", f"{API}/workflows/still").json == workflow("two")
    assert put(world, "still", workflow("three"), If_Match="*").status == 200
    gone = put(world, "gone", workflow("x"), If_Match='"abc"').json
    assert gone["current"] is None
    assert world.ask("GET", f"{API}/workflows/gone/revisions/{gone['kept']}").json == workflow("x")
    assert put(world, "still", workflow("x"), If_Match='W/"abc"').json["code"] == "bad_revision"


def test_of_many_saves_over_one_revision_one_wins(world: World) -> None:
    start = put(world, "race", workflow("start")).headers["ETag"]
    statuses: list[int] = []

    def save(index: int) -> None:
        statuses.append(put(world, "race", workflow(f"writer {index}"), If_Match=start).status)

    threads = [threading.Thread(target=save, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7
    kept = world.ask("GET", f"{API}/workflows/race/revisions").json["revisions"]
    assert len(kept) == 9, "the start, who won, and all who came too late"


def test_the_list_has_names_and_revisions(world: World) -> None:
    revision = put(world, "listed", workflow("x")).json["revision"]
    listed = {each["name"]: each for each in world.ask("GET", f"{API}/workflows").json["workflows"]}
    assert listed["listed"]["revision"] == revision
    assert listed["listed"]["modified"] > 1_600_000_000_000


def test_unknown_nodes_may_be_saved_but_no_document_that_is_none(world: World) -> None:
    assert put(world, "foreign", {"version": 1, "nodes": {"1": {"type": "pack.Gone"}}}).status == 201
    before = world.state()
    for broken in ([], {"nodes": {}}, {"version": 99, "nodes": {}}, {"version": 1, "nodes": []}, b"{", b'{"a":NaN}'):
        assert put(world, "broken", broken).status == 400
    assert world.state() == before


@pytest.mark.parametrize("name", ["a%2F", "%2Fa", "a%2F..%2Fb", "..", "%2e%2e", "CON", "a.", "%00", "x" * 300, "a%5Cb"])
def test_a_name_that_is_no_file_name_is_refused(world: World, name: str) -> None:
    before = world.state()
    assert put(world, name, workflow("x")).status in (400, 404, 405)
    assert world.ask("GET", f"{API}/workflows/{name}").status in (400, 404)
    assert world.state() == before


def test_a_workflow_that_is_not_there_is_404(world: World) -> None:
    assert world.ask("GET", f"{API}/workflows/nothing").json["code"] == "unknown_workflow"


def test_templates_are_listed_and_read(world: World) -> None:
    (world.folder / "page" / "tour").mkdir()
    inputs = {"checkpoint": "sd15/model_index.json", "image": "photo.png"}
    sweep = {"checkpoint": "none.safetensors, neither.safetensors"}
    needy = {"version": 1, "nodes": {"1": {"type": "test.Weights", "inputs": inputs, "sweep": sweep}}}
    (world.folder / "page" / "tour" / "a.json").write_text(json.dumps(needy))
    assert world.ask("GET", f"{API}/templates").json["templates"] == [
        {"name": "default", "picture": True, "needs": []},
        {
            "name": "a",
            "picture": False,
            "needs": ["neither.safetensors", "none.safetensors", "photo.png", "sd15/model_index.json"],
        },
    ]
    assert world.ask("GET", f"{API}/templates/a").json == needy
    assert world.ask("GET", f"{API}/templates/default/picture").body == b"a picture"
    assert world.ask("GET", f"{API}/templates/a/picture").status == 404
    assert world.ask("GET", f"{API}/templates/default").json == workflow("a red apple")
    assert world.ask("GET", f"{API}/templates/none").status == 404
