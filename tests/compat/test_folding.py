"""Whatever is folded into components computes what it did."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from compat.workflows.folding import Fold, fold
from graph.bind import as_link
from graph.flatten import flatten
from graph.problems import Problems

PREFIXES = {"p:": "", "p:q:": "p:", "s:": "", "s:q:": "s:"}
IDS = ["1", "2", *(f"{prefix}{name}" for prefix in PREFIXES for name in ("1", "2"))]
INPUTS = ("a", "b", "seed")
LINK = st.builds(lambda id, output: {"node": id, "output": output}, st.sampled_from(IDS), st.sampled_from(["x", "y"]))
VALUE = st.integers(0, 1) | LINK | st.lists(LINK, max_size=3)
NODE = st.fixed_dictionaries(
    {"type": st.sampled_from(["A", "B", "A", "Reroute"]), "inputs": st.dictionaries(st.sampled_from(INPUTS), VALUE)},
    optional={"mode": st.sampled_from(["mute", "mute", "bypass"]), "after_run": st.just({"seed": "random"})},
)
PORT: st.SearchStrategy[tuple[str, str]] = st.tuples(st.sampled_from(IDS), st.sampled_from(INPUTS))
LABELS = st.dictionaries(PORT, st.sampled_from(["a", "one", "two", "seed"]))


@st.composite
def folds(draw: st.DrawFn) -> list[Fold]:
    return [
        Fold(prefix, outer, draw(st.sampled_from(["P", "Q"])), "", ("one", "a"), draw(LABELS),
             draw(st.dictionaries(st.sampled_from(["one", "x"]), LINK)), None, {})
        for prefix, outer in PREFIXES.items()
    ]  # fmt: skip


def runs(document: dict[str, Any], lies: dict[str | None, str]) -> dict[str, Any]:
    """What runs, by the ids it has once it is folded."""

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(item) for item in value]
        link = as_link(value)
        return value if link is None else {"node": lies.get(link.node, link.node), "output": link.output}

    problems = Problems()
    entries = flatten(document, {}, problems).entries
    assert not problems, [each.message for each in problems]
    return {
        lies.get(id, id): {
            "inputs": {name: renamed(value) for name, value in entry["inputs"].items()},
            **{name: entry[name] for name in ("type", "mode") if name in entry},
        }
        for id, entry in entries.items()
    }


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(IDS, NODE)), folds())
def test_what_runs_of_a_folded_document_ran_before(nodes: dict[str, Any], folds: list[Fold]) -> None:
    document = {"version": 1, "nodes": nodes, "view": {"nodes": {id: {"x": 0, "y": 0} for id in nodes}}}
    whole, lies = fold(document, folds)
    assert set(whole["nodes"]) == {"1", "2", "p", "s"}
    assert set(lies) >= {*IDS, "p:q", "s:q"} - {"1", "2"}
    assert runs(whole, {}) == runs(document, lies)
    used = {node["type"] for sheet in (whole, *whole["components"].values()) for node in sheet["nodes"].values()}
    assert {f"component:{name}" for name in whole["components"]} <= used
