"""Whatever JSON comes, it becomes a document whose links lead to nodes, or is refused whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.workflows import convert
from compat.workflows.table import CLASSES
from graph.flatten import flatten
from graph.problems import InvalidGraph, Problems
from graph.workflow import load
from tests.compat.conftest import Here

KINDS = st.sampled_from([*CLASSES, "FluxGuidance", "SamplerCustom", "PrimitiveNode", "PrimitiveInt", "Reroute", "Note",
                         "UpscaleModelLoader", "component:x", "Unknown", "ImageGrid", "inner"])  # fmt: skip
IDS = st.integers(-21, 6) | st.sampled_from(["1", "2", "a/b", ":", "-10"])
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
LINK_OF_OURS = st.fixed_dictionaries({"node": st.text(max_size=2), "output": st.text(max_size=2)})
ANYTHING = st.recursive(PLAIN | LINK_OF_OURS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
    st.text(max_size=3), inner, max_size=4), max_leaves=8)  # fmt: skip
NAMES = st.sampled_from(["model", "conditioning", "positive", "negative", "value", "", "latent_image", "clip", "seed",
                         "steps", "denoise", "upscale_model", "image", "width"])  # fmt: skip
SLOT = st.fixed_dictionaries(
    {"name": NAMES, "type": st.sampled_from(["MODEL", "*", "LATENT"]), "link": st.integers(0, 9) | ANYTHING},
    optional={"widget": st.just({"name": "x"}) | ANYTHING},
)
NODE = st.fixed_dictionaries(
    {"id": IDS, "type": KINDS},
    optional={
        "mode": st.sampled_from([0, 2, 4]) | ANYTHING,
        "inputs": st.lists(SLOT, max_size=5) | ANYTHING,
        "outputs": st.lists(SLOT, max_size=3) | ANYTHING,
        "widgets_values": st.lists(ANYTHING, max_size=9) | ANYTHING,
        "widgets_values_named": ANYTHING,
        "pos": st.tuples(st.integers(), st.floats(allow_nan=False)).map(list) | ANYTHING,
        "size": ANYTHING,
        "flags": ANYTHING,
        "color": st.sampled_from(["#333", "#a1b2c3", "#xyz"]) | ANYTHING,
        "title": ANYTHING,
    },
)
LINK = st.tuples(st.integers(0, 9), IDS, st.integers(-1, 3), IDS, st.integers(-1, 3), PLAIN).map(list) | ANYTHING
LEVEL = {
    "nodes": st.lists(NODE, max_size=6),
    "links": st.lists(LINK, max_size=9) | ANYTHING,
    "groups": st.lists(st.fixed_dictionaries({"bounding": st.lists(st.integers(-50, 500), min_size=4, max_size=4)}))
    | ANYTHING,
}
INNER = st.fixed_dictionaries({**LEVEL, "id": st.just("inner"), "inputs": st.lists(SLOT, max_size=2) | ANYTHING})
DRAWING = st.fixed_dictionaries(
    LEVEL, optional={"definitions": st.fixed_dictionaries({"subgraphs": st.lists(INNER, max_size=2)}) | ANYTHING}
)
REFERENCE = st.tuples(IDS.map(str), st.integers(-1, 4)).map(list)
PROMPT = st.dictionaries(
    IDS.map(str),
    st.fixed_dictionaries(
        {
            "class_type": KINDS,
            "inputs": st.dictionaries(
                NAMES, st.tuples(IDS.map(str), st.integers(-1, 4)).map(list) | ANYTHING, max_size=5
            ),
        },
        optional={"_meta": ANYTHING},
    ),
    min_size=1,
    max_size=8,
)
HERE = Here()


@settings(max_examples=120, deadline=None)
@given(DRAWING | PROMPT | ANYTHING)
def test_no_json_is_more_than_refused_and_no_link_dangles(document: Any) -> None:
    try:
        made = convert(document, HERE.registry)
    except InvalidGraph:
        return
    made.to_json()
    nodes = load(made.document).nodes
    for id, node in nodes.items():
        for name, value in node["inputs"].items():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict) and item.keys() == {"node", "output"}:
                    assert item["node"] in nodes, (id, name)
    problems = Problems()
    flatten(made.document, HERE.registry, problems)
    assert not [problem for problem in problems if problem.code == "bad_document"]


def refusal(document: Any) -> str:
    with pytest.raises(InvalidGraph) as refused:
        convert(document, {})
    return str(refused.value)


def test_too_many_nodes_are_refused() -> None:
    node = {"class_type": "VAEDecode", "inputs": {}}
    assert "at most 20000 nodes" in refusal({str(id): node for id in range(20_001)})
    assert "at most 20000 nodes" in refusal({"nodes": [{"id": id, "type": "VAEDecode"} for id in range(20_001)]})


def test_a_few_subgraphs_that_would_be_millions_of_nodes_are_refused() -> None:
    subgraphs = [
        {"id": f"g{depth}", "nodes": [{"id": id, "type": f"g{depth + 1}"} for id in range(10)]} for depth in range(12)
    ]
    drawing = {"nodes": [{"id": 1, "type": "g0"}], "definitions": {"subgraphs": subgraphs}}
    assert "at most 20000 nodes" in refusal(drawing)


def test_a_subgraph_within_itself_is_refused() -> None:
    inner = {"id": "g", "nodes": [{"id": 1, "type": "g"}]}
    assert "nested at most 16 deep" in refusal(
        {"nodes": [{"id": 1, "type": "g"}], "definitions": {"subgraphs": [inner]}}
    )


def test_long_chains_in_circles_come_to_an_end() -> None:
    """Reroutes, guidance and controls that lead to each other, as many as there may be."""
    ends = {"model": ["m", 0], "negative": ["m", 1]}
    for kind, name in (("Reroute", "value"), ("FluxGuidance", "conditioning"), ("ControlNetApply", "positive")):
        circle = {str(id): {"class_type": kind, "inputs": {name: [str((id + 1) % 1500), 0]}} for id in range(1500)}
        readers = {
            f"r{id}": {"class_type": "KSampler", "inputs": {"positive": [str(id), 0], **ends}} for id in range(500)
        }
        loader = {"m": {"class_type": "CheckpointLoaderSimple", "inputs": {}}}
        convert({**circle, **readers, **loader}, {})


@pytest.mark.parametrize("document", [None, 3, [], {}, {"nodes": {}}, {"1": {"class_type": 3}}, {"1": {"inputs": {}}}])
def test_what_is_none_of_its_formats_is_refused(document: Any) -> None:
    assert "the workflow of ComfyUI: expected" in refusal(document)
