"""What rows of context stand for: letters of the prompt, through every way that rows come together."""

from __future__ import annotations

import pytest
import torch

from diffusion.conditioning import Conditioning, combined, continued, silenced
from diffusion.families import FAMILIES
from diffusion.text.chunks import clip_chunks, t5_chunk
from diffusion.text.encode import Encoding
from diffusion.text.prompt import parse_prompt
from diffusion.text.said import UNSAID, Said


def pieces(said: Said) -> list[str]:
    return [said.text[start:end] for start, end in said.spans if end > start]


@pytest.mark.parametrize(
    "text", ["a (red:1.3) fox", "\u718a\u732b\u5728\u7eff\u8272", "caf\u00e9 \U0001f98ax", "word " * 100]
)
def test_every_letter_is_said_by_the_tokens_that_hold_it(text: str) -> None:
    tokens = [token for chunk in clip_chunks(parse_prompt(text), 0, 77) for token in chunk]
    said = Said.by([token.text for token in tokens])
    assert said.text.encode() == b"".join(token.text for token in tokens)
    assert len(said.spans) == len(tokens)
    for token, (start, end) in zip(tokens, said.spans, strict=True):
        assert token.text in said.text[start:end].encode()
        assert (end > start) == (token.text != b"")
    assert {letter for start, end in said.spans for letter in range(start, end)} == set(range(len(said.text)))


def test_begin_end_and_padding_say_nothing() -> None:
    assert Said.by([token.text for token in clip_chunks([], 0, 77)[0]]) == Said("", ((0, 0),) * 77)
    assert pieces(Said.by([token.text for token in t5_chunk(parse_prompt("a fox"), 8)])) == [" ", "a", " ", "fox"]


def test_rows_that_follow_others() -> None:
    first, second = Said("a ", ((0, 0), (0, 2))), Said("fox ", ((0, 0), (0, 3), (3, 4)))
    both = first.then(second, 4)
    assert both == Said("a fox ", ((0, 0), (0, 2), (0, 0), (0, 0), (0, 0), (2, 5), (5, 6)))
    assert UNSAID.then(second, 0) == second


def test_conditioning_keeps_what_its_rows_say() -> None:
    a, fox = (
        Conditioning.of(torch.rand(1, 2, 4), said=Said("a ", ((0, 0), (0, 2)))),
        Conditioning.of(torch.rand(1, 1, 4), said=Said("fox ", ((0, 4),))),
    )
    assert [entry.said.text for entry in combined([a, fox]).entries] == ["a ", "fox "]
    assert continued(a, fox).entries[0].said == Said("a fox ", ((0, 0), (0, 2), (2, 6)))
    assert silenced(a).entries[0].said == UNSAID


@pytest.mark.parametrize(
    ("family", "slots", "spans"),
    [
        ("sd15", {"clip_l": 768}, {1: "l"}),
        ("sd2", {"clip_h": 1024}, {1: "h"}),
        ("sdxl", {"clip_l": 768, "clip_g": 1280}, {1: "l"}),
        ("sdxl_refiner", {"clip_g": 1280}, {1: "g"}),
        ("sd3", {"clip_l": 768, "clip_g": 1280, "t5xxl": 4096}, {1: "l", 78: "t"}),
        ("sd3", {"t5xxl": 4096}, {78: "t"}),
        ("flux", {"clip_l": 768, "t5xxl": 4096}, {1: "t"}),
        ("pixart_sigma", {"t5xxl": 4096}, {1: "t"}),
    ],
)
def test_families_put_it_where_the_rows_are(family: str, slots: dict[str, int], spans: dict[int, str]) -> None:
    encodings = {
        slot: Encoding(
            torch.rand(1, 77, width), torch.rand(1, width), Said(slot.rpartition("_")[2][0], ((0, 0), (0, 1)))
        )
        for slot, width in slots.items()
    }
    (entry,) = next(each for each in FAMILIES if each.name == family).assemble({}, {})(encodings).entries
    said = {row: entry.said.text[start:end] for row, (start, end) in enumerate(entry.said.spans) if end > start}
    assert said == spans
