"""Nodes that do next to nothing, one of which writes a file whose content tells whose it is."""

from __future__ import annotations

import time

from graph import NO_CONTEXT, Context, OutputFile, node


@node("chaos.Token", category="chaos")
def token(value: str, seconds: float = 0.0) -> str:
    """The given text, after a while."""
    time.sleep(seconds)
    return value


@node("chaos.Write", category="chaos", sink=True)
def write(value: str, ctx: Context = NO_CONTEXT) -> list[OutputFile]:
    """A text file of `content(value)`; all jobs share one prefix."""
    data = content(value)
    return [ctx.save(data, prefix="chaos", media_type="text/plain", width=1, height=1, temporary=False)]


def content(value: str) -> bytes:
    """What the file of a token must hold, long enough to be cut short."""
    return (value + "\n").encode() * 500
