"""Which process computes what, of those that share a cache on disk: a claim is a locked byte of a file.

The system undoes the locks of a process when it ends, however it ends: nobody waits for one that is gone, and nothing
has to be cleared away. Where there are no such locks (on Windows, on some network folders) every claim is granted, and
each process computes for itself.
"""

from __future__ import annotations

import contextlib
import os
import sys
from hashlib import blake2b
from pathlib import Path
from typing import Final

FILES: Final = 64
"""A process may have thousands of claims, and Linux looks through all there are in a file for each that is taken."""
_BYTES: Final = 7
"""Of a key, as many as make a place in a file."""

if sys.platform == "win32":

    def _lock(file: int, at: int) -> None:
        """Nothing is ever locked."""

    _unlock = _lock

else:
    import fcntl

    def _lock(file: int, at: int) -> None:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at)

    def _unlock(file: int, at: int) -> None:
        fcntl.lockf(file, fcntl.LOCK_UN, 1, at)


class Claims:
    """Of results of one `edition`, in files of `folder`. A claim is the process's, whichever thread takes it; taking it
    again changes nothing. Raises OSError when a file cannot be opened."""

    def __init__(self, folder: Path, edition: str) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._salt = int.from_bytes(blake2b(edition.encode(), digest_size=_BYTES).digest())
        self._files = [os.open(folder / f"{number:02}", os.O_RDWR | os.O_CREAT) for number in range(FILES)]
        self._asked = self._time()

    def take(self, key: bytes) -> bool:
        """False when another process has it; that is asked then to write soon what waits to be written."""
        try:
            _lock(*self._place(key))
        except (BlockingIOError, PermissionError):
            with contextlib.suppress(OSError):
                os.utime(self._folder)
            return False
        except OSError:  # there are no locks here, or a node has closed every file
            return True
        return True

    def give_back(self, key: bytes) -> None:
        with contextlib.suppress(OSError):
            _unlock(*self._place(key))

    def was_asked(self) -> bool:
        """Whether anybody was refused a claim since the last call."""
        before, self._asked = self._asked, self._time()
        return before != self._asked

    def close(self) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):
                os.close(file)

    def _time(self) -> int:
        with contextlib.suppress(OSError):
            return self._folder.stat().st_mtime_ns
        return 0

    def _place(self, key: bytes) -> tuple[int, int]:
        number = int.from_bytes(key[-_BYTES:]) ^ self._salt
        return self._files[number % FILES], number
