"""Pictures of one to four emoji on a plain ground, composed in batches on any device.

A scene is a row of integers (first subject, second subject, layout, ground); which scenes are held out from training
is a function of that row alone, so that training and measurement agree without a list.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 128
ALONE, BESIDE, ABOVE = 0, 1, 2  # layouts: one subject; first left of second; first above second
SMALL, TWO, THREE, FOUR, TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT, LEFT, RIGHT, TOP, BOTTOM = range(3, 15)
_AT = 0.5  # of half the picture's side, from its middle
PLACES: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, 0),),
    ((-_AT, 0), (_AT, 0)),
    ((0, -_AT), (0, _AT)),
    ((0, 0),),
    ((-_AT, 0), (_AT, 0)),
    ((-_AT, -_AT), (_AT, -_AT), (0, _AT)),
    ((-_AT, -_AT), (_AT, -_AT), (-_AT, _AT), (_AT, _AT)),
    ((-_AT, -_AT),),
    ((_AT, -_AT),),
    ((-_AT, _AT),),
    ((_AT, _AT),),
    ((-_AT, 0),),
    ((_AT, 0),),
    ((0, -_AT),),
    ((0, _AT),),
)
"""Centres of the subjects of each layout, x and y from -1 to 1; ALONE is drawn large, all others small."""
GROUNDS = {
    "white": (255, 255, 255),
    "black": (18, 18, 18),
    "gray": (148, 148, 148),
    "red": (214, 48, 49),
    "orange": (245, 150, 60),
    "yellow": (247, 220, 95),
    "green": (76, 175, 96),
    "teal": (38, 166, 154),
    "blue": (65, 105, 225),
    "purple": (145, 85, 200),
    "pink": (247, 168, 196),
    "brown": (121, 85, 72),
}
_HELD_OUT = 10  # one scene in ten


@dataclass(frozen=True)
class Scenes:
    """A batch of scenes, each field int64 of length B; `second` repeats `first` where all subjects are the same."""

    first: Tensor
    second: Tensor
    layout: Tensor
    ground: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Scenes:
        return Scenes(self.first[rows], self.second[rows], self.layout[rows], self.ground[rows])

    def __len__(self) -> int:
        return len(self.first)

    def to(self, device: torch.device | str) -> Scenes:
        return Scenes(*(part.to(device) for part in (self.first, self.second, self.layout, self.ground)))


def concatenate(parts: list[Scenes]) -> Scenes:
    fields = zip(*((part.first, part.second, part.layout, part.ground) for part in parts))
    return Scenes(*(torch.cat(list(field)) for field in fields))


def held_out(scenes: Scenes) -> Tensor:
    """Which scenes no training picture may show: pairs (in either order, on any ground) and (subject, ground)s."""
    pair = (scenes.first + scenes.second) * 7 + scenes.first * scenes.second
    alone = scenes.first * 31 + scenes.ground * 17
    return torch.where(paired(scenes.layout), pair, alone) % _HELD_OUT == 0


def paired(layout: Tensor) -> Tensor:
    """Which layouts have two different subjects."""
    return (layout == BESIDE) | (layout == ABOVE)


def draw(count: int, subjects: int, pair_share: float, generator: torch.Generator, other_share: float = 0) -> Scenes:
    """Random scenes that may be trained on: large ones of one subject, pairs, and a share of the other layouts."""
    pairs, others = round(count * pair_share), round(count * other_share)

    def whole(low: int, high: int, size: int) -> Tensor:
        return torch.randint(low, high, (size,), generator=generator, device=generator.device)

    first, second = whole(0, subjects, count), whole(0, subjects, count)
    parts = ((ALONE, ALONE, count - pairs - others), (BESIDE, ABOVE, pairs), (SMALL, BOTTOM, others))
    layout = torch.cat([whole(low, high + 1, size) for low, high, size in parts])
    second = torch.where(paired(layout), second, first)
    scenes = Scenes(first, second, layout, whole(0, len(GROUNDS), count))
    for _ in range(4):  # one redraw leaves a tenth of a tenth, four leave one in a hundred thousand, dropped below
        again = held_out(scenes)
        ground = torch.where(again, (scenes.ground + 1) % len(GROUNDS), scenes.ground)
        second = torch.where(again & paired(layout), (scenes.second + 1) % subjects, scenes.second)
        scenes = Scenes(first, second, layout, ground)
    return scenes


class Sprites:
    """The emoji at full and half size, premultiplied RGBA in half precision on one device."""

    def __init__(self, straight_NHW4: np.ndarray, device: torch.device | str) -> None:
        sprites_N4HW = torch.from_numpy(straight_NHW4).to(device).permute(0, 3, 1, 2)
        full, half = [], []
        for chunk in sprites_N4HW.split(128):
            alpha = chunk[:, 3:].float() / 255
            premultiplied = torch.cat([chunk[:, :3].float() / 255 * alpha, alpha], 1)
            full.append(premultiplied.half())
            half.append(F.avg_pool2d(premultiplied, 2).half())
        self.full, self.half = torch.cat(full), torch.cat(half)
        self.grounds = torch.tensor(list(GROUNDS.values()), device=device) / 255
        longest = max(len(places) for places in PLACES)
        self._counts = torch.tensor([len(places) for places in PLACES], device=device)
        padded = [[*places, *[(0, 0)] * (longest - len(places))] for places in PLACES]
        self._places = torch.tensor(padded, dtype=torch.float32, device=device)

    @classmethod
    def read(cls, device: torch.device | str, *paths: Path) -> Sprites:
        """The sprites of all files, one after the other."""
        return cls(np.concatenate([np.load(path)["sprites"] for path in paths]), device)

    def __len__(self) -> int:
        return len(self.full)

    def render(self, scenes: Scenes, generator: torch.Generator) -> Tensor:
        """Pictures B x 3 x SIDE x SIDE in -1..1; size and position vary a little, as a seed's choice."""
        out = torch.empty(len(scenes), 3, SIDE, SIDE, device=self.full.device)
        alone = scenes.layout == ALONE
        for rows, compose in ((alone.nonzero()[:, 0], self._one), ((~alone).nonzero()[:, 0], self._small)):
            if len(rows):
                chosen = scenes[rows]
                ground = self.grounds[chosen.ground][:, :, None, None].expand(-1, 3, SIDE, SIDE)
                out[rows] = compose(chosen, ground, generator)
        return out * 2 - 1

    def _one(self, scenes: Scenes, ground_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        size, x, y = (
            _uniform(len(scenes), low, high, generator) for low, high in ((0.80, 0.92), (-0.06, 0.06), (-0.06, 0.06))
        )
        return place(ground_B3HW, self.full[scenes.first], size, x, y)

    def _small(self, scenes: Scenes, ground_B3HW: Tensor, generator: torch.Generator) -> Tensor:
        picture = ground_B3HW.contiguous()
        for number in range(self._places.shape[1]):
            rows = (self._counts[scenes.layout] > number).nonzero()[:, 0]
            if not len(rows):
                break
            subject = (scenes.first if number == 0 else scenes.second)[rows]
            centres = self._places[scenes.layout[rows], number]
            x, y = (self._jittered(along, generator) for along in centres.unbind(1))
            size = _uniform(len(rows), 0.42, 0.47, generator)
            picture[rows] = place(picture[rows], self.half[subject], size, x, y)
        return picture

    def _jittered(self, along_B: Tensor, generator: torch.Generator) -> Tensor:
        """A place moved a little; more where it is in the middle, for there is room."""
        reach = torch.where(along_B == 0, 0.08, 0.03)
        return along_B + reach * _uniform(len(along_B), -1, 1, generator)

    def render_freely(self, count: int, generator: torch.Generator) -> Tensor:
        """Pictures B x 3 x SIDE x SIDE in -1..1 of two emoji of any size anywhere on any colour."""
        colour = torch.rand(count, 3, generator=generator, device=self.full.device)
        picture = colour[:, :, None, None].expand(count, 3, SIDE, SIDE)
        for sprites, low, high in ((self.full, 0.6, 1.4), (self.half, 0.25, 0.6)):
            which = torch.randint(0, len(self), (count,), generator=generator, device=picture.device)
            size, x, y = (_uniform(count, *span, generator) for span in ((low, high), (-0.8, 0.8), (-0.8, 0.8)))
            picture = place(picture, sprites[which], size, x, y)
        return picture * 2 - 1


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def place(picture_B3HW: Tensor, sprite_B4hw: Tensor, size_B: Tensor, x_B: Tensor, y_B: Tensor) -> Tensor:
    """Each sprite over its picture; size is a share of the picture's side, the centre (x, y) runs from -1 to 1."""
    zero = torch.zeros_like(size_B)
    theta = torch.stack([1 / size_B, zero, -x_B / size_B, zero, 1 / size_B, -y_B / size_B], 1).view(-1, 2, 3)
    shape = [len(size_B), 4, *picture_B3HW.shape[2:]]
    grid = F.affine_grid(theta.float(), shape, align_corners=False)
    over = F.grid_sample(sprite_B4hw.float(), grid, align_corners=False)
    return picture_B3HW * (1 - over[:, 3:]) + over[:, :3]
