"""Merging in a graph: by blocks and by formulas, with errors that name the node."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from graph.events import Failed, Progress
from tests.nodes.studio import Document, Studio, changed

ROOT = Path(__file__).parents[2]


@pytest.fixture
def document() -> Document:
    document = json.loads((ROOT / "web" / "templates" / "merge.json").read_text())
    return changed(document, n6_width=64, n6_height=48, n7_steps=1, n2_checkpoint="other.safetensors")


def as_type(document: Document, kind: str, **inputs: object) -> Document:
    """The merge of the template done by another node."""
    merge = document["nodes"]["3"]
    links = {port: merge["inputs"][port] for port in ("model_a", "model_b")}
    return {**document, "nodes": {**document["nodes"], "3": {"type": kind, "inputs": {**links, **inputs}}}}


def picture(studio: Studio, document: Document) -> bytes:
    studio.ran(document)
    (file,) = studio.saved()
    return studio.read(file)


def test_blocks_and_formulas_paint_pictures_of_their_own(studio: Studio, document: Document) -> None:
    documents = [
        document,
        as_type(document, "ModelMergeBlocks"),
        as_type(document, "ModelMergeBlocks", blocks="J00:0.5, FINAL:0"),
        as_type(document, "ModelMergeFormula", formula="slerp", alpha=0.5),
    ]
    assert len({picture(studio, document) for document in documents}) == len(documents)
    assert studio.ran(changed(documents[2], n3_blocks="J00:0.6")) == [
        "KSampler",
        "ModelMergeBlocks",
        "SaveImage",
        "VAEDecode",
    ]
    assert any(isinstance(event, Progress) and event.node == "3" for event in studio.events)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [({"blocks": "IN00:1"}, "has BASE, J00-J01, FINAL"), ({"blocks": "J00"}, "expected BLOCKS:RATIO")],
)
def test_what_cannot_be_merged_is_named(
    studio: Studio, document: Document, inputs: dict[str, object], message: str
) -> None:
    assert studio.run(as_type(document, "ModelMergeBlocks", **inputs)).state == "failed"
    (failure,) = (event for event in studio.events if isinstance(event, Failed))
    assert (failure.node, message in failure.error.message) == ("3", True)


def test_the_other_parts_are_merged_as_well(studio: Studio, document: Document) -> None:
    loaded = [studio.value(document, node) for node in ("1", "2")]
    parts = {"CLIPMerge": "clip", "VAEMerge": "vae"}
    for kind, part in parts.items():
        inputs = {f"{part}_{letter}": {"node": node, "output": part} for letter, node in (("a", "1"), ("b", "2"))}
        merged = {**document, "nodes": {**document["nodes"], "m": {"type": kind, "inputs": {**inputs, "ratio": 0.25}}}}
        assert studio.value(merged, "m")[part].origin not in {value[part].origin for value in loaded}


def test_whole_files_are_merged_and_load_again(studio: Studio, document: Document) -> None:
    """The network in the file is that of merging in the graph."""
    merge: Document = {
        "version": 1,
        "nodes": {
            "m": {
                "type": "CheckpointMerge",
                "inputs": {
                    "checkpoint_a": "weft-emoji.safetensors",
                    "checkpoint_b": "other.safetensors",
                    "alpha": 0.25,
                    "blocks": "J00:0.75",
                    "prefix": "checkpoints/both",
                },
            }
        },
    }
    told = studio.value(merge, "m")
    assert re.fullmatch(r"\d+ tensors mixed, 0 of A as they are, 0 left out", told["report"])
    (file,) = told["files"]
    assert any(isinstance(event, Progress) and event.node == "m" for event in studio.events)
    (studio.models / "checkpoints" / "both.safetensors").write_bytes(studio.read(file))
    expected = as_type(document, "ModelMergeBlocks", ratio=0.25, curve="flat", blocks="J00:0.75")
    merged = studio.value(expected, "3")["model"].network.state_dict()
    loaded = studio.value(changed(document, n1_checkpoint="both.safetensors"), "1")["model"].network.state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in merged.items())
