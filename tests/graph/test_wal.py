"""Many processes may open one file at once."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from graph import wal


def connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)


def test_a_file_another_is_preparing_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    other, mine = connected(path), connected(path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        mine.execute("PRAGMA journal_mode=WAL")
    ready = threading.Timer(0.05, other.execute, ["COMMIT"])
    ready.start()
    wal.log_ahead(mine)
    ready.join()
    assert mine.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_file_that_stays_locked_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "PATIENCE_S", 0.03)
    path = tmp_path / "new.db"
    other = connected(path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        wal.log_ahead(connected(path))
