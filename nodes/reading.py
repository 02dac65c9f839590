"""Texts that stand for something else, read where they may come along a link."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def read(name: str, text: str, reader: Callable[[object], T]) -> T:
    """What the input `name` means. Raises ValueError with what was expected and what came."""
    try:
        return reader(text)
    except ValueError as error:
        raise ValueError(f"{name}: expected {error}, got {text!r}") from None
