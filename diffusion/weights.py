"""Tensors of a safetensors file, read lazily through one mapping. Nothing here can run code from a file."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor

from diffusion.header import BadWeights, Header, TensorInfo, header_of
from diffusion.networks.shapes import Shapes
from diffusion.several import Member, is_several, joined, members_of

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "F8_E4M3": torch.float8_e4m3fn,
        "F8_E5M2": torch.float8_e5m2,
        "I64": torch.int64,
        "I32": torch.int32,
        "I16": torch.int16,
        "I8": torch.int8,
        "U8": torch.uint8,
        "BOOL": torch.bool,
    }
)
_BYTES = ("I8", "U8")


class Weights(Mapping[str, Tensor]):
    """Tensors of one file by name, or of several that make a model, each read when asked for.

    Tensors share memory with the mapped file and are not to be written to (a write would stay private to the process).
    Float8 tensors with a `scale_weight` beside them come multiplied by it, as float32; the scales themselves and their
    markers are not listed.
    """

    def __init__(self, header: Header, names: Mapping[str, str], data: Sequence[mmap.mmap]) -> None:
        self.header = header
        self._names = names  # name here -> name in the file
        self._data = data

    @classmethod
    def open(cls, path: Path) -> Weights:
        """Map a file, or those that one of `several` stands for; BadWeights as for `read_any`, and for matrices of
        whole numbers, which mean nothing without the rule they were rounded by."""
        members = members_of(path) if is_several(path) else []
        headers, data = zip(*(_mapped(member.path) for member in members or [Member("", path)]), strict=True)
        header = joined(path, members, headers) if members else headers[0]
        rounded = (name for name, info in header.tensors.items() if info.dtype in _BYTES and len(info.shape) > 1)
        if (name := next(rounded, None)) is not None:
            raise BadWeights(
                path, f"tensor {name!r} is quantised to whole numbers; expected the file in fp16, bf16, fp8 or fp32"
            )
        return cls(header, {name: name for name in header.tensors if not _is_scale(name)}, data)

    def with_prefix(self, prefix: str) -> Weights:
        """The tensors whose name starts with `prefix`, which is cut off."""
        return self.select({name[len(prefix) :]: name for name in self._names if name.startswith(prefix)})

    def select(self, names: Mapping[str, str]) -> Weights:
        """Tensors under other names: for each name to be, the name here."""
        return Weights(self.header, {name: self._names[here] for name, here in names.items()}, self._data)

    @cached_property
    def shapes(self) -> Shapes:
        return {name: self.header.tensors[full].shape for name, full in self._names.items()}

    @cached_property
    def dtypes(self) -> frozenset[torch.dtype]:
        """The dtypes the file stores these tensors in."""
        return frozenset(DTYPES[self.header.tensors[full].dtype] for full in self._names.values())

    def dtype_of(self, name: str) -> torch.dtype:
        """The dtype the file stores a tensor in."""
        return DTYPES[self.header.tensors[self._names[name]].dtype]

    def __getitem__(self, name: str) -> Tensor:
        full = self._names[name]
        tensor = self._read(self.header.tensors[full])
        scale = self.header.tensors.get(full.removesuffix("weight") + "scale_weight")
        if scale is None:
            return tensor
        if math.prod(scale.shape) != 1:
            raise BadWeights(
                self.header.path, f"scale of tensor {full!r}: expected one number, got {list(scale.shape)}"
            )
        return tensor.float() * self._read(scale).float().reshape(())

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def _read(self, info: TensorInfo) -> Tensor:
        dtype, count = DTYPES[info.dtype], math.prod(info.shape)
        if not count:
            return torch.empty(info.shape, dtype=dtype)
        data = self._data[info.file]
        if info.start % dtype.itemsize:
            aligned = bytearray(data[info.start : info.end])
            return torch.frombuffer(aligned, dtype=dtype).reshape(info.shape)
        return torch.frombuffer(data, dtype=dtype, count=count, offset=info.start).reshape(info.shape)


def _mapped(path: Path) -> tuple[Header, mmap.mmap]:
    if not path.is_file():
        raise BadWeights(path, "expected a file" if path.exists() else "no such file")
    with path.open("rb") as file:
        return header_of(path, file), mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _is_scale(name: str) -> bool:
    return name.rsplit(".", 1)[-1] in ("scale_weight", "scale_input", "scaled_fp8")
