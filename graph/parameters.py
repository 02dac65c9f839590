"""The interface of a document: named inputs that forms, the command line and the API set.

`"interface": [{"name", "node", "input", "title"?}]`; one name may stand for several inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from graph.problems import InvalidGraph, Problem, nearest, shown


def with_parameters(document: Mapping[str, Any], values: Mapping[str, object]) -> dict[str, Any]:
    """The document with constants in place of what its interface names; InvalidGraph for a name it has not."""
    leads: dict[str, list[tuple[str, str]]] = {}
    interface = document.get("interface", [])
    for port in cast("list[Any]", interface) if type(interface) is list else ():
        match port:
            case {"name": str(name), "node": str(node), "input": str(input)}:
                leads.setdefault(name, []).append((node, input))
            case _:
                expected = "objects with name, node and input"
                message = f"interface: expected {expected}, got {shown(port)}"
                raise InvalidGraph([Problem("bad_document", None, None, message, expected, shown(port))])
    nodes = dict(_object(document.get("nodes")))
    problems: list[Problem] = []
    for name, value in values.items():
        if name not in leads:
            expected = f"one of {', '.join(leads)}" if leads else "no parameters, as the workflow names none"
            message = f"there is no parameter {shown(name)}: expected {expected}"
            problems.append(Problem("unknown_input", None, name, message, expected, shown(name), nearest(name, leads)))
        for node, input in leads.get(name, ()):
            if node in nodes:
                entry = _object(nodes[node])
                nodes[node] = {**entry, "inputs": {**_object(entry.get("inputs")), input: value}}
            else:
                message = f"parameter {shown(name)} leads to node {shown(node)}, which does not exist"
                problems.append(Problem("missing_link", node, input, message, None, shown(node), nearest(node, nodes)))
    if problems:
        raise InvalidGraph(problems)
    return {**document, "nodes": nodes}


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if type(value) is dict else {}
