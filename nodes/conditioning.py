"""Nodes that turn words into what a model listens to."""

from __future__ import annotations

from typing import Annotated

from graph import Text, node
from nodes.types import CLIP, Conditioning, needed


@node("CLIPTextEncode", category="conditioning", title="Prompt", resource="gpu")
def clip_text_encode(clip: CLIP, text: Annotated[str, Text(multiline=True)] = "") -> Conditioning:
    """Write what the picture should show, or what it should not.

    clip: the text encoder, from a loader. text: the prompt; `(word:1.3)` makes a word count more, `(word:0.7)` less.
    """
    return needed(clip, "text encoder; add a CLIPLoader and connect its clip").encode(text)
