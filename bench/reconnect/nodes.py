"""A node that has much to tell while it runs, and one that ends a job."""

from __future__ import annotations

import random
import time

from graph import NO_CONTEXT, Context, node


@node("reconnect.Talk", category="reconnect")
def talk(value: int, steps: int = 60, seconds: float = 0.02, ctx: Context = NO_CONTEXT) -> int:
    """The number, after steps that tell of themselves and show previews of up to 60 kB."""
    chance = random.Random(value)
    for step in range(steps):
        time.sleep(seconds)
        ctx.progress(step + 1, steps)
        ctx.preview("image/png", chance.randbytes(chance.randrange(60_000)))
    return value


@node("reconnect.Next", category="reconnect")
def following(value: int) -> int:
    """The number after it."""
    return value + 1


@node("reconnect.Show", category="reconnect", sink=True)
def show(value: int) -> str:
    """The number as text."""
    return str(value)
