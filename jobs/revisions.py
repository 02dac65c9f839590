"""What was saved of each document before, and what was not saved yet: plain JSON files that a person can copy.

Under "revisions" a folder for each document holds its revisions, `TIME-REVISION.json`, and of those that were given a
name, `REVISION.name`. Under "drafts" there is at most one file for each document, `DOCUMENT.BASE.json`, BASE being the
revision it was begun from. "%" and "/" of a document's name are escaped, so that folders of documents do not nest here.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jobs.files import MAX_NAME_BYTES, BadName, FileStore, NoSuchFile, parts_of, replace_file, sync_folder

REVISIONS = "revisions"
DRAFTS = "drafts"
NO_BASE: Final = "new"
MOST_NAME: Final = 200
"""Characters of the name of a revision."""
LATEST: Final = 30
"""Revisions without a name that are all kept; of the older ones, the last of each hour, day or week."""
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
_ENTRY = re.compile(r"([0-9]{13})-([0-9a-f]{40})\.json")
_DRAFT = re.compile(rf"(.+)\.([0-9a-f]{{40}}|{NO_BASE})\.json")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class Revision:
    """A text that was saved. `saved` is when it was last, in milliseconds since the epoch."""

    revision: str
    saved: int
    name: str | None


@dataclass(frozen=True)
class Draft:
    """A text that was not saved yet. `base` is the revision it was begun from, None for a new document."""

    name: str
    base: str | None
    saved: int


def revision_of(content: bytes) -> str:
    """The same hash as FileStore.fingerprint."""
    return hashlib.blake2b(content, digest_size=20).hexdigest()


def key_of(document: str) -> str:
    """What stands for a document in file names. Raises BadName."""
    parts_of(document)
    key = document.replace("%", "%25").replace("/", "%2F")
    size, most = len(key.encode()), MAX_NAME_BYTES - len(f".{'0' * 40}.json.{'0' * 8}.part.")
    if size > most:
        raise BadName(document, f"it takes {size} bytes, at most {most} can be used (a Chinese character takes 3)")
    return key


def check_name(name: str) -> None:
    """Raises BadName for what cannot name a revision."""
    if not 0 < len(name.strip()) <= MOST_NAME or _CONTROL.search(name):
        raise BadName(name, f"a revision is named in 1 to {MOST_NAME} characters of text")


class Revisions:
    """One thread at a time for each document."""

    def __init__(self, files: FileStore) -> None:
        self._files = files

    def list(self, document: str) -> list[Revision]:
        """Newest first."""
        found = [Revision(hash, saved, self._name(document, hash)) for saved, hash in self._entries(document)]
        return found[::-1]

    def read(self, document: str, revision: str) -> bytes:
        """Raises NoSuchFile."""
        for saved, hash in self._entries(document):
            if hash == revision:
                return self._files.read(REVISIONS, f"{key_of(document)}/{_file(saved, hash)}")
        raise NoSuchFile(f"{document!r} has no revision {revision!r:.60}")

    def add(self, document: str, content: bytes, name: str | None = None) -> str:
        """Take up what is saved now; a text that was saved before becomes the latest. Its revision."""
        revision, now = revision_of(content), time.time_ns() // 1_000_000
        entries = self._entries(document)
        folder = self._files.place(REVISIONS, f"{key_of(document)}/x").parent
        if name is not None:
            self.set_name(document, revision, name)
        if not entries or entries[-1][1] != revision:
            now = max(now, entries[-1][0] + 1) if entries else now
            replace_file(folder / _file(now, revision), content)
            for saved in [saved for saved, hash in entries if hash == revision]:
                (folder / _file(saved, revision)).unlink()
        return revision

    def set_name(self, document: str, revision: str, name: str | None) -> None:
        """What has a name is kept for ever; None takes it away. Raises BadName."""
        path = self._files.place(REVISIONS, f"{key_of(document)}/{revision}.name")
        if name is None:
            path.unlink(missing_ok=True)
        else:
            check_name(name)
            replace_file(path, name.encode())

    def thin(self, document: str, current: str) -> None:
        """Let go of old revisions, save the current one and those with a name."""
        now = time.time_ns() // 1_000_000
        named = {hash for _, hash in self._entries(document) if self._name(document, hash) is not None}
        unnamed = [(saved, hash) for saved, hash in self._entries(document) if hash not in named]
        kept = kept_of([saved for saved, _ in unnamed], now)
        for saved, hash in unnamed:
            if saved not in kept and hash != current:
                self._files.path(REVISIONS, f"{key_of(document)}/{_file(saved, hash)}").unlink()

    def move(self, document: str, to: str) -> None:
        """What `to` has already stays."""
        source, key = self._files.root(REVISIONS) / key_of(document), key_of(to)
        target = self._files.place(REVISIONS, f"{key}/x").parent
        if source.is_dir():
            self._merge(source, target)
            source.rmdir()
        for draft, base in self._drafts(document):
            draft.replace(self._files.place(DRAFTS, f"{key}.{base}.json"))

    def move_out(self, document: str, folder: Path) -> None:
        """Put all revisions of a document, and its draft, into a folder that is there."""
        source = self._files.root(REVISIONS) / key_of(document)
        if source.is_dir():
            source.rename(folder / REVISIONS)
        for draft, base in self._drafts(document):
            draft.rename(folder / f"draft.{base}.json")
        sync_folder(folder)

    def move_in(self, folder: Path, document: str) -> None:
        """The reverse; what the document has already stays."""
        key = key_of(document)
        target = self._files.place(REVISIONS, f"{key}/x").parent
        if (folder / REVISIONS).is_dir():
            self._merge(folder / REVISIONS, target)
        for path in sorted(folder.glob("draft.*.json")):
            path.replace(self._files.place(DRAFTS, key + path.name.removeprefix("draft")))

    def drafts(self) -> list[Draft]:
        """Of all documents, by name."""
        found = [
            Draft(_document(match[1]), _base(match[2]), path.stat().st_mtime_ns // 1_000_000)
            for path, match in self._draft_files()
        ]
        return sorted(found, key=lambda draft: draft.name.casefold())

    def read_draft(self, document: str) -> tuple[bytes, str | None]:
        """The draft and its base. Raises NoSuchFile."""
        for path, base in self._drafts(document):
            return self._files.read(DRAFTS, path.name), _base(base)
        raise NoSuchFile(f"{document!r} has no draft")

    def write_draft(self, document: str, content: bytes, base: str | None) -> None:
        """Replace the draft; one that was begun from another revision becomes a revision first."""
        target = self._files.place(DRAFTS, f"{key_of(document)}.{base or NO_BASE}.json")
        for path, _ in self._drafts(document):
            if path.name != target.name:
                self.add(document, self._files.read(DRAFTS, path.name))
                path.unlink()
        replace_file(target, content)

    def drop_draft(self, document: str, revisions: Container[str] | None = None) -> None:
        """Let go of the draft, if it is one of `revisions` (None: whatever it is)."""
        for path, _ in self._drafts(document):
            if revisions is None or revision_of(self._files.read(DRAFTS, path.name)) in revisions:
                path.unlink()

    def _merge(self, source: Path, target: Path) -> None:
        for path in sorted(source.iterdir()):
            path.replace(target / path.name)
        sync_folder(target)

    def _entries(self, document: str) -> list[tuple[int, str]]:
        """Time and revision of each, oldest first."""
        folder = self._files.root(REVISIONS) / key_of(document)
        with contextlib.suppress(FileNotFoundError):
            matches = (_ENTRY.fullmatch(path.name) for path in folder.iterdir())
            return sorted((int(match[1]), match[2]) for match in matches if match)
        return []

    def _name(self, document: str, revision: str) -> str | None:
        try:
            return self._files.read(REVISIONS, f"{key_of(document)}/{revision}.name").decode(errors="replace")
        except NoSuchFile:
            return None

    def _drafts(self, document: str) -> list[tuple[Path, str]]:
        key = key_of(document)
        return [(path, match[2]) for path, match in self._draft_files() if match[1] == key]

    def _draft_files(self) -> Iterator[tuple[Path, re.Match[str]]]:
        for path in self._files.root(DRAFTS).iterdir():
            if (match := _DRAFT.fullmatch(path.name)) and not path.name.startswith("."):
                yield path, match


def kept_of(times: Iterable[int], now: int) -> set[int]:
    """Which of the times of revisions without a name are kept: the latest 30, and the last of each hour of a day, of
    each day of a month, and of each week before."""
    ordered = sorted(times, reverse=True)
    kept = set(ordered[:LATEST])
    seen = set[tuple[int, int]]()
    for moment in ordered:
        age = now - moment
        span = HOUR if age < DAY else DAY if age < 30 * DAY else 7 * DAY
        if (span, moment // span) not in seen:
            seen.add((span, moment // span))
            kept.add(moment)
    return kept


def _file(saved: int, revision: str) -> str:
    return f"{saved:013d}-{revision}.json"


def _base(text: str) -> str | None:
    return None if text == NO_BASE else text


def _document(key: str) -> str:
    return key.replace("%2F", "/").replace("%25", "%")
