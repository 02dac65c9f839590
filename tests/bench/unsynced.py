"""The promises of bench.faults.power by a program that leaves out to sync: `python -m tests.bench.unsynced BUG`."""

from __future__ import annotations

import sqlite3
import sys
from typing import Any
from unittest.mock import patch

from bench.faults import power
from bench.faults.loop import is_preloaded, preloaded
from jobs import files


class Careless(sqlite3.Connection):
    """Commits without waiting for the disk."""

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        return super().execute(statement.replace("synchronous=FULL", "synchronous=NORMAL"), *parameters)


def main(bug: str) -> int:
    if not is_preloaded():
        return preloaded("tests.bench.unsynced", [bug])
    connect = sqlite3.connect
    bugs: dict[str, Any] = {
        "database": patch.object(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Careless, **k)),
        "folder": patch.object(files, "sync_folder", lambda folder: None),
    }
    with bugs[bug], patch.object(sys, "argv", ["power", "--cuts", "60"]):
        return power.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
