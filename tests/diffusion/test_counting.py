"""How a prompt falls into tokens, told without a model as a text encoder would read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diffusion.text.chunks import clip_chunks
from diffusion.text.counting import LENGTH, counted
from diffusion.text.prompt import parse_prompt
from diffusion.text.tokenizer import CLIP_END, clip_piece


@pytest.mark.parametrize("text", ["", "a red apple", "(a:1.3) (b) c", "\u718a\u732b", "word " * 100, "((deep)) " * 40])
def test_as_the_text_encoder_reads_it(text: str) -> None:
    chunks = clip_chunks(parse_prompt(text), CLIP_END, LENGTH)
    told = counted(text)
    assert len(told) == len(chunks)
    for said, chunk in zip(told, chunks, strict=True):
        body = chunk[1 : 1 + len(said)]
        assert chunk[1 + len(said)].id == CLIP_END
        assert [each["text"] for each in said] == [clip_piece(token.id) for token in body]
        assert [each["weight"] for each in said] == [pytest.approx(token.weight, abs=1e-4) for token in body]


def test_a_learned_word_is_one_token_and_a_long_prompt_is_several_chunks() -> None:
    (only,) = counted("a embedding:style, (embedding:other:1.2)")
    assert [each["text"] for each in only if str(each["text"]).startswith("embedding:")] == [
        "embedding:style",
        "embedding:other",
    ]
    assert [len(chunk) for chunk in counted("apple " * 80)] == [75, 5]


def test_it_loads_no_torch() -> None:
    program = "import sys, diffusion.text.counting as c; c.counted('x'); sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
