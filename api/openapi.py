"""The OpenAPI 3.1 document, generated from the same declarations as the router."""

from __future__ import annotations

from collections.abc import Iterable

from api.problems import MEDIA_TYPE as PROBLEM
from api.route import JSON, Answer, Body, Route
from api.schemas import SCHEMAS


def describe(routes: Iterable[Route], version: str) -> dict[str, object]:
    """The whole document of the given routes."""
    paths: dict[str, dict[str, object]] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Weft", "version": version, "description": "Graphs of typed nodes, run and remembered."},
        "paths": paths,
        "components": {
            "schemas": dict(SCHEMAS),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: Route) -> dict[str, object]:
    operation: dict[str, object] = {
        "summary": route.summary,
        "operationId": f"{route.handler.__module__.removeprefix('api.')}.{route.handler.__name__}",
        "responses": {
            **{str(status): _response(answer) for status, answer in route.answers.items()},
            "4XX": {
                "description": "Refused: what was expected, what came, what to do.",
                "content": _content(PROBLEM, "Problem"),
            },
        },
    }
    parameters = [_path_parameter(name) for name in route.variables]
    parameters += [
        {"name": each.name, "in": each.where, "description": each.description, "schema": dict(each.schema)}
        for each in route.parameters
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = _request_body(route.body)
    return operation


def _path_parameter(name: str) -> dict[str, object]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _request_body(body: Body) -> dict[str, object]:
    content: dict[str, object] = {}
    for media_type in body.media_types:
        content |= _content(media_type, body.schema if media_type == JSON else None)
    return {"required": body.required, "description": f"At most {body.limit:,} bytes.", "content": content}


def _response(answer: Answer) -> dict[str, object]:
    response: dict[str, object] = {"description": answer.description}
    if answer.media_type is not None:
        response["content"] = _content(answer.media_type, answer.schema)
    return response


def _content(media_type: str, schema: str | None) -> dict[str, object]:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}} if schema else {}}
