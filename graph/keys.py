"""The identity of a computation. All hashes are tagged, so that kinds never collide, and made of fixed-length parts.

The structural key takes a linked input as (parent's structural key, output): known before anything runs. The value key
takes it as the fingerprint of the value that arrived: known once the inputs are. Node ids, titles, positions, the order
of inputs, and whether a default was written out never enter; a file enters by its content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from graph.bind import Node
from graph.files import Files
from graph.values import encode

Key = bytes
Fingerprint = bytes
SIZE: Final = 16


@dataclass(frozen=True, slots=True)
class Record:
    """That a computation was once done: its value key, the fingerprint of each output, the seconds it took
    and the bytes of what it made."""

    key: Key
    fingerprints: Mapping[str, Fingerprint]
    seconds: float
    size: int = 0


def identities(nodes: Iterable[Node], files: Files) -> list[bytes]:
    """What each node's own entry adds to its keys: definition, constants, and the content of the files named."""
    return [node.head if not node.external else _with_files(node, files) for node in nodes]


def structural_keys(ids: Iterable[str], nodes: Iterable[Node], identity: Iterable[bytes]) -> list[Key]:
    """Keys of nodes that come each after those it reads from: one pass, linear."""
    keys: dict[str, Key] = {}
    for id, node, own in zip(ids, nodes, identity):
        keys[id] = structural_key(node, own, [keys[source] for source, _ in node.links.values()])
    return list(keys.values())


def structural_key(node: Node, identity: bytes, parents: Iterable[Key]) -> Key:
    return blake2b(b"".join((b"S", identity, node.sources, *parents)), digest_size=SIZE).digest()


def value_key(identity: bytes, arrived: Iterable[Fingerprint]) -> Key:
    """`arrived` are the fingerprints of the linked inputs, by input name."""
    return blake2b(b"".join((b"V", identity, *arrived)), digest_size=SIZE).digest()


def ask_key(key: Key) -> Key:
    """Under this key is remembered which lazy input is read next by what has read so much as makes `key`."""
    return blake2b(b"A" + key, digest_size=SIZE).digest()


def read_key(key: Key, link: str, arrived: Fingerprint) -> Key:
    """The value key of what has also read a lazy input."""
    return blake2b(b"".join((b"Z", key, arrived, link.encode())), digest_size=SIZE).digest()


def item_key(list: Fingerprint, index: int) -> Key:
    """Of an item of a list."""
    return blake2b(b"I%d:%b" % (index, list), digest_size=SIZE).digest()


def fingerprint(key: Key, output: str, content: bytes | None) -> Fingerprint:
    """Of an output's value: by content, or by how it was made where the value has no cheap fingerprint."""
    material = b"F" + content if content is not None else b"".join((b"M", key, output.encode()))
    return blake2b(material, digest_size=SIZE).digest()


def file_marks(node: Node, identity: bytes) -> dict[str, bytes]:
    """What each file input added to the identity, by input name."""
    if not node.external:
        return {}
    tail = identity[len(node.head) :]
    return {port.name: tail[i * SIZE : (i + 1) * SIZE] for i, port in enumerate(node.external)}


def _with_files(node: Node, files: Files) -> bytes:
    parts = [node.head]
    for port in node.external:
        content = port.widget.fingerprint(node.constants[port.name], files) if port.widget else None
        encoded = encode(content)
        if encoded is None:
            raise TypeError(
                f"{node.spec.title}: the fingerprint of input {port.name} must be plain data, got {content!r}"
            )
        parts.append(blake2b(b"X" + encoded, digest_size=SIZE).digest())
    return b"".join(parts)
