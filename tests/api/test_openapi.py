from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from api.openapi import describe
from api.routes import ROUTES
from tests.api.world import API, World, png, workflow


def test_the_document_is_valid_and_every_route_is_in_it(world: World) -> None:
    document = world.ask("GET", f"{API}/openapi.json").json
    validate(document)
    described = {(method, path) for path, item in document["paths"].items() for method in item}
    assert described == {(route.method.lower(), route.template) for route in ROUTES}


def test_operation_ids_are_unique() -> None:
    paths: Any = describe(ROUTES, "test")["paths"]
    ids = [operation["operationId"] for item in paths.values() for operation in item.values()]
    assert len(ids) == len(set(ids))


def test_one_route_is_open_and_it_is_the_login() -> None:
    assert [route.path for route in ROUTES if route.open] == ["/login"]


def test_only_get_routes_have_no_method_that_changes_state() -> None:
    assert {route.method for route in ROUTES} == {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def job(world: World) -> str:
    for folder in ("input", "output", "temp"):
        (world.folder / "data" / folder / "default").write_bytes(png())
    return world.run(workflow("x"))


@pytest.fixture
def examples(world: World, job: str) -> dict[str, str]:
    """Values for the variables of the paths, of things that are there."""
    saved = world.send_json("PUT", f"{API}/workflows/default", workflow("x"), {"If-Match": "*"})
    world.send_json("PUT", f"{API}/workflows/default/draft", workflow("y"))
    world.send_json("PUT", f"{API}/workflows/deleted", workflow("x"))
    entry = world.ask("DELETE", f"{API}/workflows/deleted", headers={"If-Match": "*"}).json["id"]
    revision = saved.json["revision"]
    values = {"{id}": job, "{name}": "default", "{path}": "main.js", "{revision}": revision, "{entry}": entry}
    return values | {"{folder}": "output", "{pack}": "tint"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_answers_are_what_the_document_says(world: World, examples: dict[str, str], route: Any) -> None:
    path = route.template
    for variable, value in examples.items():
        path = path.replace(variable, value)
    if route.template == f"{API}/files":
        answer = world.ask("POST", path, png(), {"Content-Type": "image/png"})
    elif route.body is None:
        answer = world.ask(route.method, path, headers={"If-Match": "*"})
    elif route.body.schema == "JobRequest":
        answer = world.send_json(route.method, path, {"workflow": workflow("x")})
    elif route.body.schema == "Prompt":
        answer = world.send_json(route.method, path, {"text": "a red apple"})
    elif route.body.schema == "JobsToCancel":
        answer = world.send_json(route.method, path, {"ids": [examples["{id}"]]})
    elif route.body.schema == "Foreign":
        answer = world.send_json(route.method, path, {"1": {"class_type": "CLIPTextEncode", "inputs": {"text": "x"}}})
    elif route.body.schema == "WorkflowName":
        answer = world.send_json(route.method, path, {"name": f"other/{examples['{entry}']}"})
    elif route.body.schema == "RevisionLabel":
        answer = world.send_json(route.method, path, {"label": "the one"})
    elif route.body.schema == "JobChange":
        world.ask("POST", f"{API}/queue/pause")
        waiting = world.send_json("POST", f"{API}/jobs", {"workflow": workflow("x")}).json["id"]
        answer = world.send_json(route.method, f"{API}/jobs/{waiting}", {"position": 0})
        world.ask("POST", f"{API}/queue/resume")
    elif route.body.schema == "Workflow":
        answer = world.send_json(route.method, path, workflow("y"), {"If-Match": "*"})
    else:
        answer = world.ask(route.method, path, headers={"If-Match": "*"})
    document: Any = describe(ROUTES, "test")
    if 101 in route.answers:
        assert answer.status == 426
        schema = "Problem"
    else:
        assert answer.status in route.answers, answer.body[:300]
        schema = route.answers[answer.status].schema
    if schema is not None:
        whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        Draft202012Validator(whole).validate(answer.json)
