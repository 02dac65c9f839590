"""A route as a value: the router, the gate and the OpenAPI document are all made from it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from api.services import Services

RouteHandler = Callable[[web.Request, Services], Awaitable[web.StreamResponse]]

API = "/api/v1"
JSON = "application/json"
ANY_TYPE = ("*/*",)
"""For routes of another protocol, whose clients name any content type or none. Pages of other sites are kept out all
the same: browsers say where such a request comes from."""
_VARIABLE = re.compile(r"\{([a-z_]+)(?::[^{}]+)?\}")


@dataclass(frozen=True)
class Body:
    """What a route takes: content types, bytes at most, and the name of the schema of a JSON body."""

    media_types: tuple[str, ...]
    limit: int
    schema: str | None = None
    required: bool = True


@dataclass(frozen=True)
class Answer:
    """What a route gives with one status: a sentence, the media type, the name of the schema of a JSON answer."""

    description: str
    media_type: str | None = None
    schema: str | None = None


@dataclass(frozen=True)
class Parameter:
    """A query parameter (`where` = "query") or request header (`where` = "header")."""

    name: str
    description: str
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})
    where: str = "query"


@dataclass(frozen=True)
class Route:
    """One method of one path. `open` routes answer without identity; there is one, the login address."""

    method: str
    path: str
    handler: RouteHandler
    summary: str
    answers: Mapping[int, Answer]
    body: Body | None = None
    parameters: tuple[Parameter, ...] = ()
    open: bool = False

    @property
    def template(self) -> str:
        """The path with plain variables, as OpenAPI and the router's canonical form have it."""
        return _VARIABLE.sub(r"{\1}", self.path)

    @property
    def variables(self) -> list[str]:
        """The names of the variables in the path."""
        return _VARIABLE.findall(self.path)


def json_answer(description: str, schema: str) -> Answer:
    """An answer in JSON with the named schema."""
    return Answer(description, JSON, schema)
