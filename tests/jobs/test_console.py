"""The line a person sees: rewritten on a terminal, plain and rare elsewhere, coloured only where that is wanted."""

from __future__ import annotations

import io

import pytest

from graph.events import Estimate, Failed, Finished, NodeError, Progress, Started
from jobs.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


EVENTS = (
    Started("3", "never run"),
    Progress("3", 5, 20),
    Finished("3", 1500.0),
    Failed("4", NodeError("node_failed", "ValueError", "no good", "4")),
)


def shown(stream: io.StringIO, environ: dict[str, str]) -> str:
    console = Console.on(stream, environ, {"3": "KSampler", "4": "SaveImage"})
    for event in EVENTS:
        console.show(event)
    console.close()
    return stream.getvalue()


def test_a_terminal_gets_one_line_that_is_rewritten_and_left_clean() -> None:
    text = shown(Terminal(), {"NO_COLOR": "1"})
    assert "KSampler (3) ━━━━━━──────────────────  5/20".replace("  ", " ") in text
    assert text.count("\n") == 1
    assert text.endswith("failed: SaveImage (4): no good\n")
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("stream", "environ", "color"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True),
        (io.StringIO(), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_follows_the_conventions(stream: io.StringIO, environ: dict[str, str], color: bool) -> None:
    assert ("\x1b[31m" in shown(stream, environ)) == color


def test_elsewhere_only_failures_are_told_at_once() -> None:
    assert shown(io.StringIO(), {}) == "failed: SaveImage (4): no good\n"


def test_what_is_left_of_the_time_stands_behind_the_progress() -> None:
    stream = Terminal()
    console = Console.on(stream, {"NO_COLOR": "1"}, {"3": "KSampler"})
    for left_ms in (12_200.0, 0.0):
        console.show(Estimate(20_000.0, left_ms, 0, 0))
        console.show(Progress("3", 5, 20))
    assert stream.getvalue().count("5/20, about 12 s left") == 1
    assert stream.getvalue().count("left") == 1
