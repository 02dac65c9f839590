"""Constants of ComfyUI as ours: names of samplers, files, methods, switches. What is not known stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from compat.workflows.kinds import Convert


def by_name(names: Mapping[str, object]) -> Convert:
    """Words that are called something else here; any other value as it is."""
    return lambda value: names.get(value, value) if isinstance(value, str) else value


def sampler(name: object) -> object:
    """Those that make their noise on the device are the same otherwise; very old files say sample_euler."""
    return name.removeprefix("sample_").removesuffix("_gpu") if isinstance(name, str) else name


def file(name: object) -> object:
    """The name of a file in a models folder, where Windows wrote it with other slashes; none is the empty text."""
    return "" if name is None else name.replace("\\", "/") if isinstance(name, str) else name


def picture(name: object) -> object:
    """The name of an uploaded picture, without the mark that says it is one."""
    found = file(name)
    return found.removesuffix(" [input]") if isinstance(found, str) else found


def switch(word: object) -> object:
    return {"enable": True, "disable": False}.get(word, word) if isinstance(word, str) else word


def rest_of_one(share: object) -> object:
    return round(1 - share, 10) if isinstance(share, int | float) else share


def step(number: object) -> object:
    """The number of a step; the peer's default, 10,000, is beyond what there is here."""
    return min(number, 1000) if isinstance(number, int) else number


def colour(number: object) -> object:
    """0xRRGGBB as "#rrggbb"."""
    return f"#{number & 0xFFFFFF:06x}" if isinstance(number, int) else number


METHOD: Final = by_name({"nearest-exact": "nearest"})
FIT: Final = by_name({"disabled": "stretch", "center": "crop"})
CONTEXT: Final = by_name({"default": "whole picture", "mask bounds": "around the mask"})
FAMILY: Final = by_name({"stable_diffusion": "any", "sdxl": "sdxl", "sd3": "sd3", "flux": "flux", "pixart": "any"})
PREDICTION: Final = by_name({"v_prediction": "v"})
CONTROL: Final = by_name(
    {
        "openpose": "pose",
        "hed/pidi/scribble/ted": "scribble",
        "canny/lineart/anime_lineart/mlsd": "edges",
        "normal": "normals",
        "segment": "segments",
    }
)
