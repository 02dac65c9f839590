"""Choose and draw the demo model's subjects: Noto Color Emoji by their CLDR names, near-identical glyphs left out.

`python -m bench.train_demo.draw_sprites` draws the font's glyphs and writes `vocabulary.json` (names, kept in the
repository) and `build/train_demo/sprites.npz` (128x128 RGBA pictures, made from the font when needed).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import emoji
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.train_demo.vocabulary import SPRITES, VOCABULARY, Subject

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
STRIKE = 109  # the one size of the font's bitmaps, 136x128 pixels
SIDE = 128
NEAREST_ALLOWED = 12.0  # rms difference of two glyphs on grey at 48 pixels, of 255, under which the second is left out

_TONES = frozenset(chr(code) for code in range(0x1F3FB, 0x1F400))
_LEFT_OUT = re.compile(
    r"^family |^kiss .*man|^couple with heart .*man|o.clock$|-thirty$| facing right$|(medium|small) square$"
)
_UNWANTED = frozenset(["shit", "hankey", "harambe", "gun", "iphone", "sassy man", "sassy woman", "imp", "mega", "joy"])
_EVERYDAY = {
    "apple": "red apple",
    "heart": "red heart",
    "burger": "hamburger",
    "car": "automobile",
    "moon": "crescent moon",
    "dice": "game die",
    "computer": "laptop",
    "phone": "mobile phone",
    "boat": "sailboat",
    "cake": "birthday cake",
    "beer": "beer mug",
    "wine": "wine glass",
    "coffee": "hot beverage",
    "plane": "airplane",
    "clock": "mantelpiece clock",
    "tree": "deciduous tree",
    "gift": "wrapped gift",
    "diamond": "gem stone",
    "bee": "honeybee",
    "ladybug": "lady beetle",
    "poop": "pile of poo",
    "dinosaur": "T-Rex",
    "soccer": "soccer ball",
    "football": "american football",
    "pumpkin": "jack-o-lantern",
    "smiley": "smiling face",
    "donut": "doughnut",
    "fries": "french fries",
    "steam train": "locomotive",
    "motorbike": "motorcycle",
    "pizza slice": "pizza",
    "alarm": "alarm clock",
}


def main() -> None:
    glyphs = _distinct({name: (text, _draw(text)) for text, name in _candidates()})
    subjects = _with_wordings({name: text for name, (text, _) in glyphs.items()})
    VOCABULARY.write_text(json.dumps([asdict(s) for s in subjects], ensure_ascii=False, indent=0) + "\n")
    SPRITES.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(SPRITES, sprites=np.stack([_sprite(glyphs[s.name][1]) for s in subjects]))
    wordings = sum(len(subject.wordings) for subject in subjects)
    print(f"{len(subjects)} subjects, {wordings} wordings, {SPRITES.stat().st_size} bytes")


def _candidates() -> list[tuple[str, str]]:
    """Characters and name of every emoji without skin tone that is no flag and matches no set left out."""
    found = []
    for text, facts in emoji.EMOJI_DATA.items():
        name = re.sub(r" \(.*\)$", "", facts["en"].strip(":").replace("_", " ").replace("’", "'"))
        is_flag = all(0x1F1E6 <= ord(c) <= 0x1F1FF for c in text) or text.endswith("\U000e007f")
        if facts["status"] != emoji.STATUS["fully_qualified"] or is_flag or _TONES & set(text):
            continue
        if not _LEFT_OUT.search(name):
            found.append((text, name))
    return found


def _draw(text: str) -> Image.Image:
    """The glyph on transparent ground; empty when the font lacks it or has it in parts only."""
    font = ImageFont.truetype(str(FONT), STRIKE)
    glyph = Image.new("RGBA", (136, 128))
    if font.getlength(text) < 140:
        ImageDraw.Draw(glyph).text((0, 0), text, font=font, embedded_color=True)
    return glyph


def _distinct(glyphs: dict[str, tuple[str, Image.Image]]) -> dict[str, tuple[str, Image.Image]]:
    """Glyphs that are drawn at all and differ enough from each one kept before; shorter names are kept first."""
    kept: dict[str, tuple[str, Image.Image]] = {}
    seen = np.empty((0, 48 * 51 * 3), np.float32)
    for name in sorted(glyphs, key=lambda name: (len(name.split()), name)):
        text, glyph = glyphs[name]
        if glyph.getbbox() is None:
            continue
        grey = Image.new("RGBA", glyph.size, (128, 128, 128, 255))
        grey.alpha_composite(glyph)
        small = np.asarray(grey.convert("RGB").resize((51, 48), Image.Resampling.BOX), np.float32).reshape(1, -1)
        if len(seen) == 0 or np.sqrt(((seen - small) ** 2).mean(1)).min() >= NEAREST_ALLOWED:
            kept[name] = (text, glyph)
            seen = np.concatenate([seen, small])
    return dict(sorted(kept.items()))


def _with_wordings(texts: dict[str, str]) -> list[Subject]:
    """Names with the short codes and everyday words that mean one subject only."""
    names = {name.lower() for name in texts}
    proposals = {name: [name, *_proposed(name, text)] for name, text in texts.items()}
    uses = Counter(wording for wordings in proposals.values() for wording in set(wordings))
    everyday = {word: name for word, name in _EVERYDAY.items() if name in texts and word not in names}
    subjects = []
    for name, wordings in proposals.items():
        own = [w for w in wordings[1:] if uses[w] == 1 and w not in names and w not in everyday]
        own += [word for word, target in everyday.items() if target == name]
        subjects.append(Subject(texts[name], name, (name, *dict.fromkeys(own)), _chinese(texts[name])))
    return subjects


def _chinese(text: str) -> str:
    """The CLDR name in simplified Chinese."""
    emoji.config.load_language("zh")
    return emoji.EMOJI_DATA[text]["zh"].strip(":").replace("_", " ")


def _proposed(name: str, text: str) -> list[str]:
    codes = [code.strip(":").replace("_", " ") for code in emoji.EMOJI_DATA[text].get("alias", [])]
    words = [code for code in codes if re.fullmatch(r"[a-z][a-z' -]{2,}", code) and code not in _UNWANTED]
    plain = re.sub(r" face$| button$", "", name).lower()
    return list(dict.fromkeys(word for word in [plain, *words] if word != name.lower()))


def _sprite(glyph: Image.Image) -> np.ndarray:
    """The glyph fitted into a square, straight alpha, uint8 SIDE x SIDE x 4."""
    height = round(SIDE * glyph.height / glyph.width)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(glyph.resize((SIDE, height), Image.Resampling.LANCZOS), (0, (SIDE - height) // 2))
    return np.asarray(square)


if __name__ == "__main__":
    main()
