"""Documents: what is accepted, what is refused and how, and that nothing of them is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.problems import InvalidGraph, Problem
from graph.workflow import Limits, load, parse, parse_members
from tests.graph.lab import document, entry


def refused(data: bytes | str, limits: Limits = Limits()) -> Problem:  # noqa: B008
    with pytest.raises(InvalidGraph) as error:
        parse(data if isinstance(data, bytes) else data.encode(), limits)
    (problem,) = error.value.problems
    return problem


def test_unknown_fields_and_nodes_round_trip() -> None:
    saved = document(a=entry("Nobody.Knows", x=[1, {"y": None}]) | {"title": "A", "colour": "red"})
    saved |= {"view": {"zoom": 1.5, "nodes": {"a": [3, 4]}}, "author": "someone"}
    assert parse(json.dumps(saved).encode()).to_json() == saved


@pytest.mark.parametrize(
    ("data", "got"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        (b"\xff\xfe", "codec can't decode"),
        ('{"version": 1, "version": 1, "nodes": {}}', 'the key "version" twice'),
        ('{"version": 1, "nodes": {"a": {"type": "A", "inputs": {"x": NaN}}}}', "NaN"),
        ('{"version": 1, "nodes": {}, "view": -Infinity}', "-Infinity"),
        ('{"version": 1, "nodes": {}, "view": 1e999}', "1e999, which is too large"),
        ('{"version": 1, "nodes": {}, "view": %s}' % ("9" * 5000), "a number of 5000 digits"),
        ("[]", "a list of 0"),
        ("null", "null"),
        ('{"nodes": {}}', "null"),
        ('{"version": true, "nodes": {}}', "true"),
        ('{"version": "1", "nodes": {}}', '"1"'),
        ('{"version": 0, "nodes": {}}', "0"),
        ('{"version": 99, "nodes": {}}', "99"),
        ('{"version": 1}', "null"),
        ('{"version": 1, "nodes": []}', "a list of 0"),
    ],
)
def test_what_is_no_document_is_refused(data: bytes | str, got: str) -> None:
    problem = refused(data)
    assert problem.code == "bad_document"
    assert got in (problem.got or "")
    assert problem.expected


def test_a_misspelt_field_is_recognised() -> None:
    assert refused('{"version": 1, "node": {}}').hint == "did you mean 'node'?"


def test_a_document_of_a_later_release_says_so() -> None:
    assert refused('{"version": 2, "nodes": {}}').hint == "saved by a later release: update Weft"


@pytest.mark.parametrize("brackets", ["[]", '{"a":}'])
@pytest.mark.parametrize("depth", [100, 200_000])
def test_deep_nesting_is_refused(brackets: str, depth: int) -> None:
    half = len(brackets) - 1
    deep = brackets[:half] * depth + "1" + brackets[half:] * depth
    problem = refused('{"version": 1, "nodes": {"a": {"type": "A", "inputs": {"x": ' + deep + "}}}}")
    assert problem.code == "bad_document"
    assert problem.expected == "nesting of at most 64 levels"


def test_deep_nesting_is_refused_in_parsed_json_too() -> None:
    deep: Any = 1
    for _ in range(200_000):
        deep = [deep]
    with pytest.raises(InvalidGraph, match="nesting of at most 64 levels"):
        load(document(a={"type": "A", "inputs": {"x": deep}}))


def test_size_is_limited() -> None:
    small = Limits(nodes=2, bytes=100)
    assert refused(b" " * 101, small).expected == "at most 100 bytes"
    many = {"version": 1, "nodes": {str(i): {} for i in range(3)}}
    assert refused(json.dumps(many), small).got == "3 nodes"


def test_documents_are_migrated_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graph.workflow.VERSION", 3)
    steps = (lambda old: {**old, "version": 2, "nodes": old["graph"]}, lambda old: {**old, "version": 3})
    monkeypatch.setattr("graph.workflow.MIGRATIONS", steps)
    assert load({"version": 1, "graph": {"a": {}}}).nodes == {"a": {}}
    assert load({"version": 2, "nodes": {"b": {}}}).to_json()["version"] == 3


def test_members_keep_the_text_they_were_written_as() -> None:
    written = b' { "workflow" : {"version":1, "nodes": { }} ,"targets":["a", "b"]}\n'
    assert parse_members(written) == {
        "workflow": ({"version": 1, "nodes": {}}, '{"version":1, "nodes": { }}'),
        "targets": (["a", "b"], '["a", "b"]'),
    }
    assert parse_members(b"{}") == {}


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "[]",
        "{",
        '{"a"}',
        '{"a": }',
        '{"a": 1',
        '{"a": 1,}',
        '{"a": 1 "b": 2}',
        '{"a": 1} more',
        '{"a": 1, "a": 2}',
        "{1: 2}",
        '{"a": NaN}',
        '{"a": {"b": 1, "b": 2}}',
        '{"a": ' + "[" * 200_000,
    ],
)
def test_members_of_what_is_no_object_are_refused(broken: str) -> None:
    with pytest.raises(InvalidGraph):
        parse_members(broken.encode())


@settings(deadline=None)
@given(st.text(alphabet='{}[]":, 1a\\"', max_size=30))
def test_members_are_those_json_has(text: str) -> None:
    try:
        expected = json.loads(
            text, object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else 1 / 0
        )
    except (ValueError, ZeroDivisionError):
        expected = None
    try:
        found = parse_members(text.encode())
    except InvalidGraph:
        assert not isinstance(expected, dict)
    else:
        assert {name: value for name, (value, _) in found.items()} == expected
        assert all(json.loads(written) == value for value, written in found.values())
