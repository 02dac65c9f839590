"""A packed value as the bytes of one safetensors file, its structure in the metadata; written and read without torch.

Format: 8 bytes little-endian length, JSON header `{name: {dtype, shape, data_offsets}, "__metadata__": {...}}`, data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, cast

from graph.storage import Buffer, Bytes, Packed

ITEM_SIZE: Final[Mapping[str, int]] = {
    "C64": 8, "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2,
    "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
STRUCTURE: Final = "weft.structure"
ALIGNMENT: Final = 8


def write(packed: Packed) -> Sequence[Bytes]:
    """The file in parts, to be written one after the other; the buffers themselves are not copied."""
    header: dict[str, Any] = {"__metadata__": {STRUCTURE: json.dumps(packed.structure, separators=(",", ":"))}}
    ordered = sorted(packed.buffers.items(), key=lambda item: -ITEM_SIZE[item[1].dtype])
    at = 0
    for name, buffer in ordered:
        end = at + memoryview(buffer.data).nbytes
        header[name] = {"dtype": buffer.dtype, "shape": list(buffer.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    return [len(text).to_bytes(8, "little") + text, *(buffer.data for _, buffer in ordered)]


def read(data: bytearray) -> Packed:
    """What was written; its buffers look into `data`. Raises ValueError when it is no such file."""
    view = memoryview(data)
    start = 8 + int.from_bytes(view[:8], "little")
    if len(data) < start:
        raise ValueError("shorter than its header")
    try:
        header = cast("dict[str, Any]", json.loads(bytes(view[8:start])))
        structure = json.loads(header.pop("__metadata__")[STRUCTURE])
        return Packed(structure, dict(_buffers(header, view[start:])))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the header of a value: {error!r}") from error


def content_hash(parts: Sequence[Bytes]) -> bytes:
    """20 bytes that name a content."""
    digest = blake2b(digest_size=20)
    for part in parts:
        digest.update(part)
    return digest.digest()


def _buffers(header: Mapping[str, Any], data: memoryview) -> Iterator[tuple[str, Buffer]]:
    for name, entry in header.items():
        dtype, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        if not 0 <= start <= end <= len(data) or end - start != math.prod(shape) * ITEM_SIZE[dtype]:
            raise ValueError(f"buffer {name} does not have the size of {list(shape)} {dtype}")
        yield name, Buffer(dtype, shape, data[start:end])
