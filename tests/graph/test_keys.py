"""Keys: what enters, what does not, and that the scheme stays as it is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from graph.graph import Graph, build
from graph.keys import fingerprint, identities, structural_keys, value_key
from graph.registry import Registry
from graph.values import encode
from graph.workflow import load
from tests.graph.lab import Folder, Lab, document, entry, spec

SMALL = document(
    n=entry("Number", value=7),
    s=entry("Split", value=("n", "int")),
    t=entry("Add", a=("s", "half"), b=("s", "rest")),
    out=entry("Show", value=("t", "int")),
)


def keys_of(graph: Graph, lab: Lab) -> dict[str, str]:
    nodes = list(graph.nodes.values())
    keys = structural_keys(graph.nodes, nodes, identities(nodes, lab.files))
    return {id: key.hex() for id, key in zip(graph.nodes, keys)}


def keys(nodes: Any, lab: Lab | None = None) -> dict[str, str]:
    lab = lab or Lab()
    return keys_of(lab.graph(nodes), lab)


def test_keys_are_pinned() -> None:
    """A change here means that every stored result is lost: change it on purpose, with a line in the changelog."""
    assert keys(SMALL) == {
        "n": "60abf834d74b0b152620b09c2959ed1a",
        "s": "046f132999c3ab51a80db986d04ac2a6",
        "t": "76e39df62ae753b75a066dc63833c187",
        "out": "f1b3b969a5fe15739419f785b2968a10",
    }
    assert value_key(b"identity", [b"0" * 16]).hex() == "3d6f1b903f595383822a643eb44c8d48"
    assert fingerprint(b"k" * 16, "image", b"content").hex() == "c9a3c2f0b447a712c7b7c7cc10ca4cb0"
    assert fingerprint(b"k" * 16, "image", None).hex() == "406bd9c020718effbbffa687f9c7f7ec"


def test_each_part_of_a_computation_enters_its_key() -> None:
    base = keys(SMALL)["t"]
    edits: list[dict[str, Any]] = [
        SMALL["nodes"] | {"n": entry("Number", value=8)},
        SMALL["nodes"] | {"t": entry("Add", a=("s", "rest"), b=("s", "rest"))},
        SMALL["nodes"] | {"t": entry("Add", a=("s", "rest"), b=("s", "half"))},
        SMALL["nodes"] | {"t": entry("Add", a=("s", "half"), b=3)},
        SMALL["nodes"] | {"t": entry("Add", a=3, b=("s", "rest"))},
    ]
    found = [keys(document(**nodes))["t"] for nodes in edits]
    assert len({base, *found}) == len(edits) + 1


def test_the_version_of_a_definition_enters() -> None:
    lab = Lab()
    changed = Registry(replace(known, version="2") if known.id == "Split" else known for known in lab.registry.values())
    after = keys_of(build(load(SMALL), changed, lab.files), lab)
    before = keys(SMALL)
    assert {id for id in before if before[id] != after[id]} == {"s", "t", "out"}


def test_ids_titles_and_order_do_not_enter() -> None:
    renamed = document(
        show=entry("Show", value=("sum", "int")),
        sum=entry("Add", b=("split", "rest"), a=("split", "half")) | {"title": "A sum", "extra": [1]},
        split=entry("Split", value=("first", "int")),
        first=entry("Number", value=7),
    )
    assert set(keys(renamed).values()) == set(keys(SMALL).values())


def test_a_written_default_is_an_absent_one() -> None:
    assert keys(document(a=entry("Add", a=1), o=entry("Show", value=("a", "int")))) == keys(
        document(a=entry("Add", a=1, b=0), o=entry("Show", value=("a", "int")))
    )
    assert keys(document(a=entry("Maybe"), o=entry("Show", value=("a", "int")))) == keys(
        document(a=entry("Maybe", value=None), o=entry("Show", value=("a", "int")))
    )


def test_a_whole_number_in_a_float_port_is_that_float() -> None:
    def scale(by: float = 7) -> float:
        return by

    lab = Lab(spec("Scale", scale, sink=True))
    found = {keys(document(a=entry("Scale", **inputs)), lab)["a"] for inputs in ({}, {"by": 7}, {"by": 7.0})}
    assert len(found) == 1


def test_distinct_constants_never_share_a_key() -> None:
    constants: list[Any] = [1, True, 1.0, "1", 0, False, 0.0, -0.0, "", None, [], {}, [1], ["1"], [[1]], {"1": 1}]
    constants += ["true", "None", [1, 2], [2, 1], [[1], 2], {"a": [1]}, {"a": {"1": 1}}, "\ud800", "[]", 10**18]
    found = {
        keys(document(e=entry("Echo", value=value), o=entry("Show", value=("e", "any"))))["e"] for value in constants
    }
    assert len(found) == len(constants)


def test_a_file_enters_by_its_content(tmp_path: Path) -> None:
    for name, content in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).write_text(content)
    lab = Lab(files=Folder(tmp_path))

    def key(name: str) -> str:
        nodes = document(
            f=entry("Load", file=name), n=entry("Length", text=("f", "str")), o=entry("Show", value=("n", "int"))
        )
        return keys(nodes, lab)["f"]

    assert key("a") == key("b") != key("c")
    before = key("a")
    (tmp_path / "a").write_text("three")
    assert key("a") != before


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner).map(tuple),
    max_leaves=12,
)


def tagged(value: Any) -> Any:
    """A value that compares equal exactly when type and value do."""
    if isinstance(value, list | tuple):
        return (type(value).__name__, *map(tagged, value))
    if isinstance(value, dict):
        return ("dict", frozenset((key, tagged(member)) for key, member in value.items()))
    return (type(value).__name__, value, math.copysign(1, value) if isinstance(value, float) else 0)


@settings(deadline=None)
@given(PLAIN, PLAIN)
def test_plain_data_is_encoded_apart_exactly_when_it_differs(a: Any, b: Any) -> None:
    assert (encode(a) == encode(b)) == (tagged(a) == tagged(b))


def test_what_is_not_plain_has_no_encoding() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert encode(object()) is None
    assert encode([1, object()]) is None
    assert encode({1: 2}) is None
    assert encode(endless) is None


def test_depth_is_no_danger_to_encoding() -> None:
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    assert encode(deep) is not None


def test_nan_is_a_constant_of_its_own() -> None:
    assert encode(math.nan) == encode(math.nan)
    assert encode(math.nan) not in {encode(value) for value in (0.0, "nan", None, math.inf)}
