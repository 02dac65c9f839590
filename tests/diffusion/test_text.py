"""Tokenizers, prompt weights, chunks and text encoders against golden values and transformers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from diffusion.text.tokenizer import CLIP_END, DATA, T5_END, clip_tokenizer, t5_tokenizer

GOLDEN = json.loads((Path(__file__).parent / "golden" / "prompts.json").read_text())


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("bpe_simple_vocab_16e6.txt.gz", "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"),
        ("spiece.model", "d60acb128cf7b7f2536e8f38a5b18a05535c9e14c7a355904270e15b0945ea86"),
    ],
)
def test_vocabulary_files_are_unchanged(name: str, digest: str) -> None:
    assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("prompt", GOLDEN["segments"])
def test_token_ids_equal_the_golden_ones(prompt: str) -> None:
    segments = [text for text, _ in GOLDEN["segments"][prompt]]
    clip = [token for token, _ in GOLDEN["tokens"][prompt]["clip_l"][0]][1:]
    t5 = [token for token, _ in GOLDEN["tokens"][prompt]["t5xxl"][0]]
    assert [token for text in segments for token in clip_tokenizer()(text)] == clip[: clip.index(CLIP_END)]
    assert [token for text in segments for token in t5_tokenizer()(text)] == t5[: t5.index(T5_END)]
