"""What runs: the node of a pack in this thread, for what it calls without being handed anything."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from graph.context import NO_CONTEXT, Context


@dataclass
class Progress:
    """How far the node is, as it was told last; said again where a node asks whether its job was cancelled."""

    context: Context
    step: int = 0
    total: int = 1

    def tell(self, step: int, total: int) -> None:
        """Raises Cancelled."""
        self.step, self.total = max(0, min(step, total)), max(1, total)
        self.context.progress(self.step, self.total)

    def stop_if_cancelled(self) -> None:
        """Raises Cancelled."""
        self.context.progress(self.step, self.total)


_NODE: Final[ContextVar[Progress | None]] = ContextVar("the node of a pack that runs", default=None)


def progress() -> Progress:
    """Of the node that runs; of none outside of one."""
    return _NODE.get() or Progress(NO_CONTEXT)


@contextmanager
def running(context: Context) -> Generator[None]:
    """The node of `context` runs meanwhile."""
    token = _NODE.set(Progress(context))
    try:
        yield
    finally:
        _NODE.reset(token)
