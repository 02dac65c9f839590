"""Attention maps in a graph: a picture for each token asked for."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import torch

from nodes.attention import packed, token_numbers
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


def test_what_is_recorded_of_a_batch(studio: Studio) -> None:
    """For the words of the prompt alone the maps that AttentionMaps paints, one for each picture."""
    document = json.loads((ROOT / "web" / "templates" / "default.json").read_text())
    document = changed(
        document, n4_width=64, n4_height=48, n4_batch=2, n5_steps=1, n2_text="a \u732b, (Fox:1.2) \U0001f98a!"
    )
    sampler = document["nodes"]["5"]["inputs"]
    inputs = {"model": sampler["model"], "positive": sampler["positive"], "latent": link("5", "latent"), "levels": 2}
    document["nodes"]["maps"] = {"type": "AttentionMaps", "inputs": {**inputs, "tokens": "1-76"}}
    document["nodes"]["view"] = {"type": "AttentionView", "inputs": {**inputs, "prefix": "look/it"}}
    (file,) = studio.value(document, "view")["files"]
    assert (file.media_type, file.folder) == ("application/json", "output")
    told = json.loads(studio.read(file))
    assert told["text"] == "a \u732b , fox \U0001f98a! "
    text = told["text"].encode("utf-16-le")
    spans = {text[2 * start : 2 * end].decode("utf-16-le").strip() for start, end in told["tokens"]}
    assert {"a", "\u732b", ",", "fox", "\U0001f98a"} <= spans
    assert [(each["width"], each["height"]) for each in told["pictures"]] == [(8, 6), (8, 6)]
    first, second = (base64.b64decode(each["maps"]) for each in told["pictures"])
    assert len(first) == len(told["tokens"]) * 48
    assert first != second
    painted = studio.value(document, "maps")["image"][: len(told["tokens"]), 0, ::8, ::8]
    recorded = (
        torch.tensor(list(first)).view(-1, 6, 8) / 255 * torch.tensor(told["pictures"][0]["peaks"])[:, None, None]
    )
    assert torch.allclose(recorded / recorded.max(), painted / painted.max(), atol=0.01)


def test_large_maps_are_made_smaller() -> None:
    maps_SHW = torch.rand(2, 96, 192)
    small = packed(maps_SHW)
    assert (small["width"], small["height"]) == (64, 32)
    assert small["peaks"] == pytest.approx(
        maps_SHW.unflatten(1, (32, 3)).unflatten(3, (64, 3)).mean((2, 4)).amax((1, 2))
    )


def test_a_prompt_without_words_is_refused(studio: Studio) -> None:
    document = json.loads((ROOT / "web" / "templates" / "default.json").read_text())
    document = changed(document, n4_width=64, n4_height=48, n5_steps=1, n2_text="")
    sampler = document["nodes"]["5"]["inputs"]
    inputs = {"model": sampler["model"], "positive": sampler["positive"], "latent": link("5", "latent")}
    document["nodes"]["view"] = {"type": "AttentionView", "inputs": inputs}
    outcome = studio.run(document, ["view"])
    assert outcome.error is not None
    assert "positive: expected a prompt with words" in outcome.error.message


def test_tokens_by_number() -> None:
    assert token_numbers("1-3, 7", 8) == [1, 2, 3, 7]
    for text in ("", "8", "a", "3-1"):
        with pytest.raises(ValueError, match="tokens: expected numbers"):
            token_numbers(text, 8)
