"""What demo models are asked in measurements: prompts of scenes that no training picture showed, and their pictures.

A kind of trial is a list of layouts and a language; its prompts are like those of training, but each says all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from bench.train_demo import captions as caption
from bench.train_demo import judge as judging
from bench.train_demo import scenes as scene
from bench.train_demo import train_autoencoder, vocabulary
from bench.train_demo.captions import article, plural
from bench.train_demo.judge import Judge
from bench.train_demo.scenes import ABOVE, ALONE, BESIDE, GROUNDS, Scenes
from bench.train_demo.vocabulary import Subject
from diffusion.conditioning import Conditioning
from diffusion.loader import Checkpoint
from diffusion.sampling import sample

RELATIONS = {BESIDE: ("left of", "right of"), ABOVE: ("above", "below")}
COUNTS = (scene.TWO, scene.THREE, scene.FOUR)
PLACES = tuple(range(scene.TOP_LEFT, scene.BOTTOM + 1))


@dataclass(frozen=True)
class Kind:
    layouts: tuple[int, ...]
    chinese: bool = False


KINDS = {
    "one": Kind((ALONE,)),
    "beside": Kind((BESIDE,)),
    "above": Kind((ABOVE,)),
    "counts": Kind(COUNTS),
    "small": Kind((scene.SMALL,)),
    "places": Kind(PLACES),
    "one, Chinese": Kind((ALONE,), chinese=True),
    "two, Chinese": Kind((BESIDE, ABOVE), chinese=True),
    "counts and places, Chinese": Kind((*COUNTS, *PLACES), chinese=True),
}


@dataclass(frozen=True)
class Settings:
    steps: int
    cfg: float
    sampler: str
    schedule: str


@dataclass(frozen=True)
class Trial:
    """A prompt with what must be seen where: (first, second) are left, right or top, bottom."""

    prompt: str
    layout: int
    first: int
    second: int
    ground: int
    seed: int


def held_out_trials(layout: int, count: int, generator: torch.Generator, chinese: bool = False) -> list[Trial]:
    """Prompts of scenes that no training picture showed, each with a seed of its own."""
    subjects = vocabulary.load()
    pair = bool(scene.paired(torch.tensor(layout)))
    drawn = _held_out(layout, count, len(subjects), pair, generator)
    while len(drawn) < count:
        drawn = scene.concatenate([drawn, _held_out(layout, count, len(subjects), pair, generator)])
    trials = []
    rows = zip(drawn.first.tolist(), drawn.second.tolist(), drawn.ground.tolist())
    for number, row in enumerate(islice(rows, count)):
        first, second, ground = row
        say = say_chinese if chinese else say_english
        text = say(subjects[first], subjects[second], layout, ground, number)
        trials.append(Trial(text, layout, *row, int(torch.randint(0, 1 << 31, (), generator=generator))))
    return trials


def _held_out(layout: int, count: int, subjects: int, pair: bool, generator: torch.Generator) -> Scenes:
    drawn = train_autoencoder.draw_any(count * 30, subjects, float(pair), generator)
    drawn = Scenes(drawn.first, drawn.second, torch.full_like(drawn.layout, layout), drawn.ground)
    return drawn[scene.held_out(drawn)]


def trials_of(kind: Kind, count: int, generator: torch.Generator) -> list[list[Trial]]:
    """`count` trials in all, those of each layout together."""
    shares = [count // len(kind.layouts) + (n < count % len(kind.layouts)) for n in range(len(kind.layouts))]
    pairs = zip(kind.layouts, shares)
    return [held_out_trials(layout, share, generator, kind.chinese) for layout, share in pairs if share]


def say_english(first: Subject, second: Subject, layout: int, ground: int, number: int) -> str:
    """One of the wordings of training, in turn by `number`."""
    text = f"{article(first.name)} {first.name}".strip()
    if layout in RELATIONS:
        relation = RELATIONS[layout][number % 2]
        named = (second, first) if relation in ("right of", "below") else (first, second)
        text = f" {relation} ".join(f"{article(s.name)} {s.name}".strip() for s in named)
    elif layout in caption.COUNT_WORDINGS:
        text = f"{caption.COUNT_WORDINGS[layout][0]} {plural(first.name)}"
    elif layout == scene.SMALL:
        text = f"a small {first.name}"
    elif layout in caption.PLACE_WORDINGS:
        text = f"{text} {caption.PLACE_WORDINGS[layout][number % 3]}"
    return f"{text} on {list(GROUNDS)[ground]} background"


def say_chinese(first: Subject, second: Subject, layout: int, ground: int, number: int) -> str:
    parts = [wording(first.chinese, layout, 0, number)]
    if layout in RELATIONS:
        parts.append(wording(second.chinese, layout, 1, number))
    if layout in caption.CHINESE_PLACES:
        parts.append(caption.CHINESE_PLACES[layout])
    return "，".join([*parts, f"{list(caption.CHINESE_GROUNDS.values())[ground]}色背景"])


def wording(name: str, layout: int, which: int, number: int) -> str:
    forms = caption.CHINESE_WORDINGS.get((layout, which), caption.PLAIN_CHINESE)
    return forms[number % len(forms)].format(name)


def paint(checkpoint: Checkpoint, trials: Sequence[Trial], settings: Settings, batch: int) -> Tensor:
    """Pictures B x 3 x 128 x 128 in 0..1, on the CPU; a batch of one is exactly what the product paints."""
    assert checkpoint.clip is not None
    assert checkpoint.vae is not None
    pictures = []
    empty = checkpoint.clip.encode("")
    for at in range(0, len(trials), batch):
        part = trials[at : at + batch]
        encoded = [checkpoint.clip.encode(trial.prompt).entries[0] for trial in part]
        pooled = [one.pooled_BD for one in encoded if one.pooled_BD is not None]
        context_BLD = torch.cat([one.context_BLD for one in encoded])
        positive = Conditioning.of(context_BLD, torch.cat(pooled) if pooled else None)
        side = scene.SIDE // checkpoint.vae.downscale
        latent = sample(
            checkpoint.model,
            positive,
            empty,
            torch.zeros(len(part), checkpoint.vae.channels, side, side),
            seed=part[0].seed,
            steps=settings.steps,
            cfg=settings.cfg,
            sampler=settings.sampler,
            schedule=settings.schedule,
        )
        pictures.append(checkpoint.vae.decode(latent))
    return torch.cat(pictures)


def right_subjects(pictures: Tensor, trials: Sequence[Trial], judge: Judge, prototypes: Tensor) -> Tensor:
    """Which pictures have the wanted subject nearest at every place; all trials of one layout."""
    first, second = (torch.tensor([getattr(trial, name) for trial in trials]) for name in ("first", "second"))
    crops = judging.crops(pictures * 2 - 1, trials[0].layout)
    wanted = [second if n and trials[0].layout in RELATIONS else first for n in range(len(crops))]
    found = [
        torch.cat([judging.nearest(judge, prototypes, part).cpu() for part in crop.to(prototypes.device).split(256)])
        for crop in crops
    ]
    return torch.stack([seen == want for seen, want in zip(found, wanted)]).all(0)


def right_grounds(pictures: Tensor, trials: Sequence[Trial]) -> Tensor:
    """Which pictures have the asked colour, of all named ones, nearest to the median of what borders the picture."""
    edges = [pictures[:, :, 2], pictures[:, :, -3], pictures[:, :, :, 2], pictures[:, :, :, -3]]
    border = torch.cat(edges, 2).median(2).values
    colours = torch.tensor(list(GROUNDS.values())) / 255
    return torch.cdist(border, colours).argmin(1) == torch.tensor([trial.ground for trial in trials])
