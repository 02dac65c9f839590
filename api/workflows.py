"""Saved workflows by name, each with a revision that a save must know to replace it."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import hdrs, web

from api.bodies import parse_json, read_body
from api.documents import Conflict
from api.problems import Refused, invalid_graph
from api.services import Services
from graph.problems import InvalidGraph
from graph.workflow import load_parsed
from jobs.files import BadName, NoSuchFile

MAX_WORKFLOW = 32 << 20


async def list_workflows(_request: web.Request, services: Services) -> web.StreamResponse:
    """Names, revisions and times of the saved workflows."""
    return web.json_response({"workflows": [asdict(saved) for saved in await services.documents.list()]})


async def get(request: web.Request, services: Services) -> web.StreamResponse:
    """One saved workflow, byte for byte as it was saved; its ETag is its revision."""
    name = request.match_info["name"]
    try:
        content, revision = await services.documents.read(name)
    except BadName as error:
        raise Refused(400, "bad_name", str(error)) from error
    except NoSuchFile as error:
        raise Refused(
            404, "unknown_workflow", f"There is no saved workflow {name!r:.100}.", hint="GET /api/v1/workflows"
        ) from error
    headers = {hdrs.ETAG: f'"{revision}"', hdrs.CACHE_CONTROL: "no-cache"}
    if revision in {tag.value for tag in request.if_none_match or ()}:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type="application/json", headers=headers)


async def put(request: web.Request, services: Services) -> web.StreamResponse:
    """Save a workflow: under a free name, or over the revision that If-Match names."""
    name = request.match_info["name"]
    if "/" in name:
        raise Refused(400, "bad_name", "Expected a workflow name without '/'.")
    expected = _expected(request)
    content = await read_body(request, MAX_WORKFLOW)
    _check_document(await parse_json(content))
    try:
        revision, created = await services.documents.save(name, content, expected)
    except BadName as error:
        raise Refused(400, "bad_name", str(error)) from error
    except Conflict as error:
        raise Refused(
            409 if expected is None else 412,
            "revision_conflict",
            f"Someone saved this workflow meanwhile: {error}.",
            hint="Load the current revision, or save under another name.",
            facts={"current": error.current},
            headers={} if error.current is None else {hdrs.ETAG: f'"{error.current}"'},
        ) from error
    return web.json_response(
        {"name": name, "revision": revision}, status=201 if created else 200, headers={hdrs.ETAG: f'"{revision}"'}
    )


def _expected(request: web.Request) -> str | None:
    """The revision If-Match names, "*" for any, None without the header."""
    tags = request.if_match
    if tags is None:
        return None
    if len(tags) != 1 or tags[0].is_weak:
        raise Refused(400, "bad_revision", "Expected one strong ETag or * in If-Match.")
    return tags[0].value


def _check_document(document: object) -> None:
    """422 for what is no workflow. Unknown nodes and fields are welcome: whoever has them can run it."""
    try:
        load_parsed(document)
    except InvalidGraph as error:
        raise invalid_graph(error) from error
