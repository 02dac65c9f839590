"""Text encoders that are not there, where a family can do without: what stands in their place."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch import Tensor

from diffusion import families
from diffusion.conditioning import Entry
from diffusion.text.encode import Encoding

WIDTHS = {"clip_l": 768, "clip_g": 1280, "t5xxl": 4096}


def encodings_of(slots: tuple[str, ...]) -> dict[str, Encoding]:
    generator = torch.Generator().manual_seed(1)
    return {
        slot: Encoding(
            torch.randn(1, 77, WIDTHS[slot], generator=generator),
            None if slot == "t5xxl" else torch.randn(1, WIDTHS[slot], generator=generator),
        )
        for slot in slots
    }


def joined(family: str, encodings: dict[str, Encoding]) -> Entry:
    (found,) = (known for known in families.FAMILIES if known.name == family)
    return found.assemble({}, {})(encodings).entries[0]


def is_of(part: Tensor, encoding: Tensor | None) -> bool:
    """What was said, or zeros where nobody did."""
    return torch.equal(part, torch.zeros_like(part) if encoding is None else encoding)


@pytest.mark.parametrize("slots", [s for n in (1, 2, 3) for s in combinations(WIDTHS, n)], ids="+".join)
def test_stable_diffusion_3_with_some_of_its_encoders(slots: tuple[str, ...]) -> None:
    """L and G side by side in 77 rows as wide as those of T5, 77 rows of T5 behind them, both vectors side by side."""
    given = encodings_of(slots)
    entry = joined("sd3", given)
    rows = {slot: encoding.context_1LD for slot, encoding in given.items()}
    assert entry.context_BLD.shape == (1, 154, 4096)
    assert is_of(entry.context_BLD[:, :77, :768], rows.get("clip_l"))
    assert is_of(entry.context_BLD[:, :77, 768:2048], rows.get("clip_g"))
    assert not entry.context_BLD[:, :77, 2048:].any()
    assert is_of(entry.context_BLD[:, 77:], rows.get("t5xxl"))
    assert entry.pooled_BD is not None
    assert entry.pooled_BD.shape == (1, 2048)
    for slot, part in (("clip_l", entry.pooled_BD[:, :768]), ("clip_g", entry.pooled_BD[:, 768:])):
        assert is_of(part, given[slot].pooled_1P if slot in given else None)


@pytest.mark.parametrize("slots", [("clip_l",), ("t5xxl",), ("clip_l", "t5xxl")], ids="+".join)
def test_flux_with_some_of_its_encoders(slots: tuple[str, ...]) -> None:
    given = encodings_of(slots)
    entry = joined("flux", given)
    assert entry.context_BLD.shape[2] == 4096
    assert is_of(entry.context_BLD[:, :77], given["t5xxl"].context_1LD if "t5xxl" in given else None)
    assert entry.pooled_BD is not None
    assert is_of(entry.pooled_BD, given["clip_l"].pooled_1P if "clip_l" in given else None)
