"""Why a node has to run, or need not, in words a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graph.bind import Node
from graph.keys import file_marks
from graph.plan import Plan
from graph.problems import shown
from graph.values import encode

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


def why(plan: Plan, i: int, past: Plan | None) -> str:
    """`causes` as one phrase."""
    return phrase(causes(plan, i, past))


def phrase(causes: Sequence[str]) -> str:
    more = len(causes) - _MOST
    return ", ".join(causes if more <= 0 else [*causes[:_MOST], f"and {more} more"])


def causes(plan: Plan, i: int, past: Plan | None) -> Sequence[str]:
    """How node i differs from `past`, the plan by which its id last had a result: one cause at least. Of linked inputs
    the values are compared where they are known, else what makes them; so while values are unknown a cause may be
    named that turns out to be none, but one that is named alone is the cause."""
    node = plan.nodes[i]
    if node.volatile:
        return (f"always runs: it reads {node.volatile}",)
    if past is None:
        return (NEVER_RUN,)
    j = past.position[plan.ids[i]]
    spec, old = node.spec, past.nodes[j].spec
    if spec.id != old.id:
        return (NEVER_RUN,)
    changes = [f"version changed {old.version} -> {spec.version}"] if spec.version != old.version else []
    changes.extend(_changes(plan, i, past, j))
    return changes or (EVICTED,)


def _changes(plan: Plan, i: int, past: Plan, j: int) -> Iterator[str]:
    node, old = plan.nodes[i], past.nodes[j]
    now: Sequence[object] | None = None if node.lazy else plan.arrived(i)
    before: Sequence[object] | None = None if now is None or old.lazy else past.arrived(j)
    if now is None or before is None:
        now, before = _made_by(plan, i), _made_by(past, j)
    if node is old:
        for name, reads in node.reads.items():
            if any(now[k] != before[k] for k in reads):
                yield f"input {name} changed (from {_source(plan, node, name)})"
        return
    marks, old_marks = file_marks(node, plan.identity[i]), file_marks(old, past.identity[j])
    for port in (node.of or node).spec.inputs:
        name = port.name
        reads, old_reads = node.reads.get(name), old.reads.get(name)
        if reads and old_reads:
            if [now[k] for k in reads] != [before[k] for k in old_reads]:
                yield f"input {name} changed (from {_source(plan, node, name)})"
        elif reads or old_reads:
            link = f"a link from {_source(plan, node, name)}" if reads else ""
            yield f"input {name} changed {_value(old.constants, name)} -> {link or _value(node.constants, name)}"
        elif _differs(old.constants.get(name), node.constants.get(name)):
            yield f"input {name} changed {_value(old.constants, name)} -> {_value(node.constants, name)}"
        elif marks.get(name) != old_marks.get(name):
            yield f"file changed: {node.constants[name]}"


def _made_by(plan: Plan, i: int) -> list[object]:
    """What makes each value node i reads."""
    return [(plan.keys[p], output) for p, output in plan.parents[i]]


def _differs(one: object, other: object) -> bool:
    return one is not other and encode(one) != encode(other)


def _source(plan: Plan, node: Node, name: str) -> str:
    links = list(node.links.values())
    sources = [links[place].node for place in node.reads[name]]
    return plan.label(plan.position[sources[0]]) + (f" and {len(sources) - 1} more" if len(sources) > 1 else "")


def _value(constants: Mapping[str, object], name: str) -> str:
    return shown(constants[name]).removesuffix(".0") if name in constants else "a link"
