"""What a person saves: a versioned document. The engine reads `version` and `nodes` and carries the rest unchanged."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

from graph.problems import Code, InvalidGraph, Problem, nearest, shown

VERSION: Final = 1
_SPACE: Final = re.compile(r"[ \t\n\r]*")
Migration = Callable[[Mapping[str, Any]], Mapping[str, Any]]
MIGRATIONS: Final[Sequence[Migration]] = ()
"""The step at index i turns a document of version i + 1 into one of version i + 2."""


@dataclass(frozen=True)
class Limits:
    """How large a document may be."""

    nodes: int = 20_000
    id: int = 200
    bytes: int = 32 * 2**20
    depth: int = 64
    text: int = 2**20
    digits: int = 40


@dataclass(frozen=True)
class Workflow:
    """`document` is the whole of it; `nodes` is id -> entry, each entry still to be checked by `graph.graph.build`."""

    nodes: Mapping[str, Any]
    document: Mapping[str, Any]

    def to_json(self) -> Mapping[str, Any]:
        return self.document


def parse(data: bytes, limits: Limits = Limits()) -> Workflow:
    """The workflow in a JSON text, or InvalidGraph."""
    return load_parsed(parse_json(data, limits), limits)


def parse_json(data: bytes, limits: Limits = Limits()) -> object:
    """The value of a JSON text, or InvalidGraph: strict JSON, with no duplicate keys, no NaN or infinity, no number
    of more than `limits.digits` digits, nested no deeper than `limits.depth`."""
    with _refusing(data, limits):
        value = _decoder(limits).decode(data.decode("utf-8"))
    _check_depth(value, limits.depth)
    return value


def parse_members(data: bytes, limits: Limits = Limits()) -> dict[str, tuple[object, str]]:
    """The members of a JSON object, each with the text it was written as, or InvalidGraph; strict as above."""
    with _refusing(data, limits):
        members = dict(_members_of(data.decode("utf-8"), _decoder(limits)))
    _check_depth([value for value, _ in members.values()], limits.depth + 1)
    return members


def load(document: object, limits: Limits = Limits()) -> Workflow:
    """The workflow in a JSON value, brought to the current version, or InvalidGraph."""
    _check_depth(document, limits.depth)
    return load_parsed(document, limits)


def load_parsed(document: object, limits: Limits = Limits()) -> Workflow:
    """As `load`, for a value that `parse_json` or `parse_members` made, which nests no deeper than it may."""
    if not isinstance(document, dict):
        _refuse("bad_document", "the document", "an object with version and nodes", shown(document))
    document = _migrated(cast("dict[str, Any]", document))
    nodes: Any = document.get("nodes")
    if not isinstance(nodes, dict):
        hint = nearest("nodes", document) if nodes is None else None
        _refuse("bad_document", "nodes", "an object of id -> node", shown(nodes), hint)
    nodes = cast("dict[str, Any]", nodes)
    if len(nodes) > limits.nodes:
        _refuse("too_large", "nodes", f"at most {limits.nodes} nodes", f"{len(nodes)} nodes")
    longest = max(nodes, key=len, default="")
    if len(longest) > limits.id:
        _refuse("bad_document", "nodes", f"ids of at most {limits.id} characters", shown(longest))
    return Workflow(nodes, document)


def _migrated(document: Mapping[str, Any]) -> Mapping[str, Any]:
    version = document.get("version")
    if type(version) is not int or version < 1:
        _refuse("bad_document", "version", f"a whole number from 1 to {VERSION}", shown(version))
    if version > VERSION:
        _refuse(
            "bad_document", "version", f"at most {VERSION}", shown(version), "saved by a later release: update Weft"
        )
    for step in MIGRATIONS[version - 1 :]:
        document = step(document)
    return document


def _check_depth(document: object, limit: int) -> None:
    level: list[Any] = [document]
    for _ in range(limit + 2):
        level = [item for item in level if type(item) is dict or type(item) is list]
        if not level:
            return
        members: list[Any] = []
        for item in level:
            members += item.values() if type(item) is dict else item
        level = members
    _refuse("bad_document", "the document", f"nesting of at most {limit} levels", "deeper nesting")


@contextmanager
def _refusing(data: bytes, limits: Limits) -> Generator[None]:
    """Turn what goes wrong while `data` is parsed into InvalidGraph."""
    if len(data) > limits.bytes:
        _refuse("too_large", "the document", f"at most {limits.bytes} bytes", f"{len(data)} bytes")
    try:
        yield
    except RecursionError:
        _refuse("bad_document", "the document", f"nesting of at most {limits.depth} levels", "far deeper nesting")
    except ValueError as error:
        _refuse("bad_document", "the document", "JSON", str(error))


def _decoder(limits: Limits) -> json.JSONDecoder:
    def integer(text: str) -> int:
        if len(text) > limits.digits:
            raise ValueError(f"a number of {len(text)} digits; at most {limits.digits} are accepted")
        return int(text)

    return json.JSONDecoder(
        object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite, parse_int=integer
    )


def _members_of(text: str, decoder: json.JSONDecoder) -> Iterator[tuple[str, tuple[object, str]]]:
    """Decode an object member by member, so that the text of each is known."""
    seen: set[str] = set()
    at = _expect(text, 0, "{")
    closed = text[at : at + 1] == "}"
    while not closed:
        key, at = decoder.raw_decode(text, at)
        if not isinstance(key, str) or key in seen:
            raise ValueError(f"the key {shown(key)}, where a key is a text that comes once in an object")
        seen.add(key)
        start = _expect(text, at, ":")
        value, at = decoder.raw_decode(text, start)
        yield key, (value, text[start:at])
        at = _space(text, at)
        closed = text[at : at + 1] == "}"
        if not closed:
            at = _expect(text, at, ",")
    if _space(text, at + 1) != len(text):
        raise ValueError(f"more after the end of the object, at character {at + 1}")


def _expect(text: str, at: int, mark: str) -> int:
    """Where the first token after `mark` begins; ValueError when another character comes first."""
    at = _space(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"{shown(text[at : at + 1])} instead of {mark!r} at character {at}")
    return _space(text, at + 1)


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"the key {shown(twice)} twice in one object")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which is not a number JSON has")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]}, which is too large a number")
    return number


def _refuse(code: Code, what: str, expected: str, got: str, hint: str | None = None) -> NoReturn:
    raise InvalidGraph([Problem(code, None, None, f"{what}: expected {expected}, got {got}", expected, got, hint)])
