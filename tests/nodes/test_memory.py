"""Graphs of nodes where memory is short: the same pictures, and a failure that tells why and harms nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from diffusion.networks.mmdit import MMDiT
from diffusion.residency import HostPlace, Residency
from graph.events import Failed
from tests.nodes.studio import Studio, changed
from tests.nodes.test_workflows import template

DOCUMENT = template("default", n4_width=64, n4_height=48)


def test_the_picture_does_not_depend_on_the_room_for_weights(studio: Studio) -> None:
    studio.ran(DOCUMENT)
    (expected,) = studio.saved()
    for budget in (None, 1 << 20):
        residency = Residency(HostPlace(), budget)
        studio.context = replace(studio.context, residency=residency)
        studio.cache.clear("host")
        assert "CheckpointLoader" in studio.ran(DOCUMENT)
        (file,) = studio.saved()
        assert studio.read(file) == studio.read(expected)
        titles = {entry.title for entry in residency.entries()}
        assert any(title.endswith("of weft-emoji.safetensors") for title in titles)


def test_models_of_two_loaders_are_one_in_memory(studio: Studio) -> None:
    residency = Residency(HostPlace())
    studio.context = replace(studio.context, residency=residency)
    document = changed(DOCUMENT)
    document["nodes"]["other"] = {
        "type": "CheckpointLoader",
        "title": "again",
        "inputs": {"checkpoint": "other.safetensors"},
    }
    document["nodes"]["5"]["inputs"]["model"] = {"node": "other", "output": "model"}
    studio.ran(document)
    before = sum(entry.bytes for entry in residency.entries())
    document["nodes"]["other"]["inputs"]["checkpoint"] = "weft-emoji.safetensors"
    studio.ran(document)
    after = {entry.title: entry.bytes for entry in residency.entries()}
    assert sum(after.values()) > before  # the network of the second file, and no second text encoder or VAE
    assert len(after) == len(residency.entries())


def test_out_of_memory_fails_the_node_and_nothing_else(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    studio.context = replace(studio.context, residency=Residency(HostPlace()))
    forward = MMDiT.forward

    def starved(*_: object, **__: object) -> Tensor:
        raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr(MMDiT, "forward", starved)
    assert studio.run(DOCUMENT).state == "failed"
    (error,) = [event.error for event in studio.events if isinstance(event, Failed)]
    assert error.type == "OutOfMemoryError"
    assert error.node == "5"
    assert "one row at a time" in error.message
    assert "of weft-emoji.safetensors" in error.message
    monkeypatch.setattr(MMDiT, "forward", forward)
    assert studio.ran(DOCUMENT) == ["KSampler", "SaveImage", "VAEDecode"]
