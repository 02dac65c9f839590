"""Why a node has to run, or need not, in words a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
CANCELLED = "cancelled"
SHARED = "computed by another job at the same time"
NO_READERS = "nothing needs it any more"

_MOST = 3


def why(plan: Plan, i: int, past: Plan | None) -> str:
    """How node i differs from `past`, the plan by which its id last had a result. Of linked inputs the values are
    compared where they are known, else what makes them."""
    if plan.nodes[i].spec.volatile:
        return f"always runs: it reads {plan.nodes[i].spec.volatile}"
    if past is None:
        return NEVER_RUN
    j = past.position[plan.ids[i]]
    spec, old = plan.nodes[i].spec, past.nodes[j].spec
    if spec.id != old.id:
        return NEVER_RUN
    changes = [f"version changed {old.version} -> {spec.version}"] if spec.version != old.version else []
    changes.extend(_changes(plan, i, past, j))
    if len(changes) > _MOST:
        changes[_MOST:] = [f"and {len(changes) - _MOST} more"]
    return ", ".join(changes) or EVICTED


def _changes(plan: Plan, i: int, past: Plan, j: int) -> Iterator[str]:
    node, old = plan.nodes[i], past.nodes[j]
    before, now = _links(past, j), _links(plan, i)
    values_before, values_now = _arrived(past, j), _arrived(plan, i)
    if values_before is not None and values_now is not None:
        before, now = values_before, values_now
    marks, old_marks = file_marks(node, plan.identity[i]), file_marks(old, past.identity[j])
    for port in node.spec.inputs:
        name = port.name
        if name in now and name in before:
            if now[name] != before[name]:
                yield f"input {name} changed (from {plan.graph.label(node.links[name].node)})"
        elif name in now or name in before:
            link = f"a link from {plan.graph.label(node.links[name].node)}" if name in now else ""
            yield f"input {name} changed {_value(old.constants, name)} -> {link or _value(node.constants, name)}"
        elif encode(old.constants.get(name)) != encode(node.constants.get(name)):
            yield f"input {name} changed {_value(old.constants, name)} -> {_value(node.constants, name)}"
        elif marks.get(name) != old_marks.get(name):
            yield f"file changed: {node.constants[name]}"


def _links(plan: Plan, i: int) -> dict[str, tuple[bytes, str]]:
    return {name: (plan.keys[p], output) for name, (p, output) in zip(plan.nodes[i].links, plan.parents[i])}


def _arrived(plan: Plan, i: int) -> dict[str, tuple[bytes, str]] | None:
    arrived = plan.arrived(i)
    return None if arrived is None else {name: (print, "") for name, print in zip(plan.nodes[i].links, arrived)}


def _value(constants: Mapping[str, object], name: str) -> str:
    return shown(constants[name]).removesuffix(".0") if name in constants else "a link"
