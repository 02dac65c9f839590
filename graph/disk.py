"""What a person is told when the disk is full, or may not be used."""

from __future__ import annotations

import errno
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


def of_the_disk(error: BaseException) -> str | None:
    """What happened and what to do, naming the file or folder where the error does; None for any other error."""
    if not isinstance(error, OSError):
        return None
    place = error.filename
    if error.errno in _FULL:
        where = f" of {place}" if place else ""
        return f"the disk{where} is full; make room on it, then run again"
    if error.errno == errno.EROFS and place:
        return (
            f"the disk of {place} can only be read; make it writable or start Weft with other folders, then run again"
        )
    if error.errno in _DENIED and place:
        return f"Weft is not allowed to use {place}; let the account it runs under read and write there, then run again"
    return None
