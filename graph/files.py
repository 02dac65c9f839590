"""How the engine reaches files that a document names: always a folder and a name, never a path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """`folder` is one of the models folders ("checkpoints", "vae", ...) or "input", the folder of uploads."""

    def check_name(self, name: str) -> None:
        """ValueError for a name that no file can have in any folder; "/" divides folders."""
        ...

    def names(self, folder: str) -> Sequence[str]:
        """Names of the files there now, relative to the folder."""
        ...

    def path(self, folder: str, name: str) -> Path:
        """Where the file lies; ValueError when the name leaves the folder, there is no such file, or it is unsound."""
        ...

    def fingerprint(self, folder: str, name: str) -> str:
        """Hash of the file's content, remembered by path, size, mtime and inode; ValueError as for `path`."""
        ...


class NoFiles:
    """Files for graphs that name none."""

    def check_name(self, name: str) -> None:
        """Any name will do, as nothing is written."""

    def names(self, folder: str) -> Sequence[str]:
        return ()

    def path(self, folder: str, name: str) -> Path:
        raise ValueError(f"no file {name!r} in folder {folder!r}: there are no folders here")

    def fingerprint(self, folder: str, name: str) -> str:
        raise ValueError(f"no file {name!r} in folder {folder!r}: there are no folders here")
