"""Nodes that do next to nothing, so that a benchmark measures everything else."""

from __future__ import annotations

import time

from graph import node


@node("trivial.Number", category="bench")
def number(value: int = 0) -> int:
    """The given number."""
    return value


@node("trivial.Add", category="bench")
def add(left: int, right: int = 1) -> int:
    """The sum."""
    return left + right


@node("trivial.Wait", category="bench")
def wait(value: int, seconds: float = 0.5) -> int:
    """The given number, after a while in which other threads can work."""
    time.sleep(seconds)
    return value


@node("trivial.Show", category="bench", sink=True)
def show(value: int) -> str:
    """The number as text."""
    return str(value)
