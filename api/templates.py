"""Workflows to start from, which come with Weft: the page's own and the tour, with a picture each made."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any, cast

from aiohttp import hdrs, web

from api.problems import Refused
from api.services import Services
from jobs.files import WEIGHTS, BadName, FileStore, NoSuchFile
from jobs.several import PIPELINE

FOLDER = "templates"
SUFFIX = ".json"
PICTURE = ".webp"
INPUT = "input"
PICTURES = (".png", ".jpg", ".webp")
DAY_S = 86_400


@dataclass(frozen=True)
class Template:
    """`needs` are the weights and pictures it names that are not there; without any it runs at once."""

    name: str
    picture: bool
    needs: list[str]


async def list_templates(_request: web.Request, services: Services) -> web.StreamResponse:
    """The templates, whether each has a picture, and what it needs that is not there."""
    found = await asyncio.to_thread(_list, services.files)
    return web.json_response({"templates": [asdict(each) for each in found]})


async def get(request: web.Request, services: Services) -> web.StreamResponse:
    """One template."""
    content = await _read(request, services, SUFFIX)
    return web.Response(body=content, content_type="application/json")


async def picture(request: web.Request, services: Services) -> web.StreamResponse:
    """A small picture it made."""
    content = await _read(request, services, PICTURE)
    return web.Response(
        body=content, content_type="image/webp", headers={hdrs.CACHE_CONTROL: f"private, max-age={DAY_S}"}
    )


async def _read(request: web.Request, services: Services, suffix: str) -> bytes:
    name = request.match_info["name"]
    try:
        return await asyncio.to_thread(services.files.read, FOLDER, name + suffix)
    except (BadName, NoSuchFile) as error:
        raise Refused(
            404, "unknown_template", f"There is no template {name!r:.100}.", hint="GET /api/v1/templates"
        ) from error


def _list(files: FileStore) -> list[Template]:
    there = {name for found in files.models().values() for name in found} | set(files.names(INPUT))
    names = files.names(FOLDER)
    found = [_look(files, name.removesuffix(SUFFIX), names, there) for name in names if name.endswith(SUFFIX)]
    return sorted(found, key=lambda template: (len(template.needs) > 0, template.name != "default", template.name))


def _look(files: FileStore, name: str, names: Sequence[str], there: Set[str]) -> Template:
    needs = _needs(json.loads(files.read(FOLDER, name + SUFFIX)), there)
    return Template(name, name + PICTURE in names, needs)


def _needs(document: Any, there: Set[str]) -> list[str]:
    swept = (name for text in _texts(document["nodes"]) for name in text.split(", "))
    return sorted({name for name in swept if name.endswith((*WEIGHTS, *PICTURES, PIPELINE))} - there)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each)
