"""The folder everything is written to: where it lies by default, and the lock that keeps it to one server."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.exits import Exit, Failure

LOCK = "server.lock"


class HomeTaken(Failure):
    """Another server holds the folder; `holder` is what it wrote about itself."""

    def __init__(self, folder: Path, holder: Mapping[str, Any]) -> None:
        who = f"the server at {holder['url']} (process {holder['pid']})" if "url" in holder else "another server"
        super().__init__(
            Exit.UNAVAILABLE,
            f"{folder} is in use by {who}; stop it, or give this one another folder with --data",
        )
        self.holder = holder


def default_home(platform: str, environ: Mapping[str, str], user_home: Path) -> Path:
    """WEFT_HOME, else the platform's place for a program's data (XDG on Linux)."""
    if chosen := environ.get("WEFT_HOME"):
        return Path(chosen)
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or user_home / "AppData" / "Local") / "weft"
    if platform == "darwin":
        return user_home / "Library" / "Application Support" / "weft"
    data = environ.get("XDG_DATA_HOME", "")
    return (Path(data) if Path(data).is_absolute() else user_home / ".local" / "share") / "weft"


def open_home(chosen: Path | None) -> Path:
    """The folder, there and writable; Failure when it cannot be."""
    folder = chosen or default_home(sys.platform, os.environ, Path.home())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        message = f"cannot write to the data folder {folder}: {error.strerror}; choose another with --data"
        raise Failure(Exit.CANNOT_WRITE, message) from error
    return folder.resolve()


class HomeLock:
    """Held from `__init__` to `release` or the end of the process, however that comes. What it says is believed while
    it is held only. Raises HomeTaken, and Failure when it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        try:
            self._file = self._path.open("a+b", buffering=0)
        except OSError as error:
            raise self._failure(error) from error
        if not _try_lock(self._file.fileno()):
            self._file.close()
            raise HomeTaken(folder, _read(folder))
        self._write({})

    def tell(self, url: str) -> None:
        """Say where the server can be reached."""
        self._write({"pid": os.getpid(), "url": url})

    def release(self) -> None:
        self._file.close()

    def _write(self, holder: Mapping[str, Any]) -> None:
        try:
            self._file.truncate(0)
            self._file.write(b"\0" + json.dumps(holder).encode())
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> Failure:
        return Failure(Exit.CANNOT_WRITE, f"cannot write {self._path}: {error.strerror}")


def server_of(folder: Path) -> str | None:
    """The address of the server that holds the folder now, if there is one."""
    if not (folder / LOCK).is_file():
        return None
    with (folder / LOCK).open("r+b") as file:
        if _try_lock(file.fileno()):
            return None
    return _read(folder).get("url")


def _read(folder: Path) -> Mapping[str, Any]:
    """What the holder wrote; nothing while it is being written, or when it was not written to its end."""
    try:
        return json.loads((folder / LOCK).read_bytes()[1:])
    except ValueError:
        return {}


if os.name == "nt":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        """Lock the first byte, which is why the file says nothing there."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
