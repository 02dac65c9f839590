"""Frames while view or nodes move: each gesture once untraced, for their times, once traced, for the main thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.editor import gestures
from bench.editor.editors import Subject
from bench.editor.graph import around, bounds, gap, node_at
from bench.editor.tracing import traced

WATCH = """() => {
    const times = window.frames_ = [];
    let last = performance.now();
    const note = now => { times.push(now - last); last = now; window.frame_ = requestAnimationFrame(note); };
    window.frame_ = requestAnimationFrame(note);
}"""
STOP = "() => { cancelAnimationFrame(window.frame_); return window.frames_; }"
SETTLE_MS = 400
RADIUS = 150.0
GESTURES = ("pan", "panFit", "zoom", "drag1", "drag1Fit", "drag200", "drag200Fit")


@dataclass(frozen=True)
class Cell:
    """One gesture: frame times in ms, CPU of main thread and its scripts in ms a frame; `moved`: it did something."""

    p50: float
    p95: float
    main: float
    script: float
    moved: bool

    def __str__(self) -> str:
        return f"{self.p50:.0f}/{self.p95:.1f} · {self.main:.1f} · {self.script:.2f}" + (
            "" if self.moved else " NOT MOVED"
        )


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def fit_scale(subject: Subject, count: int) -> float:
    width, height = bounds(count)
    _, _, w, h = subject.view()
    return min(1.0, w / width, h / height)


def aim(subject: Subject, count: int, scale: float) -> None:
    """Put the middle of the wall in the middle of the view."""
    width, height = bounds(count)
    _, _, w, h = subject.view()
    camera = {"scale": scale, "x": w / 2 - width / 2 * scale, "y": h / 2 - height / 2 * scale}
    subject.page.evaluate("camera => window.__bench.setView(camera)", camera)
    subject.page.wait_for_timeout(SETTLE_MS)


def measure(subject: Subject, count: int, gesture: str, seconds: float, repeat: int) -> Cell:
    """One cell of the table: of each figure the least of the repeats, as other work only ever adds to it."""
    act, moved = _gesture(subject, count, gesture, seconds)
    rounds = [_round(subject, act) for _ in range(repeat)]
    p50, p95, main, script = (min(figures) for figures in zip(*rounds, strict=True))
    return Cell(p50, p95, main, script, moved())


def _round(subject: Subject, act: Callable[[], None]) -> tuple[float, float, float, float]:
    """Frame times untraced; main thread and script traced."""
    subject.page.evaluate(WATCH)
    act()
    times = subject.page.evaluate(STOP)
    subject.page.wait_for_timeout(SETTLE_MS)
    frames: list[float] = []

    def counted() -> None:
        subject.page.evaluate(WATCH)
        act()
        frames.extend(subject.page.evaluate(STOP))

    busy = traced(subject.browser, subject.page, counted)
    subject.page.wait_for_timeout(SETTLE_MS)
    return percentile(times, 0.5), percentile(times, 0.95), busy.main / len(frames), busy.script / len(frames)


def _gesture(
    subject: Subject, count: int, gesture: str, seconds: float
) -> tuple[Callable[[], None], Callable[[], bool]]:
    """What to do, and whether it had an effect half-way."""
    scale = fit_scale(subject, count) if gesture.endswith("Fit") else 1.0
    aim(subject, count, scale)
    left, top, w, h = subject.view()
    width, height = bounds(count)
    seen: list[bool] = []
    if gesture == "zoom":
        return lambda: gestures.zoom(subject.mouse, left + w / 2, top + h / 2, seconds * 1.5), lambda: True
    if gesture.startswith("pan"):
        gx, gy = gap(count, width / 2, height / 2)
        camera = subject.page.evaluate("window.__bench.getView()")
        x, y = left + gx * camera["scale"] + camera["x"], top + gy * camera["scale"] + camera["y"]
        if subject.name == "floor":
            x, y = 800.0, 450.0

        def look() -> None:
            now = subject.page.evaluate("window.__bench.getView()")
            seen.append(abs(now["x"] - camera["x"]) + abs(now["y"] - camera["y"]) > RADIUS / 5)

        return lambda: gestures.drag(
            subject.mouse, x, y, RADIUS, seconds, look
        ), lambda: subject.name == "floor" or all(seen)
    node = node_at(count, width / 2, height / 2)
    chosen = around(count, node, 200) if gesture.startswith("drag200") else [node]
    subject.page.evaluate("ids => window.__bench.select(ids)", chosen)
    subject.page.wait_for_timeout(SETTLE_MS)
    grab = subject.page.evaluate("id => window.__bench.nodeGrab(id)", node)
    before = subject.page.evaluate("id => window.__bench.nodePos(id)", node)

    def look_at_node() -> None:
        now = subject.page.evaluate("id => window.__bench.nodePos(id)", node)
        seen.append(abs(now["x"] - before["x"]) + abs(now["y"] - before["y"]) > RADIUS / 5)

    return lambda: gestures.drag(
        subject.mouse, grab["x"], grab["y"], RADIUS, seconds, look_at_node
    ), lambda: subject.name == "floor" or all(seen)
