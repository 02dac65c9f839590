"""Saved workflows: JSON files whose revision is the hash of their content; no save hides another's change."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.files import FileStore, NoSuchFile, parts_of

FOLDER = "workflows"
SUFFIX = ".json"


@dataclass(frozen=True)
class Saved:
    """A saved workflow without its content. `modified` is in milliseconds since the epoch."""

    name: str
    revision: str
    modified: int


class Conflict(ValueError):
    """The document has another revision than the one to be replaced; `current` is None when there is no document."""

    def __init__(self, name: str, expected: str | None, current: str | None) -> None:
        super().__init__(f"expected workflow {name!r:.100} at {_called(expected)}, but it is at {_called(current)}")
        self.expected, self.current = expected, current


class Documents:
    """The folder "workflows" of the file store. Reads and writes run in threads, one write at a time."""

    def __init__(self, files: FileStore) -> None:
        self._files = files
        self._writing = asyncio.Lock()

    async def list(self) -> Sequence[Saved]:
        """All saved workflows by name."""
        return await asyncio.to_thread(self._list)

    async def read(self, name: str) -> tuple[bytes, str]:
        """Content and revision. Raises BadName or NoSuchFile."""
        return await asyncio.to_thread(self._read, name)

    async def save(self, name: str, content: bytes, expected: str | None) -> tuple[str, bool]:
        """Write `content` over the revision `expected` (None: the name must be free, "*": over whatever is there).

        The new revision, and whether the name was free. Raises BadName, or Conflict with nothing written.
        """
        async with self._writing:
            return await asyncio.to_thread(self._save, name, content, expected)

    def _list(self) -> Sequence[Saved]:
        found: list[Saved] = []
        for file in self._files.names(FOLDER):
            if file.endswith(SUFFIX):
                modified = self._files.path(FOLDER, file).stat().st_mtime_ns // 1_000_000
                found.append(Saved(file.removesuffix(SUFFIX), self._files.fingerprint(FOLDER, file), modified))
        return found

    def _read(self, name: str) -> tuple[bytes, str]:
        content = self._files.read(FOLDER, name + SUFFIX)
        return content, _revision(content)

    def _save(self, name: str, content: bytes, expected: str | None) -> tuple[str, bool]:
        parts_of(name)
        try:
            current = self._read(name)[1]
        except NoSuchFile:
            current = None
        revision = _revision(content)
        if expected != "*" and current != expected:
            raise Conflict(name, expected, current)
        if revision != current:
            self._files.replace(FOLDER, name + SUFFIX, content)
        return revision, current is None


def _revision(content: bytes) -> str:
    """The same hash as FileStore.fingerprint."""
    return hashlib.blake2b(content, digest_size=20).hexdigest()


def _called(revision: str | None) -> str:
    return "no revision" if revision is None else f"revision {revision!r:.60}"
