"""What `/object_info` says of each class can be sent back and is taken."""

from __future__ import annotations

from typing import Any

import pytest

from compat.workflows.definitions import REWRITTEN, definition, definitions
from compat.workflows.table import CLASSES
from tests.compat.conftest import Here

CONNECTED = {"MODEL", "CLIP", "VAE", "CONDITIONING", "LATENT", "IMAGE", "MASK", "CONTROL_NET", "UPSCALE_MODEL"}
CONNECTED |= {"SAMPLER", "SIGMAS", "NOISE", "GUIDER", "CLIP_VISION"}
NAMES = [name for name in (*CLASSES, *REWRITTEN) if " " not in name]


@pytest.mark.parametrize("name", NAMES)
def test_a_class_says_what_it_takes(name: str, here: Here) -> None:
    told = definition(name, here.registry, here.files)
    assert told is not None
    assert told["name"] == name
    assert told["input_order"] == {group: list(entries) for group, entries in told["input"].items()}
    assert set(told["output"]) <= CONNECTED | {"INT", "FLOAT", "STRING", "BOOLEAN"}
    for entries in told["input"].values():
        for entry in entries.values():
            check(entry)


def check(entry: list[Any]) -> None:
    kind, options = entry[0], entry[1] if len(entry) > 1 else {}
    if isinstance(kind, list):
        assert options.get("default") is None or not kind or options["default"] in kind
    elif kind in ("INT", "FLOAT"):
        value = options["default"]
        assert options.get("min", value) <= value <= options.get("max", value)
    elif kind == "BOOLEAN":
        assert isinstance(options["default"], bool)
    elif kind != "STRING":
        assert kind in CONNECTED


def test_what_programs_look_for_is_where_they_look(here: Here) -> None:
    told = definitions(here.registry, here.files)
    sampler = told["KSampler"]["input"]["required"]
    assert {"euler", "dpmpp_2m", "ddim"} <= set(sampler["sampler_name"][0])
    assert {"normal", "karras"} <= set(sampler["scheduler"][0])
    assert sampler["seed"][1]["max"] == 2**64 - 1
    assert told["KSampler"]["output"] == ["LATENT"]
    assert told["CheckpointLoaderSimple"]["output"] == ["MODEL", "CLIP", "VAE"]
    assert told["KSamplerAdvanced"]["input"]["required"]["add_noise"][0] == ["enable", "disable"]
    assert "nearest-exact" in told["LatentUpscale"]["input"]["required"]["upscale_method"][0]
    assert told["SaveImage"]["output_node"] is True
    assert not any(" " in name for name in told)


@pytest.mark.parametrize("name", ["NoSuchClass", "UNETLoader MMDiT", ""])
def test_a_class_that_does_not_run_here_is_not_told(name: str, here: Here) -> None:
    assert definition(name, here.registry, here.files) is None
