"""Saved workflows by name: the text, which a save must know to replace it, its revisions, its draft, and the trash."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator
from dataclasses import asdict

from aiohttp import hdrs, web

from api.bodies import parse_json, parse_members, read_body
from api.documents import SUFFIX, Conflict, NameTaken
from api.jobs import read_nothing
from api.problems import Refused, bad_name, invalid_graph, is_lenient
from api.services import Services
from graph.problems import InvalidGraph
from graph.workflow import load_parsed
from jobs.files import BadName, NoSuchFile
from jobs.revisions import check_name

MAX_WORKFLOW = 32 << 20
MAX_NAME = 4096
BASE = "Weft-Base"
_REVISION = re.compile(r"[0-9a-f]{40}")


async def list_workflows(_request: web.Request, services: Services) -> web.StreamResponse:
    """Names, revisions and times of the saved workflows, and of the drafts that were not saved."""
    saved, drafts = await services.documents.list()
    return web.json_response(
        {"workflows": [asdict(each) for each in saved], "drafts": [asdict(each) for each in drafts]}
    )


async def get(request: web.Request, services: Services) -> web.StreamResponse:
    """One saved workflow, byte for byte as it was saved; its ETag is its revision."""
    with _told():
        content, revision = await services.documents.read(request.match_info["name"])
    return _document(request, content, revision)


async def put(request: web.Request, services: Services) -> web.StreamResponse:
    """Save a workflow: under a free name, or over the revision that If-Match names. What comes too late is kept too, as
    the revision the refusal tells; with `Prefer: handling=lenient` that is an answer (202), no error."""
    name, expected = request.match_info["name"], _expected(request)
    called, draft = request.query.get("label"), request.query.get("draft")
    try:
        with _told():
            if called is not None:
                check_name(called)
            content = await _read_document(request)
            revision, created = await services.documents.save(name, content, expected, called=called, draft=draft)
    except Refused as refusal:
        if refusal.code != "revision_conflict" or not is_lenient(request):
            raise
        return web.json_response({"current": None, "kept": None, **refusal.facts}, status=202)
    return _saved(name, revision, created=created)


async def delete(request: web.Request, services: Services) -> web.StreamResponse:
    """Put a workflow, with its revisions, into the trash."""
    name, expected = request.match_info["name"], _expected(request)
    with _told():
        return web.json_response({"id": await services.documents.delete(name, expected), "name": name})


async def rename(request: web.Request, services: Services) -> web.StreamResponse:
    """Give a workflow another name, with its revisions and its draft; "/" puts it into a folder."""
    with _told():
        to = await _read_name(request, needed=True)
        return _saved(to, await services.documents.move(request.match_info["name"], to), created=False)


async def get_draft(request: web.Request, services: Services) -> web.StreamResponse:
    """The draft; the header Weft-Base names the revision it was begun from, if there was one."""
    with _told():
        content, base = await services.documents.read_draft(request.match_info["name"])
    headers = {hdrs.CACHE_CONTROL: "no-cache"} | ({} if base is None else {BASE: f'"{base}"'})
    return web.Response(body=content, content_type="application/json", headers=headers)


async def put_draft(request: web.Request, services: Services) -> web.StreamResponse:
    """Keep what is not saved yet, in place of the draft before."""
    name, base = request.match_info["name"], request.query.get("base")
    if base is not None and not _REVISION.fullmatch(base):
        raise Refused(400, "bad_revision", f"Expected base to be a revision, got {base!r:.100}.")
    with _told():
        content = await _read_document(request)
        revision = await services.documents.write_draft(name, content, base)
    return web.json_response({"name": name, "revision": revision, "base": base})


async def delete_draft(request: web.Request, services: Services) -> web.StreamResponse:
    """Let the draft go."""
    with _told():
        await services.documents.drop_draft(request.match_info["name"])
    return web.json_response({})


async def list_revisions(request: web.Request, services: Services) -> web.StreamResponse:
    """The revisions of a workflow that are kept, newest first: those with a label for ever, of others ever fewer."""
    with _told():
        found = await services.documents.revisions(request.match_info["name"])
    told = [{"revision": each.revision, "saved": each.saved, "label": each.name} for each in found]
    return web.json_response({"revisions": told})


async def get_revision(request: web.Request, services: Services) -> web.StreamResponse:
    """A workflow as it was at a revision."""
    revision = request.match_info["revision"]
    with _told():
        content = await services.documents.read_revision(request.match_info["name"], revision)
    return _document(request, content, revision)


async def label_revision(request: web.Request, services: Services) -> web.StreamResponse:
    """Label a revision, so that it is kept for ever; null takes the label away."""
    name, revision = request.match_info["name"], request.match_info["revision"]
    members = await parse_members(await read_body(request, MAX_NAME), ("label",))
    label, _ = members.get("label", (0, ""))
    if label is not None and not isinstance(label, str):
        raise Refused(400, "bad_request", "Expected 'label' to be a text, or null.")
    with _told():
        await services.documents.call_revision(name, revision, label)
    return web.json_response({"revision": revision, "label": label})


async def restore_revision(request: web.Request, services: Services) -> web.StreamResponse:
    """Make an earlier revision the text again; If-Match names the one it replaces, as in a save."""
    name, revision = request.match_info["name"], request.match_info["revision"]
    expected = _expected(request)
    await read_nothing(request)
    with _told():
        created = await services.documents.restore_revision(name, revision, expected)
    return _saved(name, revision, created=created)


async def list_trash(_request: web.Request, services: Services) -> web.StreamResponse:
    """Deleted workflows, latest first."""
    return web.json_response({"workflows": [asdict(each) for each in await services.documents.deleted()]})


async def undelete(request: web.Request, services: Services) -> web.StreamResponse:
    """Bring a deleted workflow back, under the name it had or another one."""
    with _told():
        to = await _read_name(request, needed=False)
        saved = await services.documents.undelete(request.match_info["entry"], to or None)
    return _saved(saved.name, saved.revision, created=True)


async def destroy(request: web.Request, services: Services) -> web.StreamResponse:
    """Delete a workflow that is in the trash, and its revisions, for good."""
    with _told():
        await services.documents.destroy(request.match_info["entry"])
    return web.json_response({})


@contextlib.contextmanager
def _told() -> Generator[None]:
    """What goes wrong with documents, as refusals."""
    try:
        yield
    except BadName as error:
        raise bad_name(BadName(error.name.removesuffix(SUFFIX), error.rule)) from error
    except NoSuchFile as error:
        raise Refused(404, "unknown_workflow", f"{_said(error)}.", hint="GET /api/v1/workflows") from error
    except NameTaken as error:
        raise Refused(
            409, "name_taken", f"{_said(error)}.", hint="Choose another name.", facts={"name": error.name}
        ) from error
    except Conflict as error:
        raise _conflict(error) from error


def _conflict(error: Conflict) -> Refused:
    kept = {} if error.kept is None else {"kept": error.kept}
    also = "" if error.kept is None else " What came is kept, as the revision named by 'kept'."
    return Refused(
        409,
        "revision_conflict",
        f"Someone saved this workflow meanwhile: {error}.{also}",
        hint="Load the current revision, or save under another name.",
        facts={"current": error.current, **kept},
        headers={} if error.current is None else {hdrs.ETAG: f'"{error.current}"'},
    )


def _said(error: ValueError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


def _document(request: web.Request, content: bytes, revision: str) -> web.Response:
    headers = {hdrs.ETAG: f'"{revision}"', hdrs.CACHE_CONTROL: "no-cache"}
    if revision in {tag.value for tag in request.if_none_match or ()}:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type="application/json", headers=headers)


def _saved(name: str, revision: str, *, created: bool) -> web.Response:
    status, headers = 201 if created else 200, {hdrs.ETAG: f'"{revision}"'}
    return web.json_response({"name": name, "revision": revision}, status=status, headers=headers)


async def _read_document(request: web.Request) -> bytes:
    """The body; 422 for what is no workflow. Unknown nodes and fields are welcome: whoever has them can run it."""
    content = await read_body(request, MAX_WORKFLOW)
    document = await parse_json(content)
    try:
        load_parsed(document)
    except InvalidGraph as error:
        raise invalid_graph(error) from error
    return content


async def _read_name(request: web.Request, *, needed: bool) -> str:
    """The member "name" of the body; "" where it is left out and not needed."""
    members = await parse_members(await read_body(request, MAX_NAME) or b"{}", ("name",))
    name, _ = members.get("name", (None if needed else "", ""))
    if not isinstance(name, str):
        raise Refused(400, "bad_request", "Expected 'name' to be a text.")
    return name


def _expected(request: web.Request) -> str | None:
    """The revision If-Match names, "*" for any, None without the header."""
    tags = request.if_match
    if tags is None:
        return None
    if len(tags) != 1 or tags[0].is_weak:
        raise Refused(400, "bad_revision", "Expected one strong ETag or * in If-Match.")
    return tags[0].value
