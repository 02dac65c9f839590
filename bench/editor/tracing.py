"""What the main thread did: CPU time of its tasks, and of the scripts in them, read off the browser's own trace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page

CATEGORIES = ("toplevel", "devtools.timeline", "v8", "disabled-by-default-devtools.timeline")
TASK = "ThreadControllerImpl::RunTask"
SCRIPT = frozenset({"FunctionCall", "EvaluateScript", "RunMicrotasks", "v8.callFunction"})
Event = Mapping[str, Any]


@dataclass(frozen=True)
class Busy:
    """Milliseconds of CPU of the main thread: all tasks, scripts alone, and the longest task (wall time)."""

    main: float
    script: float
    longest: float


def traced(browser: Browser, page: Page, act: Callable[[], None]) -> Busy:
    """Run `act` under a trace. The trace itself costs about a tenth."""
    browser.start_tracing(page=page, categories=list(CATEGORIES))
    act()
    return busy(json.loads(browser.stop_tracing())["traceEvents"])


def busy(events: Iterable[Event]) -> Busy:
    """Sum the tasks of the busiest renderer's main thread; an event inside another of its kind is not counted twice."""
    events = list(events)
    mains = {
        (e["pid"], e["tid"]) for e in events if e.get("name") == "thread_name" and e["args"]["name"] == "CrRendererMain"
    }
    best = Busy(0, 0, 0)
    for thread in mains:
        own = sorted(
            (e for e in events if (e["pid"], e["tid"]) == thread and e.get("ph") == "X"), key=lambda e: e["ts"]
        )
        tasks = _outermost(e for e in own if e["name"] == TASK)
        scripts = _outermost(e for e in own if e["name"] in SCRIPT)
        longest = max((e["dur"] for e in tasks), default=0) / 1000
        best = max(best, Busy(_cpu(tasks), _cpu(scripts), longest), key=lambda each: each.main)
    return best


def _outermost(events: Iterable[Event]) -> list[Event]:
    kept: list[Event] = []
    end = -1.0
    for event in events:
        if event["ts"] >= end:
            kept.append(event)
            end = event["ts"] + event.get("dur", 0)
    return kept


def _cpu(events: Iterable[Event]) -> float:
    return sum(e.get("tdur", e.get("dur", 0)) for e in events) / 1000
