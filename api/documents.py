"""Saved workflows: JSON files whose revision is the hash of their content; no save hides another's change."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from jobs.files import FileStore, NoSuchFile, publish, sync_folder
from jobs.revisions import Draft, Revision, Revisions, revision_of
from jobs.trash import Deleted, Trash

FOLDER = "workflows"
SUFFIX = ".json"
TOO_LATE = "saved too late"
"""The name of a revision that came when another had been saved over its base."""

T = TypeVar("T")


@dataclass(frozen=True)
class Saved:
    """A saved workflow without its content. `modified` is in milliseconds since the epoch."""

    name: str
    revision: str
    modified: int


class Conflict(ValueError):
    """The document has another revision than the one to be replaced; `current` is None when there is no document.
    `kept` is the revision that the content was kept as, where it was."""

    def __init__(self, name: str, expected: str | None, current: str | None, kept: str | None = None) -> None:
        super().__init__(f"expected workflow {name!r:.100} at {_called(expected)}, but it is at {_called(current)}")
        self.expected, self.current, self.kept = expected, current, kept


class NameTaken(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(f"there is a workflow {name!r:.100} already")
        self.name = name


class Documents:
    """Names may hold folders, "/" between them. Reads and writes run in threads, one write at a time.

    `expected` is the revision that a change replaces: None for a name that must be free, "*" for whatever is there.
    Every method raises BadName for what cannot be a name, and, unless it says otherwise, NoSuchFile for what is not
    there."""

    def __init__(self, files: FileStore) -> None:
        self._files = files
        self._revisions = Revisions(files)
        self._trash = Trash(files, self._revisions)
        self._writing = threading.Lock()

    async def list(self) -> tuple[Sequence[Saved], Sequence[Draft]]:
        """All saved workflows by name, and all drafts."""
        return await asyncio.to_thread(lambda: (self._list(), self._revisions.drafts()))

    async def read(self, name: str) -> tuple[bytes, str]:
        """Content and revision."""
        return await asyncio.to_thread(self._read, name)

    async def save(
        self, name: str, content: bytes, expected: str | None, *, called: str | None = None, draft: str | None = None
    ) -> tuple[str, bool]:
        """Write `content` over the revision `expected`, as a revision with the name `called`. A draft that is equal
        to it, or has the revision `draft`, is let go.

        The revision, and whether the name was free. Raises Conflict with the text as it was."""
        return await self._alone(lambda: self._save(name, content, expected, called, draft))

    async def move(self, name: str, to: str) -> str:
        """Its revision. Raises NameTaken."""
        return await self._alone(lambda: self._move(name, to))

    async def delete(self, name: str, expected: str | None) -> str:
        """Put a document into the trash; its id there. Raises Conflict."""
        return await self._alone(lambda: self._delete(name, expected))

    async def revisions(self, name: str) -> Sequence[Revision]:
        """All that are kept, newest first."""
        return await asyncio.to_thread(self._list_revisions, name)

    async def read_revision(self, name: str, revision: str) -> bytes:
        return await asyncio.to_thread(self._revisions.read, name, revision)

    async def call_revision(self, name: str, revision: str, called: str | None) -> None:
        """Give a revision a name, so that it is kept for ever, or take it away."""

        def call() -> None:
            self._revisions.read(name, revision)
            self._revisions.set_name(name, revision, called)

        await self._alone(call)

    async def restore_revision(self, name: str, revision: str, expected: str | None) -> bool:
        """Make an earlier revision the text; whether the name was free. Raises Conflict."""

        def restore() -> bool:
            content = self._revisions.read(name, revision)
            return self._save(name, content, expected)[1]

        return await self._alone(restore)

    async def read_draft(self, name: str) -> tuple[bytes, str | None]:
        """Content, and the revision it was begun from."""
        return await asyncio.to_thread(self._revisions.read_draft, name)

    async def write_draft(self, name: str, content: bytes, base: str | None) -> str:
        """Its own revision. Nothing has to be there."""
        await self._alone(lambda: self._revisions.write_draft(name, content, base))
        return revision_of(content)

    async def drop_draft(self, name: str) -> None:
        def drop() -> None:
            self._revisions.read_draft(name)
            self._revisions.drop_draft(name)

        await self._alone(drop)

    async def deleted(self) -> Sequence[Deleted]:
        """What is in the trash, latest first."""
        return await asyncio.to_thread(self._trash.list)

    async def undelete(self, id: str, to: str | None) -> Saved:
        """Bring a document back, under another name if `to` says one. Raises NameTaken."""
        return await self._alone(lambda: self._undelete(id, to))

    async def destroy(self, id: str) -> None:
        """Delete what is in the trash for good."""
        await self._alone(lambda: self._trash.destroy(id))

    async def _alone(self, work: Callable[[], T]) -> T:
        """Also when the request is given up meanwhile, the next one waits for the end of this."""

        def locked() -> T:
            with self._writing:
                return work()

        return await asyncio.to_thread(locked)

    def _list(self) -> Sequence[Saved]:
        names = [file.removesuffix(SUFFIX) for file in self._files.names(FOLDER) if file.endswith(SUFFIX)]
        return [saved for name in names if (saved := self._look(name)) is not None]

    def _look(self, name: str) -> Saved | None:
        try:
            modified = self._files.path(FOLDER, name + SUFFIX).stat().st_mtime_ns // 1_000_000
            return Saved(name, self._files.fingerprint(FOLDER, name + SUFFIX), modified)
        except (NoSuchFile, FileNotFoundError):
            return None

    def _read(self, name: str) -> tuple[bytes, str]:
        content = self._files.read(FOLDER, name + SUFFIX)
        return content, revision_of(content)

    def _current(self, name: str) -> tuple[bytes, str] | tuple[None, None]:
        try:
            return self._read(name)
        except NoSuchFile:
            return None, None

    def _save(
        self, name: str, content: bytes, expected: str | None, called: str | None = None, draft: str | None = None
    ) -> tuple[str, bool]:
        before, current = self._current(name)
        revision = revision_of(content)
        if expected not in ("*", current) and revision != current:
            kept = None if expected is None else revision
            if kept and all(each.revision != kept for each in self._revisions.list(name)):
                self._revisions.add(name, content, TOO_LATE)
            raise Conflict(name, expected, current, kept)
        if before is not None and revision != current:
            self._revisions.add(name, before)
        self._revisions.add(name, content, called)
        if revision != current:
            self._files.replace(FOLDER, name + SUFFIX, content)
        self._revisions.drop_draft(name, (revision, draft))
        self._revisions.thin(name, revision)
        return revision, before is None

    def _move(self, name: str, to: str) -> str:
        revision = self._read(name)[1]
        source, target = self._files.path(FOLDER, name + SUFFIX), self._files.place(FOLDER, to + SUFFIX)
        if target.exists():
            raise NameTaken(to)
        self._revisions.move(name, to)
        if not publish(source, target):
            raise NameTaken(to)
        self._tidy(name)
        return revision

    def _delete(self, name: str, expected: str | None) -> str:
        content, current = self._read(name)
        if expected not in ("*", current):
            raise Conflict(name, expected, current)
        self._revisions.add(name, content)
        id = self._trash.take(name, self._files.path(FOLDER, name + SUFFIX))
        self._tidy(name)
        return id

    def _undelete(self, id: str, to: str | None) -> Saved:
        was = self._trash.name_of(id)
        name = was if to is None else to
        if not self._trash.give_back(id, name, self._files.place(FOLDER, name + SUFFIX)):
            raise NameTaken(name)
        saved = self._look(name)
        assert saved is not None
        return saved

    def _list_revisions(self, name: str) -> Sequence[Revision]:
        found = self._revisions.list(name)
        if not found:
            self._read(name)
        return found

    def _tidy(self, name: str) -> None:
        """Remove the folders that held nothing but a document that has left, and make its leaving durable."""
        folder, root = (self._files.root(FOLDER) / name).parent, self._files.root(FOLDER)
        sync_folder(folder)
        with contextlib.suppress(OSError):
            while folder != root:
                folder.rmdir()
                folder = folder.parent


def _called(revision: str | None) -> str:
    return "no revision" if revision is None else f"revision {revision!r:.60}"
