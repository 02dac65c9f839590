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
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    body = json.dumps({"workflow": workflow.document}).encode()
    request = urllib.request.Request(f"{url}/api/v1/jobs/explain", body, headers)  # noqa: S310 - the url is our own
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        code = Exit.INVALID if error.code == 422 else Exit.NO_SERVER
        raise Failure(code, f"{url} refused: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise Failure(Exit.NO_SERVER, f"cannot reach the server at {url}: {error}") from error
