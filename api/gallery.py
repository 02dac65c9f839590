"""All pictures that jobs left, newest first, found by prompt, model, seed and time."""

from __future__ import annotations

from aiohttp import web

from api.files import file_url
from api.problems import Refused
from api.services import Services
from graph.context import OutputFile
from jobs.results import MOST_WORDS, Candidate, Made, Wanted

MAX_PAGE = 200
MAX_QUERY = 500


async def results(request: web.Request, services: Services) -> web.StreamResponse:
    """Jobs with kept pictures, newest first, with the prompts, models and seeds of their workflows.

    All words of `q` have to be among those; `next` is the cursor of the following page."""
    query = request.query
    words = query.get("q", "").split()
    if len(words) > MOST_WORDS or sum(map(len, words)) > MAX_QUERY:
        raise Refused(400, "bad_query", f"Expected at most {MOST_WORDS} words of {MAX_QUERY} letters together in q.")
    wanted = Wanted(words, _number(query.get("since")), _number(query.get("until")), _number(query.get("cursor")))
    limit = _number(query.get("limit")) or 50
    found, cursor = await services.jobs.results(wanted, min(limit, MAX_PAGE))
    page = {"results": [_entry(*each) for each in found], "next": None if cursor is None else str(cursor)}
    return web.json_response(page)


def _number(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise Refused(400, "bad_query", "Expected since, until, limit and cursor to be whole numbers.")
    return int(text)


def _entry(candidate: Candidate, made: Made) -> dict[str, object]:
    return {
        "job": candidate.job,
        "finished": candidate.finished,
        "prompts": list(made.prompts),
        "models": list(made.models),
        "seeds": list(made.seeds),
        "pictures": [_picture(node, file) for node, file in candidate.pictures],
    }


def _picture(node: str, file: OutputFile) -> dict[str, object]:
    return {
        "node": node,
        "url": file_url(file.folder, file.name),
        "media_type": file.media_type,
        "width": file.width,
        "height": file.height,
    }
