"""Captions of scenes: eight slots of phrases, drawn for a whole batch at once and put together as token ids.

CLIP's tokenizer splits at spaces and punctuation, so the ids of a caption are the ids of its phrases one after the
other; a table of phrases made once is all the training machine needs. Chinese is written without spaces: there a
phrase is what stands between two commas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from bench.train_demo import scenes as scene
from bench.train_demo.scenes import ABOVE, ALONE, BESIDE, GROUNDS, Scenes
from bench.train_demo.vocabulary import Subject

LENGTH = 77
BEGIN, END = 49406, 49407
EMPTY_SHARE = 0.1  # captions left empty, for classifier-free guidance
_PREFIXES = ("an emoji of", "a picture of", "an icon of", "a drawing of")
# (phrase, whether the second subject is named first); repeated for weight
_RELATIONS = {
    ALONE: (("", False),) * 8,
    BESIDE: (
        ("left of", False),
        ("left of", False),
        ("to the left of", False),
        ("right of", True),
        ("right of", True),
        ("to the right of", True),
        ("next to", False),
        ("and", True),
    ),
    ABOVE: (
        ("above", False),
        ("above", False),
        ("on top of", False),
        ("over", False),
        ("below", True),
        ("below", True),
        ("under", True),
        ("and", False),
    ),
}
_GROUND_WORDINGS = ("on {} background", "on {} background", "on a {} background", ", {} background")
PLACE_WORDINGS = {
    scene.TOP_LEFT: ("in the top left corner", "in the upper left corner", "at the top left"),
    scene.TOP_RIGHT: ("in the top right corner", "in the upper right corner", "at the top right"),
    scene.BOTTOM_LEFT: ("in the bottom left corner", "in the lower left corner", "at the bottom left"),
    scene.BOTTOM_RIGHT: ("in the bottom right corner", "in the lower right corner", "at the bottom right"),
    scene.LEFT: ("on the left", "at the left", "on the left side"),
    scene.RIGHT: ("on the right", "at the right", "on the right side"),
    scene.TOP: ("at the top", "in the upper half", "at the top"),
    scene.BOTTOM: ("at the bottom", "in the lower half", "at the bottom"),
}
# What stands before a name instead of an article, by layout.
_SIZES = {ALONE: ("a big", "a large"), scene.SMALL: ("a small", "a tiny")}
_BEFORE = frozenset(("of", "with", "in", "on", "and", "without", "showing", "at", "for", "over", "from", "to"))
COUNT_WORDINGS = {scene.TWO: ("two", "2"), scene.THREE: ("three", "3"), scene.FOUR: ("four", "4")}

CHINESE_GROUNDS = dict(zip(GROUNDS, "白黑灰红橙黄绿青蓝紫粉棕", strict=True))
# Forms of a Chinese name: alone, then the first and the second subject of a pair, then by layout.
PLAIN_CHINESE = ("{}", "一个{}", "{}")
CHINESE_WORDINGS = {
    (ALONE, 0): PLAIN_CHINESE,
    (BESIDE, 0): ("左边{}", "左边是{}", "左边一个{}"),
    (BESIDE, 1): ("右边{}", "右边是{}", "右边一个{}"),
    (ABOVE, 0): ("上面{}", "上面是{}", "上面一个{}"),
    (ABOVE, 1): ("下面{}", "下面是{}", "下面一个{}"),
    (scene.SMALL, 0): ("小{}", "一个小{}", "小小的{}"),
    (scene.TWO, 0): ("两个{}", "两只{}", "二个{}"),
    (scene.THREE, 0): ("三个{}", "三只{}", "三个{}"),
    (scene.FOUR, 0): ("四个{}", "四只{}", "四个{}"),
}
CHINESE_PLACES = {
    scene.TOP_LEFT: "左上角",
    scene.TOP_RIGHT: "右上角",
    scene.BOTTOM_LEFT: "左下角",
    scene.BOTTOM_RIGHT: "右下角",
    scene.LEFT: "左侧",
    scene.RIGHT: "右侧",
    scene.TOP: "顶部",
    scene.BOTTOM: "底部",
}


@dataclass(frozen=True)
class Phrases:
    """Every phrase with its ids, and where the kinds of phrases lie in the table (0: the empty phrase).

    ids P x L (0 after the phrase's end), length P; articles, names and plurals N x V are phrase numbers of each
    subject's wordings (the name repeated where a subject has fewer). For each of K layouts: relations and swaps K x 8,
    determiners K x 2 and places K x 3; which layouts are counts, K. Grounds G x W. In Chinese: names N x K x 2 x 3 (for
    both subjects), places K, grounds G, and the number of the comma.
    """

    texts: tuple[str, ...]
    ids: Tensor
    length: Tensor
    prefixes: Tensor
    articles: Tensor
    names: Tensor
    plurals: Tensor
    relations: Tensor
    swaps: Tensor
    determiners: Tensor
    counted: Tensor
    places: Tensor
    grounds: Tensor
    chinese_names: Tensor
    chinese_places: Tensor
    chinese_grounds: Tensor
    comma: Tensor

    def to(self, device: torch.device | str) -> Phrases:
        moved = [part.to(device) for part in self._tensors()]
        return Phrases(self.texts, *moved)

    def _tensors(self) -> tuple[Tensor, ...]:
        values = (getattr(self, field.name) for field in fields(self))
        return tuple(value for value in values if isinstance(value, Tensor))

    def text(self, slots_8: Tensor) -> str:
        return " ".join(self.texts[number] for number in slots_8.tolist() if number)

    def assemble(self, slots_B8: Tensor) -> Tensor:
        """Token ids B x LENGTH: begin, the phrases' ids, end, end as padding."""
        count = len(slots_B8)
        lengths_B8 = self.length[slots_B8]
        starts_B8 = 1 + lengths_B8.cumsum(1) - lengths_B8
        tokens = torch.full((count, LENGTH + 1), END, device=slots_B8.device)
        tokens[:, 0] = BEGIN
        position = torch.arange(self.ids.shape[1], device=slots_B8.device)
        for slot in range(slots_B8.shape[1]):
            target = starts_B8[:, slot, None] + position
            target = torch.where(position < lengths_B8[:, slot, None], target, LENGTH).clamp(max=LENGTH)
            tokens.scatter_(1, target, self.ids[slots_B8[:, slot]])
        tokens[:, LENGTH - 1] = END
        return tokens[:, :LENGTH]


def build(subjects: Sequence[Subject], tokenize: Callable[[str], list[int]]) -> Phrases:
    texts: dict[str, int] = {"": 0}

    def number(phrase: str) -> int:
        return texts.setdefault(phrase, len(texts))

    layouts = range(len(scene.PLACES))
    width = max(len(subject.wordings) for subject in subjects)
    wordings = [[s.wordings[k] if k < len(s.wordings) else s.name for k in range(width)] for s in subjects]
    relations = [_RELATIONS.get(layout, _RELATIONS[ALONE]) for layout in layouts]
    determiners = [_SIZES.get(layout) or COUNT_WORDINGS.get(layout) or ("", "") for layout in layouts]
    chinese = [[CHINESE_WORDINGS.get((layout, k), PLAIN_CHINESE) for k in (0, 1)] for layout in layouts]
    parts = {
        "prefixes": [number(prefix) for prefix in _PREFIXES],
        "articles": [[number(article(wording)) for wording in row] for row in wordings],
        "names": [[number(wording) for wording in row] for row in wordings],
        "plurals": [[number(plural(wording)) for wording in row] for row in wordings],
        "relations": [[number(phrase) for phrase, _ in row] for row in relations],
        "swaps": [[swap for _, swap in row] for row in relations],
        "determiners": [[number(phrase) for phrase in row] for row in determiners],
        "counted": [layout in COUNT_WORDINGS for layout in layouts],
        "places": [[number(phrase) for phrase in PLACE_WORDINGS.get(layout, ("",) * 3)] for layout in layouts],
        "grounds": [[number(wording.format(name)) for wording in _GROUND_WORDINGS] for name in GROUNDS],
        "chinese_names": [
            [[[number(form.format(s.chinese)) for form in forms] for forms in pair] for pair in chinese]
            for s in subjects
        ],
        "chinese_places": [number(_after_comma(CHINESE_PLACES.get(layout, ""))) for layout in layouts],
        "chinese_grounds": [number(_after_comma(f"{name}色背景")) for name in CHINESE_GROUNDS.values()],
        "comma": number("，"),
    }
    ids = [tokenize(text) for text in texts]
    longest = max(len(row) for row in ids)
    padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
    tensors = {name: torch.tensor(part) for name, part in parts.items()}
    return Phrases(texts=tuple(texts), ids=padded, length=torch.tensor([len(row) for row in ids]), **tensors)


def _after_comma(phrase: str) -> str:
    return f"，{phrase}" if phrase else ""


def plural(name: str) -> str:
    """Several of what `name` calls: the word before "of", "with", "in"..., or else the last, in the plural."""
    words = name.split()
    at = next((n for n, word in enumerate(words) if n and word in _BEFORE), len(words)) - 1
    last = words[at]
    if last.endswith(("s", "x", "z", "ch", "sh")):
        words[at] = last if last.endswith("s") and not last.endswith("ss") else f"{last}es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        words[at] = f"{last[:-1]}ies"
    else:
        words[at] = f"{last}s"
    return " ".join(words)


def article(name: str) -> str:
    """The article an English speaker would write before `name`, empty for most plurals."""
    last = name.lower().rsplit(maxsplit=1)[-1]
    if last.endswith("s") and not last.endswith(("ss", "us", "is", "as")):
        return ""
    return "an" if name[0].lower() in "aeiou" else "a"


def draw(
    scenes: Scenes, phrases: Phrases, generator: torch.Generator, chinese_share: float = 0, longest: int = LENGTH
) -> Tensor:
    """Phrase numbers B x 8 (prefix, article, name, relation, article, name, place, ground); a tenth of the rows empty.

    A size, a count or a place is always named, the ground mostly. What would be longer than so many tokens in Chinese
    is said in English, of which nothing is longer than 30.
    """
    draws = _Draws(len(scenes), generator)
    english, chinese = _english(scenes, phrases, draws), _chinese(scenes, phrases, draws)
    fits = phrases.length[chinese].sum(1) <= longest - 2
    rows = torch.where((fits & draws.chance(chinese_share))[:, None], chinese, english)
    return rows * ~draws.chance(EMPTY_SHARE)[:, None]


@dataclass(frozen=True)
class _Draws:
    count: int
    generator: torch.Generator

    def chance(self, share: float) -> Tensor:
        return torch.rand(self.count, generator=self.generator, device=self.generator.device) < share

    def choice(self, options: int) -> Tensor:
        return torch.randint(0, options, (self.count,), generator=self.generator, device=self.generator.device)


def _english(scenes: Scenes, phrases: Phrases, draws: _Draws) -> Tensor:
    layout, two = scenes.layout, scene.paired(scenes.layout)
    relation = draws.choice(phrases.relations.shape[1])
    swap = phrases.swaps[layout, relation]
    has_prefix, has_article = draws.chance(0.15), draws.chance(0.5)
    has_article |= has_prefix
    slots = []
    for subject in (torch.where(swap, scenes.second, scenes.first), torch.where(swap, scenes.first, scenes.second)):
        wording = draws.choice(phrases.names.shape[1]) * draws.chance(0.4)
        name = torch.where(phrases.counted[layout], phrases.plurals[subject, wording], phrases.names[subject, wording])
        slots += [phrases.articles[subject, wording] * has_article, name]
    determiner = phrases.determiners[layout, draws.choice(phrases.determiners.shape[1])]
    determined = (determiner > 0) & ((layout != ALONE) | draws.chance(0.1))
    slots[0] = torch.where(determined, determiner, slots[0])
    ground = phrases.grounds[scenes.ground, draws.choice(phrases.grounds.shape[1])] * draws.chance(0.8)
    prefix = phrases.prefixes[draws.choice(len(phrases.prefixes))] * has_prefix
    relation = phrases.relations[layout, relation]
    place = phrases.places[layout, draws.choice(phrases.places.shape[1])]
    return torch.stack([prefix, slots[0], slots[1], relation, slots[2] * two, slots[3] * two, place, ground], 1)


def _chinese(scenes: Scenes, phrases: Phrases, draws: _Draws) -> Tensor:
    layout, two = scenes.layout, scene.paired(scenes.layout)
    form = draws.choice(phrases.chinese_names.shape[3])
    first, second = (
        phrases.chinese_names[subject, layout, k, form] for k, subject in ((0, scenes.first), (1, scenes.second))
    )
    none = torch.zeros_like(first)
    ground = phrases.chinese_grounds[scenes.ground] * draws.chance(0.8)
    place = phrases.chinese_places[layout]
    return torch.stack([none, none, first, phrases.comma * two, none, second * two, place, ground], 1)
