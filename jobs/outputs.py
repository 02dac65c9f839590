"""Writes what nodes make: whole files under names that are counted up and never used twice."""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from graph.context import OutputFile
from jobs.files import PART, make_folder, parts_of, publish

SUFFIXES: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/avif": ".avif",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "audio/wav": ".wav",
    "audio/flac": ".flac",
    "audio/ogg": ".ogg",
    "application/json": ".json",
    "text/plain": ".txt",
    "application/x-safetensors": ".safetensors",
}


class OutputWriter:
    """`output` and `temp` are the folders results go to. Safe to use from threads and from several processes."""

    def __init__(self, output: Path, temp: Path) -> None:
        self._folders = {"output": output, "temp": temp}
        self._next: dict[tuple[Path, str], int] = {}
        self._lock = threading.Lock()

    def save(
        self,
        data: bytes | Iterable[bytes],
        *,
        prefix: str,
        media_type: str,
        width: int,
        height: int,
        temporary: bool,
    ) -> OutputFile:
        """Write `data` as `prefix-00001.png`, or the next free number; the file is there whole and durable, or not.

        `data` may come in pieces. `prefix` may hold folders, divided by "/". ValueError for a bad prefix or an unknown
        media type, OSError that names the folder where it cannot be written.
        """
        suffix = SUFFIXES.get(media_type)
        if suffix is None:
            raise ValueError(f"expected a media type of {', '.join(SUFFIXES)}, got {media_type!r}")
        folder = "temp" if temporary else "output"
        *folders, stem = parts_of(prefix)
        parts_of(f"{stem}-00001{suffix}")
        target = self._folders[folder].joinpath(*folders)
        make_folder(target)
        if not target.resolve().is_relative_to(self._folders[folder].resolve()):
            raise ValueError(f"the folder of {prefix!r} is a link that leaves the {folder} folder")
        part = target / f".{secrets.token_hex(8)}{PART}"
        try:
            with part.open("xb") as file:
                file.writelines((data,) if isinstance(data, bytes) else data)
                file.flush()
                os.fsync(file.fileno())
            name = f"{stem}-{self._number(target, stem):05d}{suffix}"
            while not publish(part, target / name):
                name = f"{stem}-{self._number(target, stem):05d}{suffix}"
        except BaseException as error:
            part.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno and error.filename in (None, str(part)):
                error.filename = str(target)
            raise
        return OutputFile("/".join([*folders, name]), media_type, width, height, folder)

    def _number(self, folder: Path, stem: str) -> int:
        """A number this process has not tried, above every one in use when the prefix was first seen."""
        with self._lock:
            number = self._next.get((folder, stem)) or _highest(folder, stem) + 1
            self._next[folder, stem] = number + 1
            return number


def _highest(folder: Path, stem: str) -> int:
    counted = re.compile(re.escape(stem) + r"-([0-9]{5,12})\.[a-z0-9]+")
    return max((int(match[1]) for entry in os.scandir(folder) if (match := counted.fullmatch(entry.name))), default=0)
