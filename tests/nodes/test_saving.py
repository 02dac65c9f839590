"""Saving models in a graph: files that loaders read again, with the workflow in them."""

from __future__ import annotations

import json

from diffusion.header import read_header
from diffusion.loader import load_checkpoint, load_mmdit
from tests.nodes.studio import Document, Studio, link


def test_a_merge_is_saved_and_loads_again(studio: Studio) -> None:
    loader = {"type": "CheckpointLoader", "inputs": {"checkpoint": "weft-emoji.safetensors"}}
    parts = {part: link("1", part) for part in ("clip", "vae")}
    document: Document = {
        "version": 1,
        "nodes": {
            "1": loader,
            "2": {"type": "ModelMerge", "inputs": {"model_a": link("1", "model"), "model_b": link("1", "model")}},
            "3": {"type": "CheckpointSave", "inputs": {"model": link("2", "model"), **parts, "precision": "float32"}},
            "4": {"type": "ModelSave", "inputs": {"model": link("2", "model"), "prefix": "diffusion_models/mix"}},
        },
    }
    assert "CheckpointSave" in studio.ran(document)
    names = sorted(file.name for file in studio.saved())
    assert names == ["checkpoints/weft-00001.safetensors", "diffusion_models/mix-00001.safetensors"]
    whole, alone = (studio.data / "output" / name for name in names)
    source = studio.files.path("checkpoints", "weft-emoji.safetensors")
    loaded, original = (load_checkpoint(path, "cpu") for path in (whole, source))
    left, right = (value.model.network.state_dict() for value in (loaded, original))
    assert all(left[name].equal(right[name]) for name in right)
    assert loaded.clip is not None
    assert loaded.vae is not None
    assert load_mmdit(alone, "cpu").family == "sd3"
    assert json.loads(read_header(whole).metadata["workflow"]) == document
    assert alone.stat().st_size < whole.stat().st_size / 2
