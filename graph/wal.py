"""Write-ahead logging for a SQLite file that several processes open at once."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

PATIENCE_S: Final = 10.0
LOOK_S: Final = 0.01


def log_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. Of processes that do so at once SQLite refuses all but one without waiting, so the
    others try again; sqlite3.OperationalError when the file stays locked for PATIENCE_S."""
    limit = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > limit:
                raise
            time.sleep(LOOK_S)
        else:
            return
