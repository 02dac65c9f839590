"""Captions of scenes: seven slots of phrases, drawn for a whole batch at once and put together as token ids.

CLIP's tokenizer splits at spaces, so the ids of a caption are the ids of its phrases one after the other; a table of
phrases made once is all the training machine needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

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


@dataclass(frozen=True)
class Phrases:
    """Every phrase with its ids, and where the kinds of phrases lie in the table.

    ids P x L (0 after the phrase's end), length P; articles N x V and names N x V are phrase numbers of each subject's
    wordings (the name repeated where a subject has fewer), relations 3 x 8 with swaps 3 x 8, grounds G x W.
    """

    texts: tuple[str, ...]
    ids: Tensor
    length: Tensor
    prefixes: Tensor
    articles: Tensor
    names: Tensor
    relations: Tensor
    swaps: Tensor
    grounds: Tensor

    def to(self, device: torch.device | str) -> Phrases:
        moved = [part.to(device) for part in self._tensors()]
        return Phrases(self.texts, *moved)

    def _tensors(self) -> tuple[Tensor, ...]:
        return (
            self.ids,
            self.length,
            self.prefixes,
            self.articles,
            self.names,
            self.relations,
            self.swaps,
            self.grounds,
        )

    def text(self, slots_7: Tensor) -> str:
        return " ".join(self.texts[number] for number in slots_7.tolist() if number)

    def assemble(self, slots_B7: Tensor) -> Tensor:
        """Token ids B x LENGTH: begin, the phrases' ids, end, end as padding."""
        count = len(slots_B7)
        lengths_B7 = self.length[slots_B7]
        starts_B7 = 1 + lengths_B7.cumsum(1) - lengths_B7
        tokens = torch.full((count, LENGTH + 1), END, device=slots_B7.device)
        tokens[:, 0] = BEGIN
        position = torch.arange(self.ids.shape[1], device=slots_B7.device)
        for slot in range(slots_B7.shape[1]):
            target = starts_B7[:, slot, None] + position
            target = torch.where(position < lengths_B7[:, slot, None], target, LENGTH)
            tokens.scatter_(1, target, self.ids[slots_B7[:, slot]])
        return tokens[:, :LENGTH]


def build(subjects: Sequence[Subject], tokenize: Callable[[str], list[int]]) -> Phrases:
    texts: dict[str, int] = {"": 0}

    def number(phrase: str) -> int:
        return texts.setdefault(phrase, len(texts))

    width = max(len(subject.wordings) for subject in subjects)
    names, articles = [], []
    for subject in subjects:
        wordings = [subject.wordings[k] if k < len(subject.wordings) else subject.name for k in range(width)]
        names.append([number(wording) for wording in wordings])
        articles.append([number(article(wording)) for wording in wordings])
    prefixes = [number(prefix) for prefix in _PREFIXES]
    relations = [[number(phrase) for phrase, _ in _RELATIONS[layout]] for layout in (ALONE, BESIDE, ABOVE)]
    swaps = [[swap for _, swap in _RELATIONS[layout]] for layout in (ALONE, BESIDE, ABOVE)]
    grounds = [[number(wording.format(name)) for wording in _GROUND_WORDINGS] for name in GROUNDS]
    ids = [tokenize(text) for text in texts]
    longest = max(len(row) for row in ids)
    padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
    parts = [torch.tensor(part) for part in (prefixes, articles, names, relations, swaps, grounds)]
    return Phrases(tuple(texts), padded, torch.tensor([len(row) for row in ids]), *parts)


def article(name: str) -> str:
    """The article an English speaker would write before `name`, empty for most plurals."""
    last = name.lower().rsplit(maxsplit=1)[-1]
    if last.endswith("s") and not last.endswith(("ss", "us", "is", "as")):
        return ""
    return "an" if name[0].lower() in "aeiou" else "a"


def draw(scenes: Scenes, phrases: Phrases, generator: torch.Generator) -> Tensor:
    """Phrase numbers B x 7 (prefix, article, name, relation, article, name, ground); a tenth of the rows all empty."""
    count = len(scenes)

    def chance(share: float) -> Tensor:
        return torch.rand(count, generator=generator, device=generator.device) < share

    def choice(options: int) -> Tensor:
        return torch.randint(0, options, (count,), generator=generator, device=generator.device)

    wordings = phrases.names.shape[1]
    choices = phrases.relations.shape[1]
    relation = choice(choices)
    swap = phrases.swaps[scenes.layout, relation]
    has_prefix, has_article = chance(0.15), chance(0.5)
    has_article |= has_prefix
    slots = []
    for subject in (torch.where(swap, scenes.second, scenes.first), torch.where(swap, scenes.first, scenes.second)):
        wording = choice(wordings) * chance(0.4)
        slots += [phrases.articles[subject, wording] * has_article, phrases.names[subject, wording]]
    two = scenes.layout != ALONE
    ground = phrases.grounds[scenes.ground, choice(phrases.grounds.shape[1])] * chance(0.8)
    prefix = phrases.prefixes[choice(len(phrases.prefixes))] * has_prefix
    relation = phrases.relations[scenes.layout, relation]
    rows = torch.stack([prefix, slots[0], slots[1], relation, slots[2] * two, slots[3] * two, ground], 1)
    return rows * ~chance(EMPTY_SHARE)[:, None]
