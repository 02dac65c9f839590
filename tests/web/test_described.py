"""What docs/usage.md says of the page is what the page says: its commands, panels and keys by name."""

from __future__ import annotations

import re

from nodes import builtin
from tests.web.newcomer import ROOT, sentences

SECTION = (ROOT / "docs/usage.md").read_text("utf-8").split("## The page\n")[1].split("\n## ")[0]
KEY = re.compile(r"`((?:(?:Ctrl|Shift|Alt)\+)*(?:[A-Z]|F\d|Tab|Enter|[,?]))`")


def test_what_is_named_is_there() -> None:
    known = {*sentences("en").values(), *(spec.title for spec in builtin())}
    named = set(re.findall(r"\*\*(.+?)\*\*", SECTION))
    assert len(named) > 10
    assert named - known == set()


def test_keys_are_those_of_commands() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "web").rglob("*.js"))
    known = {key for keys in re.findall(r"keys: \[(.*?)\]", sources) for key in re.findall(r'"(.+?)"', keys)}
    told = set(KEY.findall(SECTION))
    assert len(told) > 8
    assert {key.replace("Ctrl", "Mod") for key in told} - known == set()
