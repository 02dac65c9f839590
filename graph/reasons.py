"""Why a node has to run, or need not, in words a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graph.bind import Node
from graph.keys import file_marks
from graph.past import Former, Written, text_of
from graph.plan import Plan

NEVER_RUN = "never run"
EVICTED = "evicted"
FILE_GONE = "its output file is gone"
SAME_INPUTS = "same inputs as an earlier run"
SAME_VALUES = "same input values as an earlier run"
NOT_NEEDED = "not needed: what reads it is cached"
NOT_CHOSEN = "not needed: nothing that ran asked for it"
CANCELLED = "cancelled"
SHARED = "computed by another job at the same time"
NO_READERS = "nothing needs it any more"

_MOST = 3


def why(plan: Plan, i: int, past: Plan | Written | None) -> str:
    """`causes` as one phrase."""
    return phrase(causes(plan, i, past))


def phrase(causes: Sequence[str]) -> str:
    more = len(causes) - _MOST
    return ", ".join(causes if more <= 0 else [*causes[:_MOST], f"and {more} more"])


def causes(plan: Plan, i: int, past: Plan | Written | None) -> Sequence[str]:
    """How node i differs from `past`, the plan by which its id last had a result: one cause at least. Of linked inputs
    the values are compared where they are known, else what makes them; so while values are unknown a cause may be
    named that turns out to be none, but one that is named alone is the cause."""
    node = plan.nodes[i]
    if node.volatile:
        return (f"always runs: it reads {node.volatile}",)
    if past is None:
        return (NEVER_RUN,)
    if isinstance(past, Plan):
        j = past.position[plan.ids[i]]
        if past.nodes[j] is node:
            return list(_links_changed(plan, i, past, j)) or (EVICTED,)
        was = Former(past, j)
    else:
        was = past
    spec = node.spec
    if spec.id != was.type:
        return (NEVER_RUN,)
    changes = [f"version changed {was.version} -> {spec.version}"] if spec.version != was.version else []
    changes.extend(_changes(plan, i, was))
    return changes or (EVICTED,)


def _links_changed(plan: Plan, i: int, past: Plan, j: int) -> Iterator[str]:
    """Of a node whose own entry is the same."""
    node = plan.nodes[i]
    now: Sequence[object] | None = None if node.lazy else plan.arrived(i)
    before: Sequence[object] | None = None if now is None else past.arrived(j)
    if now is None or before is None:
        now, before = _made_by(plan, i), _made_by(past, j)
    for name, reads in node.reads.items():
        if any(now[k] != before[k] for k in reads):
            yield f"input {name} changed (from {_source(plan, node, name)})"


def _changes(plan: Plan, i: int, past: Former | Written) -> Iterator[str]:
    node = plan.nodes[i]
    now: Sequence[object] | None = None if node.lazy else plan.arrived(i)
    before: Sequence[object] | None = None if now is None else past.arrived()
    if now is None or before is None:
        now, before = _made_by(plan, i), past.made_by()
    marks = file_marks(node, plan.identity[i])
    for port in (node.of or node).spec.inputs:
        name = port.name
        reads, old_reads = node.reads.get(name), past.reads.get(name)
        if reads and old_reads:
            if [now[k] for k in reads] != [before[k] for k in old_reads]:
                yield f"input {name} changed (from {_source(plan, node, name)})"
        elif reads or old_reads:
            link = f"a link from {_source(plan, node, name)}" if reads else ""
            yield f"input {name} changed {past.text(name)} -> {link or text_of(node.constants, name)}"
        elif past.differs(name, node.constants.get(name)):
            yield f"input {name} changed {past.text(name)} -> {text_of(node.constants, name)}"
        elif marks.get(name) != past.marks.get(name):
            yield f"file changed: {node.constants[name]}"


def _made_by(plan: Plan, i: int) -> list[object]:
    """What makes each value node i reads."""
    return [(plan.keys[p], output) for p, output in plan.parents[i]]


def _source(plan: Plan, node: Node, name: str) -> str:
    links = list(node.links.values())
    sources = [links[place].node for place in node.reads[name]]
    return plan.label(plan.position[sources[0]]) + (f" and {len(sources) - 1} more" if len(sources) > 1 else "")
