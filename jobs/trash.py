"""Deleted documents: a folder each, with the text, its revisions and its draft, until someone brings them back."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from jobs.files import FileStore, NoSuchFile, publish, replace_file, sync_folder
from jobs.revisions import Revisions

TRASH = "trash"
NAME = "name.txt"
TEXT = "workflow.json"
_ENTRY = re.compile(r"[0-9]{13}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Deleted:
    """A document in the trash. `deleted` is in milliseconds since the epoch."""

    id: str
    name: str
    deleted: int


class Trash:
    """Whatever is cut short leaves a document where it was, or in the trash, or both; never in neither."""

    def __init__(self, files: FileStore, revisions: Revisions) -> None:
        self._files, self._revisions = files, revisions

    def list(self) -> list[Deleted]:
        """Latest first. A folder without a text was never filled, or is empty again."""
        found = [
            Deleted(path.name, (path / NAME).read_text(encoding="utf-8"), int(path.name.partition("-")[0]))
            for path in self._files.root(TRASH).iterdir()
            if _ENTRY.fullmatch(path.name) and (path / TEXT).is_file() and (path / NAME).is_file()
        ]
        return sorted(found, key=lambda deleted: deleted.id, reverse=True)

    def take(self, document: str, text: Path) -> str:
        """Move a document whose text is at `text` here; the id it has here."""
        id = f"{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(4)}"
        folder = self._files.place(TRASH, f"{id}/{TEXT}").parent
        replace_file(folder / NAME, document.encode())
        text.rename(folder / TEXT)
        sync_folder(folder)
        sync_folder(text.parent)
        self._revisions.move_out(document, folder)
        return id

    def name_of(self, id: str) -> str:
        """What the document was called. Raises NoSuchFile."""
        for deleted in self.list():
            if deleted.id == id:
                return deleted.name
        raise NoSuchFile(f"there is nothing {id!r:.60} in the trash")

    def give_back(self, id: str, document: str, text: Path) -> bool:
        """Move what has this id to `text`, as `document`; False, and nothing done, if something is there."""
        folder = self._files.root(TRASH) / id
        if text.exists():
            return False
        self._revisions.move_in(folder, document)
        if not publish(folder / TEXT, text):
            return False
        shutil.rmtree(folder)
        return True

    def destroy(self, id: str) -> None:
        """Raises NoSuchFile."""
        self.name_of(id)
        (self._files.root(TRASH) / id / TEXT).unlink()
        shutil.rmtree(self._files.root(TRASH) / id)
