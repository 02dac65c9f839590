"""What goes to a node of a pack and comes back unchanged is what it was, and nothing it writes reaches what is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from compat.packs.values import ours, theirs
from diffusion.conditioning import Conditioning, Entry, Rectangle
from nodes.types import Latent

sizes = st.integers(1, 5)


def tensor(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)))


@given(sizes, sizes, sizes, st.sampled_from(["IMAGE", "*", "IMAGE,MASK"]))
def test_pictures(batch: int, height: int, width: int, kind: str) -> None:
    image = tensor(batch, 3, height, width)
    handed = theirs(image, kind)
    assert handed.shape == (batch, height, width, 3)
    assert torch.equal(ours(handed, kind), image)
    before = image.clone()
    handed.zero_()
    assert torch.equal(image, before)


@given(sizes, sizes, sizes, st.booleans(), st.booleans())
def test_latents(batch: int, height: int, width: int, masked: bool, numbered: bool) -> None:
    mask = tensor(batch, height, width) if masked else None
    items = tuple(range(batch)) if numbered else None
    latent = Latent(tensor(batch, 4, height, width), mask, items)
    handed = theirs(latent, "LATENT")
    again = ours(handed, "LATENT")
    assert torch.equal(again.samples_BCHW, latent.samples_BCHW)
    assert again.items == items
    assert (again.mask_BHW is None) == (mask is None)
    assert mask is None or torch.equal(again.mask_BHW, mask)
    before = latent.samples_BCHW.clone()
    handed["samples"].zero_()
    assert torch.equal(latent.samples_BCHW, before)


AREAS = (None, Rectangle(8, 16, 64, 32), Rectangle(0.25, 0.0, 0.5, 1.0, "fractions"))


@given(st.sampled_from(AREAS), st.booleans(), st.floats(0, 2), st.floats(0, 1), st.floats(0, 1))
def test_conditionings(area: Rectangle | None, pooled: bool, strength: float, start: float, end: float) -> None:
    entry = Entry(tensor(1, 4, 8), tensor(1, 6) if pooled else None, strength, area, None, start, end)
    handed = theirs(Conditioning((entry, replace(entry, mask_BHW=tensor(1, 2, 2)))), "CONDITIONING")
    first, second = ours(handed, "CONDITIONING").entries
    assert torch.equal(first.context_BLD, entry.context_BLD)
    assert (first.strength, first.area, first.start, first.end) == (strength, area, start, end)
    assert (first.pooled_BD is None) == (not pooled)
    assert torch.equal(second.mask_BHW, tensor(1, 2, 2))


def test_what_a_pack_changes_of_a_conditioning_counts() -> None:
    handed = theirs(Conditioning.of(tensor(1, 4, 8)), "CONDITIONING")
    changed = [[tokens * 2, {**options, "strength": 0.5, "area": (2, 4, 1, 0)}] for tokens, options in handed]
    (entry,) = ours(changed, "CONDITIONING").entries
    assert torch.equal(entry.context_BLD, tensor(1, 4, 8) * 2)
    assert (entry.strength, entry.area) == (0.5, Rectangle(0, 8, 32, 16))


def test_values_of_its_own_types_are_left_alone() -> None:
    flow = tensor(2, 3, 4, 4)
    assert theirs(flow, "FLOW").shape == flow.shape
    assert ours(flow, "FLOW") is flow


@pytest.mark.parametrize(
    ("value", "kind", "shape"),
    [
        (tensor(4, 5, 3), "IMAGE", (1, 3, 4, 5)),
        (tensor(2, 4, 5, 1), "IMAGE", (2, 3, 4, 5)),
        (tensor(2, 4, 5, 4), "IMAGE", (2, 3, 4, 5)),
        (tensor(4, 5), "MASK", (1, 4, 5)),
        (tensor(2, 1, 4, 5), "MASK", (2, 4, 5)),
    ],
)
def test_shapes_that_packs_return_are_taken(value: Tensor, kind: str, shape: tuple[int, ...]) -> None:
    assert ours(value, kind).shape == shape


@pytest.mark.parametrize(
    ("value", "kind"),
    [(tensor(2, 4, 5, 2), "IMAGE"), (tensor(5), "MASK"), ("text", "IMAGE"), ({}, "LATENT"), (3, "VAE")],
)
def test_what_is_no_such_value_is_refused(value: object, kind: str) -> None:
    with pytest.raises(TypeError, match="expected"):
        ours(value, kind)
