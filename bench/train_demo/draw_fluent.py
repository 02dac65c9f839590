"""Draw the second style's sprites: Microsoft's Fluent Emoji, flat, for the subjects of the vocabulary.

`python -m bench.train_demo.draw_fluent PACKAGE` reads the npm package `@iconify-json/fluent-emoji-flat` (MIT), unpacked
in PACKAGE, and writes `build/train_demo/fluent.npz` in the order of the vocabulary. A subject the set lacks keeps its
sprite of the first style. Needs the PyPI package `resvg-py`.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from bench.train_demo import vocabulary
from bench.train_demo.draw_sprites import SIDE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path)
    package = parser.parse_args().package
    icons = json.loads((package / "icons.json").read_text())
    names = json.loads((package / "chars.json").read_text())
    sprites = np.load(vocabulary.SPRITES)["sprites"].copy()
    drawn = 0
    for number, subject in enumerate(vocabulary.load()):
        icon = icons["icons"].get(names.get(_code(subject.emoji), ""))
        if icon is not None:
            sprites[number] = _draw(icon["body"], icons["width"])
            drawn += 1
    np.savez_compressed(vocabulary.FLUENT, sprites=sprites)
    print(f"{drawn} of {len(sprites)} subjects, {vocabulary.FLUENT.stat().st_size} bytes")


def _code(text: str) -> str:
    """The package's name of an emoji: code points in hexadecimal, without the variation selector."""
    return "-".join(f"{ord(character):x}" for character in text if character != "\ufe0f")


def _draw(body: str, side: int) -> np.ndarray:
    """The drawing with straight alpha, uint8 SIDE x SIDE x 4; colours under full transparency are 0."""
    text = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}">{body}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=text, width=SIDE, height=SIDE)
    pixels = np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA")).copy()
    pixels[pixels[..., 3] == 0] = 0
    return pixels


if __name__ == "__main__":
    main()
