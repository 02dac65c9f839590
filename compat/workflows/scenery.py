"""Where ComfyUI draws nodes and groups, in what colours, as places and frames of ours."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from compat.workflows.foreign import Node, is_list, is_number, is_object, text

ACROSS: Final = 1.15
DOWN: Final = 1.5
"""Nodes are larger here than there, above all higher."""
FARTHEST: Final = 1e7
HUES: Final = (
    (15, "red"),
    (42, "orange"),
    (70, "yellow"),
    (165, "green"),
    (255, "blue"),
    (345, "purple"),
    (360, "red"),
)
PALE: Final = 0.12
_HEX: Final = re.compile("#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
Box = Mapping[str, Any]


def place_of(raw: Mapping[str, Any], *, sized: bool) -> dict[str, object] | None:
    """Where a node is drawn; None if the file does not say. Sizes are ours, but those of notes."""
    at, size = _pair(raw.get("pos")), _pair(raw.get("size"))
    if at is None:
        return None
    place: dict[str, object] = {"x": round(at[0] * ACROSS), "y": round(at[1] * DOWN)}
    if sized and size is not None:
        place |= {"w": max(160, round(size[0])), "h": max(96, round(size[1]))}
    flags = raw.get("flags")
    for flag in ("collapsed", "pinned"):
        if is_object(flags) and flags.get(flag) is True:
            place[flag] = True
    if colour := tint(raw.get("bgcolor")) or tint(raw.get("color")):
        place["colour"] = colour
    return place


def frames_of(
    groups: Sequence[Mapping[str, Any]], nodes: Mapping[str, Node]
) -> tuple[dict[str, Mapping[str, object]], dict[str, str]]:
    """Frames by id, and the frame each node lies in, as its upper left corner does; the innermost of several."""
    frames: dict[str, dict[str, object]] = {}
    boxes: dict[str, tuple[float, float, float, float]] = {}
    for group in groups:
        if (box := _box(group.get("bounding"))) is not None:
            id = _letters(len(frames) + 1)
            x, y, w, h = boxes[id] = box
            colour = tint(group.get("color"))
            frames[id] = {"title": text(group.get("title")) or "Group", "x": x, "y": y, "w": w, "h": h}
            frames[id] |= {"colour": colour} if colour else {}
    small_first = sorted(boxes, key=lambda id: boxes[id][2] * boxes[id][3])[:MOST_FRAMES]
    homes: dict[str, str] = {}
    for id, node in nodes.items():
        if node.place is not None:
            x, y = float(str(node.place["x"])), float(str(node.place["y"]))
            home = next((frame for frame in small_first if _within(boxes[frame], x + 1, y + 1)), None)
            homes |= {} if home is None else {id: home}
    for number, id in enumerate(small_first):
        x, y, w, h = boxes[id]
        larger = (each for each in small_first[number + 1 :] if _within(boxes[each], x, y))
        outer = next((each for each in larger if _within(boxes[each], x + w, y + h)), None)
        if outer is not None:
            frames[id]["frame"] = outer
    return {**frames}, homes


MOST_FRAMES: Final = 200
"""Beyond these, frames stand alone: what lies in them is not looked for."""


def tint(colour: object) -> str:
    """The name of the colour of ours that is nearest; "" for none."""
    if not isinstance(colour, str) or not _HEX.fullmatch(colour):
        return ""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    red, green, blue = bytes.fromhex(digits)
    hue, _, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    if saturation < PALE:
        return "grey"
    return next(name for most, name in HUES if hue * 360 <= most)


def _box(bounding: object) -> tuple[float, float, float, float] | None:
    if not is_list(bounding) or len(bounding) != 4:
        return None
    corner, size = _pair(bounding[:2]), _pair(bounding[2:])
    if corner is None or size is None or size[0] <= 0 or size[1] <= 0:
        return None
    x, y = round(corner[0] * ACROSS), round(corner[1] * DOWN)
    return x, y, round(size[0] * ACROSS), round(size[1] * DOWN)


def _within(box: tuple[float, float, float, float], x: float, y: float) -> bool:
    return box[0] <= x <= box[0] + box[2] and box[1] <= y <= box[1] + box[3]


def _pair(value: object) -> tuple[float, float] | None:
    """Two numbers, of a list or, in old files, an object with the keys 0 and 1."""
    items = [value.get("0"), value.get("1")] if is_object(value) else value[:2] if is_list(value) else []
    x, y = items if len(items) == 2 else (None, None)
    if not is_number(x) or not is_number(y) or not (abs(x) < FARTHEST and abs(y) < FARTHEST):
        return None
    return float(x), float(y)


def _letters(number: int) -> str:
    """a, b ... z, aa: the ids of frames."""
    name = ""
    while number:
        number, digit = divmod(number - 1, 26)
        name = chr(97 + digit) + name
    return name
