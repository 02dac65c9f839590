"""Gestures by real input through the browser's own protocol: a mouse event every 8 ms, its place a function of time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import CDPSession

TICK_S = 0.008


@dataclass(frozen=True)
class Mouse:
    """The mouse of a page, driven without waiting for what it causes."""

    client: CDPSession

    def event(self, kind: str, x: float, y: float, **more: object) -> None:
        self.client.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "pointerType": "mouse", **more})

    def move(self, x: float, y: float, *, held: bool = False) -> None:
        self.event("mouseMoved", x, y, **({"button": "left", "buttons": 1} if held else {}))

    def press(self, x: float, y: float) -> None:
        self.event("mousePressed", x, y, button="left", buttons=1, clickCount=1)

    def release(self, x: float, y: float) -> None:
        self.event("mouseReleased", x, y, button="left", buttons=0, clickCount=1)

    def wheel(self, x: float, y: float, delta: float) -> None:
        self.event("mouseWheel", x, y, deltaX=0, deltaY=delta)


def ticking(seconds: float, act: Callable[[float], None]) -> None:
    """Call `act` with the elapsed share, in 0..1, every tick."""
    start = time.perf_counter()
    step = 0
    while (now := time.perf_counter() - start) < seconds:
        act(now / seconds)
        step += 1
        time.sleep(max(0.0, start + step * TICK_S - time.perf_counter()))


def drag(mouse: Mouse, x: float, y: float, radius: float, seconds: float, probe: Callable[[], None]) -> None:
    """Press, run round a figure of eight, look how things are half-way, and let go where it began."""
    mouse.move(x, y)
    mouse.press(x, y)
    probed = False

    def act(share: float) -> None:
        nonlocal probed
        angle = 2 * math.pi * share
        mouse.move(x + radius * math.sin(angle), y + radius * math.sin(2 * angle) / 2, held=True)
        if share > 0.3 and not probed:
            probed = True
            probe()

    ticking(seconds, act)
    mouse.move(x, y, held=True)
    mouse.release(x, y)


def zoom(mouse: Mouse, x: float, y: float, seconds: float, notch: float = 60) -> None:
    """Four sweeps of the wheel: out, in, out, in."""
    mouse.move(x, y)
    for sweep in range(4):
        delta = notch if sweep % 2 == 0 else -notch
        for _ in range(26):
            mouse.wheel(x, y, delta)
            time.sleep(seconds / 4 / 26)
