"""Hashes people know weights by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

_PIECE = 1 << 20
_AUTOV1 = (0x100000, 0x10000)
"""Start and length of what the oldest of them is made of."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes_of(path: Path) -> Mapping[str, str]:
    """SHA-256 and the short hashes that model sites and pictures name a safetensors file by, in one reading.

    AutoV1: of 64 KiB in the second megabyte; AutoV2: of the whole file; AutoV3: of what follows the header, the same
    whatever its metadata says.
    """
    whole, data = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        head = file.read(8)
        header = file.read(int.from_bytes(head, "little"))
        whole.update(head)
        whole.update(header)
        while piece := file.read(_PIECE):
            whole.update(piece)
            data.update(piece)
        file.seek(_AUTOV1[0])
        part = hashlib.sha256(file.read(_AUTOV1[1])).hexdigest()
    digest = whole.hexdigest()
    return {"sha256": digest, "AutoV1": part[:8], "AutoV2": digest[:10], "AutoV3": data.hexdigest()[:12]}
