"""Tensors, and dataclasses that hold them, as data; and their way from a device to the host and back."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from diffusion.residency import Weight
from graph.storage import Buffer, PlainStorage, Unstorable, put
from nodes.values import SIMPLE, leaves, tensors

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "F8_E4M3": torch.float8_e4m3fn,
        "F8_E5M2": torch.float8_e5m2,
        "C64": torch.complex64,
        "I64": torch.int64,
        "I32": torch.int32,
        "I16": torch.int16,
        "I8": torch.int8,
        "U8": torch.uint8,
        "BOOL": torch.bool,
    }
)
NAMES: Mapping[torch.dtype, str] = MappingProxyType({dtype: name for name, dtype in DTYPES.items()})


class TensorStorage(PlainStorage):
    """Adds T(ensors), with their order in memory, and C(lasses): frozen dataclasses at the top of a module.

    A tensor of a device comes back on `device`.
    """

    def __init__(self, device: str) -> None:
        self._device = device

    def pack_other(self, value: object, buffers: dict[str, Buffer]) -> Any:
        if type(value) is Tensor:
            return {"T": _pack_tensor(value, buffers)}
        kind = type(value)
        if not is_dataclass(value) or _frozen_dataclass(kind.__module__, kind.__qualname__) is not kind:
            return super().pack_other(value, buffers)
        members = {member.name: self.pack_part(getattr(value, member.name), buffers) for member in fields(value)}
        return {"C": [kind.__module__, kind.__qualname__, members]}

    def unpack_other(self, kind: str, content: Any, buffers: Mapping[str, Buffer]) -> object:
        if kind == "T":
            name, order, device = content
            return _unpack_tensor(buffers[name], order, "cpu" if device == "cpu" else self._device)
        if kind != "C":
            return super().unpack_other(kind, content, buffers)
        module, name, members = content
        made = _frozen_dataclass(module, name)
        if made is None or {field.name for field in fields(made)} != set(members):
            raise ValueError(f"there is no frozen dataclass {module}.{name} of {sorted(members)}")
        return made(**{name: self.unpack_part(part, buffers) for name, part in members.items()})


@dataclass(frozen=True)
class Lowered:
    """A value brought to the host; `devices` are where its tensors lay, in the order they are met."""

    value: object
    devices: tuple[str, ...]


class TensorPlace:
    """Between the memory of CUDA devices and of the host."""

    def on_device(self, value: object) -> int:
        if isinstance(value, SIMPLE):
            return 0
        held = (tensor for leaf in leaves(value) for tensor in tensors(leaf))
        return sum(t.nbytes for t in held if t.device.type != "cpu" and not isinstance(t, Weight))

    def lower(self, value: object) -> object:
        devices: list[str] = []

        def move(tensor: Tensor) -> Tensor:
            devices.append(str(tensor.device))
            return tensor.cpu()

        return Lowered(_rebuilt(value, move), tuple(devices))

    def lift(self, value: object) -> object:
        if not isinstance(value, Lowered):
            raise TypeError(f"expected a value that was lowered, got {type(value).__name__}")
        devices = iter(value.devices)
        return _rebuilt(value.value, lambda tensor: tensor.to(next(devices)))


def _pack_tensor(tensor: Tensor, buffers: dict[str, Buffer]) -> list[Any]:
    """[name of the buffer, order, kind of device]; `order`: the dimensions from the widest stride to the narrowest."""
    if tensor.layout != torch.strided or tensor.dtype not in NAMES or tensor.requires_grad:
        raise Unstorable(f"a tensor of {tensor.layout}, {tensor.dtype} that requires gradients: {tensor.requires_grad}")
    order = sorted(range(tensor.dim()), key=lambda dim: -tensor.stride(dim))
    dense = tensor.permute(order).cpu().resolve_conj().resolve_neg().contiguous()
    data = dense.flatten().view(torch.uint8).numpy().data if dense.numel() else b""
    return [put(buffers, NAMES[tensor.dtype], tuple(dense.shape), data), order, tensor.device.type]


def _unpack_tensor(buffer: Buffer, order: list[int], device: str) -> Tensor:
    dtype = DTYPES[buffer.dtype]
    if math.prod(buffer.shape):
        dense = torch.frombuffer(buffer.data, dtype=dtype).view(buffer.shape)
    else:
        dense = torch.empty(buffer.shape, dtype=dtype)
    back = sorted(range(len(order)), key=order.__getitem__)
    return dense.permute(back).to(device)


def _frozen_dataclass(module: str, name: str) -> type[Any] | None:
    """The class of that name in a module that is loaded; nothing is ever imported for the sake of stored data."""
    found = vars(sys.modules[module]).get(name) if module in sys.modules else None
    if not isinstance(found, type) or not is_dataclass(found) or not all(field.init for field in fields(found)):
        return None
    return found if found.__dataclass_params__.frozen else None  # pyright: ignore[reportAttributeAccessIssue]


def _rebuilt(value: object, change: Callable[[Tensor], Tensor]) -> object:
    """The value with every tensor changed. Raises Unstorable when it holds what cannot be made again."""
    if type(value) is Tensor:
        return change(value)
    if type(value) is list or type(value) is tuple:
        return type(value)(_rebuilt(item, change) for item in value)
    if type(value) is dict:
        return {key: _rebuilt(item, change) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    kind = type(value)
    made = _frozen_dataclass(kind.__module__, kind.__qualname__)
    if made is not kind or not is_dataclass(value):
        raise Unstorable(f"a {kind.__module__}.{kind.__qualname__} cannot be moved")
    return made(**{member.name: _rebuilt(getattr(value, member.name), change) for member in fields(value)})
