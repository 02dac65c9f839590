"""Nodes that say where, when and how much a prompt counts, through the engine and the disk's format."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType

import pytest
import torch

from diffusion.conditioning import Conditioning, Entry, Rectangle, Reference, Sizes
from diffusion.text.said import Said
from graph.files import NoFiles
from nodes import conditioning as n
from nodes.storage import TensorStorage
from nodes.types import Mask
from nodes.values import NodeTraits

TEXT = Conditioning.of(torch.rand(1, 3, 5), torch.rand(1, 2))
TRAITS = NodeTraits(NoFiles())
FULL = Entry(
    torch.rand(1, 3, 5),
    torch.rand(1, 2),
    strength=0.5,
    area=Rectangle(8, 16, 24, 32, "fractions"),
    mask_BHW=torch.rand(2, 4, 4),
    start=0.25,
    end=0.75,
    sizes=Sizes(1, 2, 3, 4, 5, 6, 7.0),
    reference=Reference(torch.rand(1, 4, 8, 8), torch.rand(1, 8, 8)),
    said=Said("fox ", ((0, 0), (0, 4))),
)


def only(conditioning: Conditioning) -> Entry:
    (entry,) = conditioning.entries
    return entry


def test_areas() -> None:
    assert only(n.set_area(TEXT, 64, 32, x=8, y=16, strength=0.5)).area == Rectangle(8, 16, 64, 32)
    twice = only(n.set_area_fraction(n.set_area(TEXT, strength=0.5), 0.25, 0.5, x=0.5, y=0.125, strength=0.5))
    assert (twice.area, twice.strength) == (Rectangle(0.5, 0.125, 0.25, 0.5, "fractions"), 0.25)


def test_masks() -> None:
    mask = Mask(torch.zeros(1, 8, 8))
    mask[:, 2:4, 4:8] = 1
    whole, around = only(n.set_mask(TEXT, mask, 0.5)), only(n.set_mask(TEXT, mask, context="around the mask"))
    assert (whole.area, whole.strength) == (None, 0.5)
    assert around.area == Rectangle(0.5, 0.25, 0.5, 0.25, "fractions")
    assert whole.mask_BHW is mask


def test_time_and_sizes() -> None:
    entry = only(n.set_timestep_range(TEXT, 0.25, 0.5))
    assert (entry.start, entry.end) == (0.25, 0.5)
    with pytest.raises(ValueError, match="start before the end"):
        n.set_timestep_range(TEXT, 0.5, 0.25)
    sizes = only(n.set_sizes(TEXT, 640, 480, 8, 16, 1024, 768, 2.5)).sizes
    assert sizes == Sizes(height=480, width=640, top=16, left=8, target_height=768, target_width=1024, aesthetic=2.5)


def test_a_conditioning_survives_the_disk() -> None:
    storage, buffers = TensorStorage("cpu"), {}
    structure = storage.pack_part(Conditioning((FULL, only(TEXT))), buffers)
    back = storage.unpack_part(structure, MappingProxyType(buffers))
    assert isinstance(back, Conditioning)
    assert TRAITS.fingerprint(back) == TRAITS.fingerprint(Conditioning((FULL, only(TEXT))))


@pytest.mark.parametrize("name", [field.name for field in fields(Entry)])
def test_every_part_of_an_entry_makes_a_difference_to_its_fingerprint(name: str) -> None:
    plain, changed = Entry(FULL.context_BLD), Entry(FULL.context_BLD)
    value = {"context_BLD": torch.rand(1, 3, 5), "controls": ("x",), "pictures": ("x",)}.get(name, getattr(FULL, name))
    object.__setattr__(changed, name, value)
    assert TRAITS.fingerprint(Conditioning((plain,))) != TRAITS.fingerprint(Conditioning((changed,)))
