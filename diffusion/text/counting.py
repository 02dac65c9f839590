"""How a prompt falls into tokens, for who writes it: as CLIP reads it, without a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from diffusion.text.chunks import clip_chunks
from diffusion.text.prompt import parse_prompt, with_learned
from diffusion.text.tokenizer import CLIP_END, CLIP_VOCABULARY, clip_piece

LENGTH = 77
_NAMES = re.compile(r"embedding:([^\s,():]+)")


def counted(text: str) -> Sequence[Sequence[Mapping[str, object]]]:
    """The chunks of a prompt, in each its tokens as `{"text", "weight"}` without begin, end and padding.

    A learned word counts as one token: how many it has only its file knows. An empty prompt has one empty chunk.
    """
    names = list(dict.fromkeys(_NAMES.findall(text)))
    segments = with_learned(parse_prompt(text), names)
    learned = {name: range(CLIP_VOCABULARY + i, CLIP_VOCABULARY + i + 1) for i, name in enumerate(names)}
    pieces = {ids[0]: f"embedding:{name}" for name, ids in learned.items()}
    chunks = clip_chunks(segments, CLIP_END, LENGTH, learned)
    return [
        [
            {"text": pieces.get(token.id) or clip_piece(token.id), "weight": round(token.weight, 4)}
            for token in chunk[1 : next(place for place, token in enumerate(chunk) if token.id == CLIP_END)]
        ]
        for chunk in chunks
    ]
