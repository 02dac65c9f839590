"""What a server process needs of the system around it: signals that end it, threads beside it, a place to write to."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM)

T = TypeVar("T")


def on_signals(told: asyncio.Future[int]) -> None:
    """Complete `told` with the number of the first signal that asks to stop; a second one ends the process."""
    loop = told.get_loop()

    def handle(number: int) -> None:
        if told.done():
            os._exit(128 + number)
        told.set_result(number)

    for number in SIGNALS:
        if os.name == "posix":
            loop.add_signal_handler(number, handle, number)
        else:
            signal.signal(number, lambda number, _: loop.call_soon_threadsafe(handle, number))


def in_background(work: Callable[[T], object], argument: T) -> None:
    threading.Thread(target=work, args=(argument,), name=work.__name__, daemon=True).start()


def echo(data: bytes) -> None:
    """Pass on what a worker writes."""
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()
