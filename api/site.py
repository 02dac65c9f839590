"""The page as the browser gets it: one immutable edition at a time, whose address changes when a file of it does.

The page links to "/web/EDITION/...", so that what was loaded once is never asked for again. Put together here are: the
first module with all that it imports, as one, out of which the modules that come later take theirs; NAME.css or NAME.js
that is no file but a folder NAME of such files, as those files one after another, bare (the modules of such a folder
import nothing); and the import map by which packs reach the page's public module. Under "/web/..." the files are what
they are on disk.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Final

from api.bundle import Bundle, bundle
from jobs.files import FileStore, NoSuchFile

FOLDER: Final = "web"
PAGE: Final = "index.html"
FIRST: Final = "main.js"
PUBLIC: Final = "weft.js"
MERGED: Final = (".css", ".js")
COMPRESSED: Final = (".html", ".js", ".css", ".json", ".map", ".svg", ".webmanifest")
_TAG: Final = re.compile(r"[0-9a-f]{16}")
_COMMENT: Final = re.compile(rb"^\s*/\*.*?\*/", re.DOTALL | re.MULTILINE)
_INDENT: Final = re.compile(rb"^\s+", re.MULTILINE)
_MARK: Final = b"<!-- import map -->"
_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self' 'sha256-{hash}'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "font-src 'self'",
    "connect-src 'self'",
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)


@dataclass(frozen=True)
class Asset:
    """A file as it is sent. `tag` stands for its content."""

    body: bytes
    zipped: bytes | None
    tag: str


@dataclass(frozen=True)
class Edition:
    """The files of the page as they are at one moment, under an address of their own. `policy` lets run what is of this
    edition, and nothing else."""

    tag: str
    address: str
    page: Asset
    policy: str
    made: Bundle
    sent: dict[str, Asset]


class Site:
    """Reads the files of the page again when one of them changed. To be used in threads."""

    def __init__(self, files: FileStore) -> None:
        self._files = files
        self._edition: Edition | None = None
        self._composing = Lock()

    def edition(self) -> Edition:
        """The current one. Raises NoSuchFile for a page that is not there."""
        tag = _tag_of(self._files.root(FOLDER))
        with self._composing:
            edition = self._edition
            if edition is None or edition.tag != tag:
                edition = self._edition = self._compose(tag)
        return edition

    def asset(self, path: str) -> tuple[Asset, bool]:
        """A file by its path, with or without the tag of an edition; whether it is of the current edition, and so stays
        as it is. Raises BadName, NoSuchFile."""
        tag, _, rest = path.partition("/")
        if not _TAG.fullmatch(tag):
            return self._read(path), False
        edition = self._edition
        if edition is None or edition.tag != tag:
            return self._read(rest), False
        if rest not in edition.sent:
            edition.sent[rest] = self._read(rest, edition.made)
        return edition.sent[rest], True

    def _compose(self, tag: str) -> Edition:
        address = f"/web/{tag}/"
        imports = f'{{"imports":{{"weft":"{address}{PUBLIC}"}}}}'.encode()
        page = self._files.read(FOLDER, PAGE).replace(b'"/web/', f'"{address}'.encode())
        page = page.replace(_MARK, b'<script type="importmap">' + imports + b"</script>")
        proof = base64.b64encode(hashlib.sha256(imports).digest()).decode()
        made = bundle(lambda name: self._files.read(FOLDER, name).decode(), FIRST)
        texts = {FIRST: made.code, f"{FIRST}.map": made.map, **made.stands}
        sent = {name: asset_of(name, text.encode()) for name, text in texts.items()}
        return Edition(tag, address, asset_of(PAGE, page), "; ".join(_POLICY).replace("{hash}", proof), made, sent)

    def _read(self, name: str, made: Bundle | None = None) -> Asset:
        try:
            body = self._files.read(FOLDER, name)
            if made is not None and PurePosixPath(name).suffix == ".js":
                body = made.shared(name, body.decode()).encode()
            return asset_of(name, body)
        except NoSuchFile:
            path = PurePosixPath(name)
            folder = path.with_suffix("")
            self._files.check_name(name)
            parts = sorted((self._files.root(FOLDER) / folder).glob(f"*{path.suffix}")) if path.suffix in MERGED else []
            if not parts:
                raise
            texts = (self._files.read(FOLDER, f"{folder}/{part.name}") for part in parts)
            return asset_of(name, b"\n".join(map(_bare, texts)))


def _bare(text: bytes) -> bytes:
    """A style sheet or table of sentences without comments and indents."""
    return _INDENT.sub(b"", _COMMENT.sub(b"", text))


def asset_of(name: str, body: bytes) -> Asset:
    """A file by its name, compressed where that is of use."""
    zipped = gzip.compress(body, 9, mtime=0) if PurePosixPath(name).suffix in COMPRESSED else None
    return Asset(body, zipped, hashlib.sha256(body).hexdigest()[:32])


def _tag_of(root: Path) -> str:
    """Changes when a file comes, goes or is written."""
    known = hashlib.sha256()
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            status = Path(folder, name).stat()
            known.update(f"{folder}/{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return known.hexdigest()[:16]
