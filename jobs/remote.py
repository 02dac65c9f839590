"""Asking the server that holds a data folder, from the command line."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from graph.workflow import Workflow
from jobs.exits import Exit, Failure

LIMIT_S = 90.0


def explain_there(url: str, workflow: Workflow, token: str | None) -> Mapping[str, Any]:
    """What the server at `url`, which has the cache, would do, see Engine.explain. Raises Failure."""
    body = json.dumps({"workflow": workflow.document}).encode()
    return _ask(url, "POST", "jobs/explain", token, body)


def cache_there(url: str, cleared: str | None, token: str | None) -> Mapping[str, Any]:
    """What the caches of the server at `url` hold, by tier, once `cleared` is empty ("all": every one).

    Raises Failure."""
    if cleared is None:
        return _ask(url, "GET", "cache", token)["tiers"]
    return _ask(url, "DELETE", "cache" if cleared == "all" else f"cache?tier={cleared}", token)["tiers"]


def _ask(url: str, method: str, path: str, token: str | None, body: bytes | None = None) -> Mapping[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    place = f"{url}/api/v1/{path}"
    request = urllib.request.Request(place, body, headers, method=method)  # noqa: S310 - the url is our own
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        code = Exit.INVALID if error.code == 422 else Exit.NO_SERVER
        raise Failure(code, f"{url} refused: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise Failure(Exit.NO_SERVER, f"cannot reach the server at {url}: {error}") from error
