"""Outputs of results as the disk tier has them: small ones within the index, others as contents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

from graph.storage import Packed, Storage
from graph.tiers import container
from graph.tiers.contents import Contents
from graph.tiers.index import Content, Inline

SMALL: Final = 4096
"""Bytes up to which an output is written in the index, whatever it cost."""


class Damaged(Exception):
    """A content does not have its hash any more."""

    def __init__(self, hash: bytes) -> None:
        super().__init__(hash.hex())
        self.hash = hash


class Packing:
    def __init__(self, storage: Storage, contents: Contents) -> None:
        self._storage, self._contents = storage, contents

    def pack(self, value: object, parts: dict[bytes, Path]) -> Inline | Content:
        """Of a large one that is not there yet, what is to become its file is added to `parts`, by hash. Raises
        Unstorable and OSError."""
        packed = self._storage.pack(value)
        if not packed.buffers and len(json.dumps(packed.structure)) <= SMALL:
            return Inline(packed.structure)
        written = container.write(packed)
        hash, size = container.content_hash(written), sum(memoryview(part).nbytes for part in written)
        if size <= SMALL:
            return Content(hash, size, b"".join(written))
        if hash not in parts and not self._contents.there(hash, size):
            parts[hash] = self._contents.prepare(written)
        return Content(hash, size)

    def unpack(self, output: Inline | Content, look_up: Callable[[bytes], Content | None]) -> object:
        """The value, every hash checked. Raises Damaged, and ValueError when the data does not say one."""
        if isinstance(output, Inline):
            return self._storage.unpack(Packed(output.structure, {}))
        content = look_up(output.hash)
        data = None
        if content is not None:
            data = self._contents.read(output.hash, output.size) if content.data is None else bytearray(content.data)
        if data is None or container.content_hash([data]) != output.hash:
            raise Damaged(output.hash)
        return self._storage.unpack(container.read(data))
