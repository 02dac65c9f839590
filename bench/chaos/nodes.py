"""Nodes that do next to nothing: one makes what the cache keeps on disk, one writes a file that tells whose it is."""

from __future__ import annotations

import time
from hashlib import blake2b

from graph import NO_CONTEXT, Context, OutputFile, node

COST_S = 0.002
"""What a blob takes to make: more than reading it back."""


@node("chaos.Token", category="chaos")
def token(value: str, seconds: float = 0.0) -> str:
    """The given text, after a while."""
    time.sleep(seconds)
    return value


@node("chaos.Blob", category="chaos")
def blob(number: int) -> bytes:
    """`made(number)`, which takes a little."""
    time.sleep(COST_S)
    return made(number)


@node("chaos.Write", category="chaos", sink=True)
def write(value: str, blob: bytes, ctx: Context = NO_CONTEXT) -> list[OutputFile]:
    """A text file of `content(value, blob)`; all jobs share one prefix."""
    data = content(value, blob)
    return [ctx.save(data, prefix="chaos", media_type="text/plain", width=1, height=1, temporary=False)]


def made(number: int) -> bytes:
    """Up to 60 kB that follow from a number: small ones become rows of the cache's index, large ones files."""
    return b"%d " % number * (number * 997 % 16_000)


def content(value: str, blob: bytes) -> bytes:
    """What the file of a token must hold, long enough to be cut short."""
    return f"{value} {blake2b(blob, digest_size=8).hexdigest()}\n".encode() * 300
