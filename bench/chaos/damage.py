"""Flips bits of a cache folder while others read and write it."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

ROWS = (("results", "body"), ("contents", "data"), ("records", "body"), ("facts", "body"), ("structures", "key"))


def flip_a_bit(folder: Path, chance: random.Random) -> bool:
    """One bit of a content or of a row of the index; False when there was nothing to hit."""
    files = sorted(folder.glob("contents/*/*.safetensors"))
    if files and chance.random() < 0.5:
        with contextlib.suppress(FileNotFoundError):
            return _flip_file(chance.choice(files), chance)
        return False
    return (folder / "index.db").exists() and _flip_row(folder / "index.db", chance)


def flip_any_bit(folder: Path, chance: random.Random) -> bool:
    """One bit of a page of the index, or of its log."""
    path = folder / chance.choice(("index.db", "index.db", "index.db-wal"))
    with contextlib.suppress(FileNotFoundError):
        return _flip_file(path, chance)
    return False


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _flip_file(path: Path, chance: random.Random) -> bool:
    with path.open("r+b", buffering=0) as file:
        at = chance.randrange(max(1, path.stat().st_size))
        file.seek(at)
        byte = file.read(1)
        if not byte:
            return False
        file.seek(at)
        file.write(flipped(byte, chance))
        return True


def _flip_row(index: Path, chance: random.Random) -> bool:
    with contextlib.closing(sqlite3.connect(index, timeout=10)) as db:
        table, column = chance.choice(ROWS)
        key = "rowid" if table in ("records", "structures") else {"contents": "hash", "facts": "name"}.get(table, "key")
        try:
            found = db.execute(
                f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY random() LIMIT 1"
            ).fetchone()
            if found is None:
                return False
            row, data = found
            db.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (flipped(data, chance), row))
            db.commit()
        except sqlite3.OperationalError:  # no tables yet, or a writer that was killed holds the lock
            return False
    return True
