"""The results kept under a data folder, as the command line looks at them and lets them go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graph.ledger import Account
from graph.storage import PlainStorage
from graph.tiers.disk import Disk
from jobs.exits import Exit, Failure
from jobs.home import server_of
from jobs.listen import read_token
from jobs.remote import cache_there

ANY_SIZE = 1 << 62
"""Whoever only looks makes no room."""


def cache_of(data: Path, cleared: str | None, token_file: Path | None) -> Mapping[str, Any]:
    """Bytes and results by tier, once the tier `cleared` ("all": every one) is empty: `{tier: {"used", "results"}}`.

    The server of the data folder is asked, if one runs; without one there is the disk only. Raises Failure."""
    url = server_of(data)
    if url is not None:
        return cache_there(url, cleared, token_file and read_token(token_file))
    if cleared in ("device", "host"):
        raise Failure(Exit.NO_SERVER, f"--clear {cleared}: no server runs on {data}, so there is nothing but the disk")
    if not (data / "cache" / "index.db").is_file():
        return {"disk": {"used": 0, "results": 0}}
    disk = Disk(data / "cache", Account(ANY_SIZE), PlainStorage(), "")
    try:
        if cleared is not None:
            disk.clear()
        found = disk.report()
    finally:
        disk.close()
    if disk.failures:
        raise Failure(Exit.CANNOT_WRITE, f"the results in {data / 'cache'} cannot be read or removed")
    return {"disk": {name: found[name] for name in ("used", "results")}}
