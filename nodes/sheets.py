"""A contact sheet with labels: what a sweep of several values made, side by side."""

from __future__ import annotations

import math
from typing import Annotated, Final

import torch
from PIL import Image as Pictures
from PIL import ImageDraw, ImageFont
from torch import Tensor

from graph import Text, node
from nodes.types import Image

_INK, _FAINT, _PAPER = (32, 32, 40), (200, 200, 208), (255, 255, 255)
_GAP: Final = 8
_WIDE_FONTS: Final = (
    "NotoSansCJK-Regular.ttc",
    "PingFang.ttc",
    "msyh.ttc",
    "DroidSansFallback.ttf",
    "wqy-microhei.ttc",
)
"""Fonts of the usual systems for letters that Pillow's own font lacks."""
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@node("LabelledSheet", category="image", title="Labelled sheet")
def labelled_sheet(
    images: list[Image | None],
    columns: Annotated[str, Text(multiline=True)] = "",
    rows: Annotated[str, Text(multiline=True)] = "",
    title: Annotated[str, Text()] = "",
) -> Image:
    """Lay pictures side by side in one, with a label over each column and beside each row.

    images: any number of links, row by row; of a batch every picture, side by side in its cell. The cell of a picture
    that could not be made is crossed out. columns: the labels over them, one a line; as many columns as lines. rows:
    the labels beside them, one a line. title: over all of it.
    """
    cells = [None if image is None else _side_by_side(image) for image in images]
    made = [cell for cell in cells if cell is not None]
    if not made:
        raise ValueError("images: expected one or more, got none")
    over, beside = _lines(columns), _lines(rows)
    across = len(over) or math.ceil(len(cells) / len(beside) if beside else math.sqrt(len(cells)))
    down = math.ceil(len(cells) / across)
    if len(beside) > down:
        raise ValueError(f"rows: expected at most {down} labels for {len(cells)} pictures in {across} columns")
    width, height = max(cell.width for cell in made), max(cell.height for cell in made)
    size = max(12, min(width, height) // 14)
    left = (
        0 if not beside else min(2 * width, 2 * _GAP + max(round(_font(size, each).getlength(each)) for each in beside))
    )
    line = size + 2 * _GAP
    heads = [_wrapped(label, width, size) for label in over]
    head = max((len(lines) for lines in heads), default=1) * round(1.3 * size) - round(0.3 * size) + 2 * _GAP
    top = line * bool(title) + head * bool(over)
    page = Pictures.new("RGB", (left + across * (width + _GAP) - _GAP, top + down * (height + _GAP) - _GAP), _PAPER)
    pen = ImageDraw.Draw(page)
    if title:
        _write(pen, title, (_GAP, line // 2), page.width - 2 * _GAP, size, "lm")
    for number, lines in enumerate(heads):
        for under, label in enumerate(reversed(lines)):
            at = (left + number * (width + _GAP) + width // 2, top - line // 2 - under * round(1.3 * size))
            _write(pen, label, at, width, size, "mm")
    for number, label in enumerate(beside):
        _write(pen, label, (_GAP, top + number * (height + _GAP) + height // 2), left - _GAP, size, "lm")
    for number, cell in enumerate(cells):
        at = (left + number % across * (width + _GAP), top + number // across * (height + _GAP))
        if cell is None:
            _cross(pen, at, width, height)
            continue
        page.paste(cell, (at[0] + (width - cell.width) // 2, at[1] + (height - cell.height) // 2))
    pixels = torch.frombuffer(bytearray(page.tobytes()), dtype=torch.uint8)
    return Image(pixels.view(page.height, page.width, 3).permute(2, 0, 1)[None].float() / 255)


def _cross(pen: ImageDraw.ImageDraw, at: tuple[int, int], width: int, height: int) -> None:
    """The place of a picture that is missing."""
    x, y, right, bottom = *at, at[0] + width - 1, at[1] + height - 1
    pen.rectangle((x, y, right, bottom), outline=_FAINT)
    pen.line((x, y, right, bottom), fill=_FAINT)
    pen.line((x, bottom, right, y), fill=_FAINT)


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _side_by_side(image_B3HW: Tensor) -> Pictures.Image:
    wide_HW3 = image_B3HW.permute(2, 0, 3, 1).flatten(1, 2)
    return Pictures.fromarray((wide_HW3.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy())


def _wrapped(text: str, room: int, size: int) -> list[str]:
    """Text in lines, between its words, so that each has the room it needs where that can be."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _font(size, longer).getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _write(pen: ImageDraw.ImageDraw, text: str, at: tuple[int, int], room: int, size: int, anchor: str) -> None:
    """A line of text, cut to the pixels there are."""
    font, shown = _font(size, text), text
    while len(shown) > 1 and font.getlength(shown) > room:
        shown = f"{shown.rstrip('…')[:-1]}…"
    pen.text(at, shown, fill=_INK, font=font, anchor=anchor)


def _font(size: int, text: str) -> _Font:
    """Pillow's own font; for letters it lacks, the first of _WIDE_FONTS that the system has."""
    for name in _WIDE_FONTS if any(ord(letter) > 0x2FF for letter in text.replace("…", "")) else ():
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
