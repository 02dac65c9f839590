"""What a person at a terminal sees of a run: one line that is rewritten, or a line now and then where it is not one."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TextIO

from graph.events import Estimate, Event, Failed, Finished, Progress, Started

BAR = 24
QUIET_S = 10.0


class Console:
    """Shows events on `stream`; `live` says whether its line can be rewritten, `color` whether it may be coloured."""

    def __init__(self, stream: TextIO, titles: Mapping[str, str], *, live: bool, color: bool) -> None:
        self._stream, self._titles, self._live, self._color = stream, titles, live, color
        self._lock = threading.Lock()
        self._width = 0
        self._last = time.monotonic()
        self._until: float | None = None

    @staticmethod
    def on(stream: TextIO, environ: Mapping[str, str], titles: Mapping[str, str]) -> Console:
        """As the terminal and the conventions NO_COLOR, FORCE_COLOR, TERM=dumb and CI have it."""
        live = stream.isatty() and environ.get("TERM") != "dumb" and not environ.get("CI")
        color = (live or bool(environ.get("FORCE_COLOR"))) and not environ.get("NO_COLOR")
        return Console(stream, titles, live=live, color=color)

    def show(self, event: Event) -> None:
        with self._lock:
            match event:
                case Started(node=node):
                    self._status(f"{self._name(node)} …")
                case Progress(node=node, step=step, total=total):
                    self._status(f"{self._name(node)} {self._bar(step, total)} {step}/{total}{self._left()}")
                case Estimate(left_ms=left):
                    self._until = time.monotonic() + left / 1000
                case Finished(node=node, ms=ms):
                    self._status(f"{self._name(node)} {ms / 1000:.2f} s")
                case Failed(node=node, error=error):
                    self._line(f"{self._paint('failed', '31')}: {self._name(node)}: {error.message}")
                case _:
                    pass

    def close(self) -> None:
        """Leave a clean line."""
        with self._lock:
            self._erase()

    def _name(self, node: str) -> str:
        return f"{self._titles.get(node, '?')} ({node})"

    def _left(self) -> str:
        """What the latest estimate leaves of the time, in whole seconds."""
        left = 0 if self._until is None else round(self._until - time.monotonic())
        return f", about {left} s left" if left > 0 else ""

    def _bar(self, step: int, total: int) -> str:
        filled = BAR * min(step, total) // max(total, 1)
        return self._paint("━" * filled, "36") + "─" * (BAR - filled)

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text

    def _status(self, text: str) -> None:
        if self._live:
            self._erase()
            self._stream.write(text)
            self._stream.flush()
            self._width = len(text)
        elif time.monotonic() - self._last >= QUIET_S:
            self._line(text)

    def _line(self, text: str) -> None:
        self._erase()
        self._stream.write(text + "\n")
        self._stream.flush()
        self._last = time.monotonic()

    def _erase(self) -> None:
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._width = 0
