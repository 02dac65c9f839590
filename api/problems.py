"""Every refusal is a problem details document (RFC 9457) that says what was expected, what came and what to do."""

from __future__ import annotations

import errno
import json
import logging
import os
import sqlite3
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from graph.problems import InvalidGraph
from jobs.files import BadName

MEDIA_TYPE = "application/problem+json"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DISK = _FULL | {errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
log = logging.getLogger("weft.api")


class Refused(Exception):
    """A request that is not carried out: HTTP status, a code for programs, a sentence for people.

    `problems` lists every fault of a graph; `facts` are further members, such as the current revision: with the code,
    they are all that it takes to say the sentence in another language.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        hint: str = "",
        problems: Sequence[Mapping[str, object]] = (),
        facts: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint
        self.problems = problems
        self.facts = facts or {}
        self.headers = headers or {}

    def to_json(self) -> dict[str, object]:
        """The members of the problem details document; `node` and `port` are those of the first graph problem."""
        document: dict[str, object] = {
            "type": f"urn:weft:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        first: Mapping[str, object] = self.problems[0] if self.problems else {}
        for member, value in (("node", first.get("node")), ("port", first.get("port")), ("hint", self.hint)):
            if value:
                document[member] = value
        if self.problems:
            document["problems"] = list(self.problems)
        return document | dict(self.facts)


def respond(refused: Refused) -> web.Response:
    """The refusal as a response."""
    return web.Response(
        status=refused.status,
        body=json.dumps(refused.to_json()).encode(),
        headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **refused.headers},
    )


def invalid_graph(error: InvalidGraph) -> Refused:
    """400 for what is no workflow at all, 422 for a workflow that cannot run; every problem is listed."""
    problems = [problem.to_json() for problem in error.problems]
    first = error.problems[0]
    malformed = any(problem.code == "bad_document" for problem in error.problems)
    return Refused(
        400 if malformed else 422,
        "bad_document" if malformed else "invalid_graph",
        f"{len(problems)} problem(s) in the workflow; the first: {first.message}",
        hint=first.hint or "",
        problems=problems,
    )


def bad_name(error: BadName, hint: str = "") -> Refused:
    """400 for what can name no file."""
    return Refused(400, "bad_name", f"{error}.", hint=hint, facts={"name": error.name, "rule": error.rule})


@web.middleware
async def problem_details(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into documents; a fault of ours is logged whole and told without its insides."""
    try:
        return await handler(request)
    except Refused as refused:
        return respond(refused)
    except web.HTTPException:
        raise
    except (ConnectionError, web.RequestPayloadError) as error:
        if request.writer.output_size > 0:
            raise
        return respond(Refused(400, "cut_off", f"The request ended before its body did: {error}."))
    except Exception as error:
        log.exception("%s %s failed", request.method, request.path)
        if request.writer.output_size > 0:
            raise
        return respond(_not_stored(error) or _internal())


def is_lenient(request: web.Request) -> bool:
    """Whether problems are wanted in an answer that is no error: a browser writes every error to its console."""
    return "handling=lenient" in request.headers.get("Prefer", "")


def _internal() -> Refused:
    return Refused(500, "internal", "The server failed on this request.", hint="The server's log has the details.")


def _not_stored(error: Exception) -> Refused | None:
    """507 where the disk is full, 500 where it can be neither written to nor read; None for what the disk is not to
    blame for."""
    if isinstance(error, OSError) and error.errno in _DISK:
        cause, full = os.strerror(error.errno), error.errno in _FULL
    elif type(error) in (sqlite3.OperationalError, sqlite3.DatabaseError):
        cause, full = str(error), "disk is full" in str(error)
    else:
        return None
    if full:
        hint = "Make room on the disk of the data folder, then repeat the request."
        return Refused(507, "disk_full", f"This could not be stored: {cause}.", hint=hint, facts={"cause": cause})
    hint = "See whether the disk of the data folder is sound and can be written to, then repeat the request."
    return Refused(500, "storage_failed", f"The disk could not do this: {cause}.", hint=hint, facts={"cause": cause})
