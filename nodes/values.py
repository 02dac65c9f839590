"""What the engine is told of the values nodes exchange: size, equality, whether they still stand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType
from typing import Final

import torch
from torch import Tensor, nn

from diffusion.residency import Weight, value_of
from graph.context import OutputFile
from graph.files import Files
from graph.values import PlainTraits, encode

SIMPLE: Final = (bool, int, float, str, bytes, NoneType)
"""Values without parts."""


class NodeTraits:
    """Traits of tensors, of dataclasses and containers that hold them, of networks and of saved files.

    Tensors are equal by content. Whatever holds a network has no fingerprint: the engine goes by how it was made.
    """

    def __init__(self, files: Files) -> None:
        self._files, self._plain = files, PlainTraits()

    def size(self, value: object) -> int:
        """Memory held, each storage counted once, however many tensors look at it."""
        if isinstance(value, SIMPLE):
            return self._plain.size(value)
        storages = dict(_memory(tensor) for leaf in leaves(value) for tensor in tensors(leaf))
        rest = sum(self._plain.size(leaf) for leaf in leaves(value) if not isinstance(leaf, Tensor | nn.Module))
        return sum(storages.values()) + rest

    def fingerprint(self, value: object) -> bytes | None:
        if (plain := encode(value)) is not None:
            return plain
        return _digest(leaves(value))

    def state(self, value: object) -> bytes | None:
        """As `fingerprint`, but a network by all its weights: slow, for debugging."""
        opened = (
            part for leaf in leaves(value) for part in (_weights(leaf) if isinstance(leaf, nn.Module) else [leaf])
        )
        return _digest(part for part in opened if isinstance(part, Tensor | str) or encode(part) is not None)

    def valid(self, value: object) -> bool:
        return all(self._is_there(leaf) for leaf in _files_in(value))

    def _is_there(self, file: OutputFile) -> bool:
        try:
            self._files.path(file.folder, file.name)
        except ValueError:
            return False
        return True


def _digest(parts: Iterable[object]) -> bytes | None:
    digest = hashlib.blake2b(digest_size=32)
    for leaf in parts:
        if isinstance(leaf, _Kind):
            digest.update(f"K{leaf}\n".encode())
        elif isinstance(leaf, Tensor) and leaf.layout == torch.strided:
            digest.update(f"T{leaf.dtype} {list(leaf.shape)}\n".encode())
            digest.update(leaf.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        elif (plain := encode(leaf)) is not None:
            digest.update(b"P%d\n%b" % (len(plain), plain))
        else:
            return None
    return digest.digest()


class _Kind(str):
    """What a container is and how many members follow; no value of a node, so never taken for one."""

    @staticmethod
    def of(value: object, members: int) -> _Kind:
        return _Kind(f"{type(value).__module__}.{type(value).__qualname__} {members}")


def leaves(value: object) -> Iterator[object]:
    """What dataclasses and containers are made of in the end, each container announced by its kind."""
    if is_dataclass(value) and not isinstance(value, type | nn.Module):
        members: list[object] = [getattr(value, member.name) for member in fields(value)]
    elif isinstance(value, list | tuple):
        members = list(value)
    elif isinstance(value, Mapping):
        members = [part for item in value.items() for part in item]
    else:
        yield value
        return
    yield _Kind.of(value, len(members))
    for member in members:
        yield from leaves(member)


def tensors(leaf: object) -> Iterator[Tensor]:
    """What a leaf holds; of weights that a Residency holds those it computed, as it has the others in their files."""
    if isinstance(leaf, Tensor):
        yield leaf
    elif isinstance(leaf, nn.Module):
        held = (*leaf.parameters(), *leaf.buffers())
        yield from (tensor for tensor in held if not isinstance(tensor, Weight) or tensor.computed)


def _memory(tensor: Tensor) -> tuple[int, int]:
    """Which memory a tensor looks at, and how many bytes it has."""
    if isinstance(tensor, Weight):
        return id(tensor), tensor.nbytes
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.nbytes()


def _weights(network: nn.Module) -> Iterator[Tensor]:
    yield from map(value_of, (*network.parameters(), *network.buffers()))


def _files_in(value: object) -> Iterator[OutputFile]:
    if isinstance(value, OutputFile):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _files_in(item)
