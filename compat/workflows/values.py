"""Constants of ComfyUI as ours: names of samplers, files, methods, switches. What is not known stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Words:
    """Words of the peer that are called something else here; any other value stays as it is."""

    ours: Mapping[str, object]

    def __call__(self, value: object) -> object:
        return self.ours.get(value, value) if isinstance(value, str) else value

    def theirs(self, value: object) -> list[object]:
        """What the peer calls one of ours."""
        return [word for word, ours in self.ours.items() if ours == value] or [value]


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


def rest_of_one(share: object) -> object:
    return round(1 - share, 10) if isinstance(share, int | float) else share


def step(number: object) -> object:
    """The number of a step; the peer's default, 10,000, is beyond what there is here."""
    return min(number, 1000) if isinstance(number, int) else number


def colour(number: object) -> object:
    """0xRRGGBB as "#rrggbb"."""
    return f"#{number & 0xFFFFFF:06x}" if isinstance(number, int) else number


SWITCH: Final = Words({"enable": True, "disable": False})
METHOD: Final = Words({"nearest-exact": "nearest"})
FIT: Final = Words({"disabled": "stretch", "center": "crop"})
CONTEXT: Final = Words({"default": "whole picture", "mask bounds": "around the mask"})
FAMILY: Final = Words({"stable_diffusion": "any", "sdxl": "sdxl", "sd3": "sd3", "flux": "flux", "pixart": "any"})
PREDICTION: Final = Words({"v_prediction": "v"})
CONTROL: Final = Words(
    {
        "openpose": "pose",
        "hed/pidi/scribble/ted": "scribble",
        "canny/lineart/anime_lineart/mlsd": "edges",
        "normal": "normals",
        "segment": "segments",
    }
)
