"""The header of a safetensors file: what it holds, checked before anything is believed. Standard library only.

Format: 8 bytes little-endian length, JSON header, data. Pickles and archives are refused by their content, whatever the
file is called.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, TypeGuard

from diffusion.networks.shapes import Shapes

LONGEST_HEADER = 16 * 2**20  # bytes; the largest known is a few MB
MOST_TENSORS = 65_536  # the largest known have some thousands
_MOST_DIMENSIONS = 8
_LONGEST_NAME = 1024
_BIGGEST_SIZE = 2**63

SIZES: Mapping[str, int] = MappingProxyType(
    {
        "F64": 8,
        "F32": 4,
        "F16": 2,
        "BF16": 2,
        "F8_E4M3": 1,
        "F8_E5M2": 1,
        "I64": 8,
        "I32": 4,
        "I16": 2,
        "I8": 1,
        "U8": 1,
        "BOOL": 1,
    }
)
"""Bytes of one element by dtype code."""

_FOREIGN = (
    (b"PK\x03\x04", "a PyTorch archive (zip with a pickle inside), which can run code when loaded"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x80\x02", "a Python pickle, which can run code when loaded"),
    (b"\x80\x03", "a Python pickle, which can run code when loaded"),
    (b"\x80\x04", "a Python pickle, which can run code when loaded"),
    (b"\x80\x05", "a Python pickle, which can run code when loaded"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"GGUF", "a GGUF file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"<!DOCTYP", "a web page, not the file itself"),
    (b"<html", "a web page, not the file itself"),
    (b"version ", "a Git LFS pointer, not the file itself"),
)


class BadWeights(ValueError):
    """A weights file that cannot be used: which one, and why."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(f"{path.name}: {message}")
        self.path = path
        self.message = message


class TensorInfo(NamedTuple):
    """One tensor in a file; `dtype` is its code, `start` and `end` are byte positions in the file. `file`: which one,
    where a model has several."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int
    file: int = 0


@dataclass(frozen=True)
class Header:
    """What a file holds. `identity` changes when the file does: its header, size, time of change and inode."""

    path: Path
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    identity: str

    @property
    def shapes(self) -> Shapes:
        return {name: info.shape for name, info in self.tensors.items()}


def read_header(path: Path) -> Header:
    """The checked header of a safetensors file; BadWeights if the file is anything else or lies about itself.

    Reads the header's bytes and no others. Refused: pickles and archives, truncated files, headers longer than
    LONGEST_HEADER, unknown dtypes, and tensors that overlap, leave gaps, reach past the end or differ in size from
    their dtype and shape.
    """
    if not path.is_file():
        raise BadWeights(path, "expected a file" if path.exists() else "no such file")
    with path.open("rb") as file:
        return header_of(path, file)


def header_of(path: Path, file: BinaryIO) -> Header:
    """The checked header of an open file, as `read_header`."""
    status = os.fstat(file.fileno())
    first = file.read(8)
    for magic, what in _FOREIGN:
        if first.startswith(magic):
            raise BadWeights(path, f"this is {what}; expected safetensors")
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length > LONGEST_HEADER:
        raise BadWeights(path, f"expected safetensors; its first bytes {first!r} are no length of a header")
    if 8 + length > status.st_size:
        raise BadWeights(path, f"truncated: the header is {length} bytes long, the whole file {status.st_size}")
    raw = file.read(length)
    tensors, metadata = _parse(path, raw, status.st_size)
    state = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}".encode()
    identity = hashlib.blake2b(state + raw, digest_size=16).hexdigest()
    return Header(path, MappingProxyType(tensors), MappingProxyType(metadata), identity)


def _parse(path: Path, raw: bytes, file_size: int) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    try:
        entries = json.loads(raw, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadWeights(path, f"expected safetensors; its header is no JSON: {error}") from error
    if not isinstance(entries, dict):
        raise BadWeights(path, "expected a JSON object in the header")
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise BadWeights(path, "expected text for every entry of __metadata__")
    if not 0 < len(entries) <= MOST_TENSORS:
        raise BadWeights(path, f"expected 1 to {MOST_TENSORS} tensors, the file has {len(entries)}")
    data_start = 8 + len(raw)
    tensors = {name: _tensor_info(path, name, entry, data_start) for name, entry in entries.items()}
    position = data_start
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if info.start != position:
            what = "overlaps the tensor before it" if info.start < position else "leaves a gap before it"
            raise BadWeights(path, f"tensor {name!r} {what}: starts at byte {info.start}, expected {position}")
        position = info.end
    if position > file_size:
        raise BadWeights(path, f"truncated: its tensors end at byte {position}, the file at {file_size}")
    if position < file_size:
        raise BadWeights(path, f"{file_size - position} bytes after the last tensor")
    return tensors, metadata


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("a name occurs twice")
    return entries


def _tensor_info(path: Path, name: str, entry: Any, data_start: int) -> TensorInfo:
    if len(name) > _LONGEST_NAME:
        raise BadWeights(path, f"expected names of up to {_LONGEST_NAME} characters, got {name[:60]!r}...")
    if not isinstance(entry, dict) or not entry.keys() >= {"dtype", "shape", "data_offsets"}:
        raise BadWeights(path, f"tensor {name!r}: expected dtype, shape and data_offsets")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(code, str) or code not in SIZES:
        raise BadWeights(path, f"tensor {name!r}: expected a dtype of {', '.join(SIZES)}, got {code!r:.40}")
    if not _are_sizes(shape) or len(shape) > _MOST_DIMENSIONS:
        raise BadWeights(path, f"tensor {name!r}: expected up to {_MOST_DIMENSIONS} sizes, got {shape!r:.80}")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise BadWeights(path, f"tensor {name!r}: expected two data_offsets, got {offsets!r:.80}")
    start, end = offsets
    size = math.prod(shape) * SIZES[code]
    if end - start != size:
        raise BadWeights(path, f"tensor {name!r}: {code} of shape {shape} takes {size} bytes, it has [{start}, {end})")
    return TensorInfo(code, tuple(shape), data_start + start, data_start + end)


def _are_sizes(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(size) is int and 0 <= size < _BIGGEST_SIZE for size in value)
