"""Attention maps in a graph: a picture for each token asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nodes.attention import token_numbers
from tests.nodes.studio import Studio, changed, link

ROOT = Path(__file__).parents[2]


def test_a_picture_for_each_token(studio: Studio) -> None:
    document = json.loads((ROOT / "web" / "templates" / "default.json").read_text())
    document = changed(document, n4_width=64, n4_height=48, n5_steps=1)
    sampler = document["nodes"]["5"]["inputs"]
    inputs = {"model": sampler["model"], "positive": sampler["positive"], "latent": link("5", "latent")}
    document["nodes"]["maps"] = {"type": "AttentionMaps", "inputs": {**inputs, "tokens": "1-3, 6", "levels": 2}}
    image = studio.value(document, "maps")["image"]
    assert image.shape == (4, 3, 48, 64)
    assert image.max() == 1
    assert image.min() >= 0


def test_tokens_by_number() -> None:
    assert token_numbers("1-3, 7", 8) == [1, 2, 3, 7]
    for text in ("", "8", "a", "3-1"):
        with pytest.raises(ValueError, match="tokens: expected numbers"):
            token_numbers(text, 8)
