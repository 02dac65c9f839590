"""Why a prompt, or a part of it, is refused, in the peer's words: `error` of the whole and `node_errors` by node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from compat.protocol.prompts import class_of, owner
from compat.workflows.definitions import definition
from compat.workflows.table import CLASSES
from graph.files import Files
from graph.node import NodeSpec
from graph.problems import Problem

MESSAGES: Final[Mapping[str, str]] = {
    "required_input_missing": "Required input is missing",
    "return_type_mismatch": "Return type mismatch between linked nodes",
    "value_not_in_list": "Value not in list",
    "value_smaller_than_min": "Value smaller than min",
    "value_bigger_than_max": "Value bigger than max",
    "invalid_input_type": "Failed to convert an input value",
    "exception_during_validation": "Exception when validating node",
}


def refusal(type: str, message: str, details: str = "", node_errors: Mapping[str, Any] | None = None) -> web.Response:
    """400 in the peer's form."""
    error: dict[str, Any] = {"type": type, "message": message, "details": details, "extra_info": {}}
    return web.json_response({"error": error, "node_errors": node_errors or {}}, status=400)


def node_errors(
    problems: Iterable[Problem],
    nodes: Mapping[str, Any],
    readers: Mapping[str, Sequence[str]],
    registry: Mapping[str, NodeSpec],
    files: Files,
) -> dict[str, Any]:
    """By id of the prompt; `readers`: the outputs that need each of them."""
    found: dict[str, Any] = {}
    for problem in problems:
        id = owner(problem.node or "", nodes)
        if id not in nodes:
            continue
        kind = class_of(nodes, id)
        told = found.setdefault(id, {"errors": [], "dependent_outputs": list(readers.get(id, ())), "class_type": kind})
        told["errors"].append(_error(problem, nodes[id], kind, registry, files))
    return found


def _error(
    problem: Problem, node: Mapping[str, Any], kind: str, registry: Mapping[str, NodeSpec], files: Files
) -> dict[str, Any]:
    name = _name(kind, problem.port)
    info: dict[str, Any] = {"input_name": name} if name else {}
    told = definition(kind, registry, files)
    groups: dict[str, dict[str, list[Any]]] = told["input"] if told else {}
    entry = next((group[name] for group in groups.values() if name in group), None)
    received = node.get("inputs", {}).get(name) if name else None
    type = _type(problem, entry, received)
    if entry is not None and type != "required_input_missing":
        info["input_config"] = [entry[0], _limits(entry)]
        info["received_value"] = received
    details = name if type == "required_input_missing" else problem.message
    return {"type": type, "message": MESSAGES[type], "details": details, "extra_info": info}


def _type(problem: Problem, entry: Sequence[Any] | None, received: object) -> str:
    match problem.code:
        case "missing_input":
            return "required_input_missing"
        case "wrong_type":
            return "return_type_mismatch" if isinstance(received, list) else "invalid_input_type"
        case "bad_value" if entry is not None:
            return _bad_value(entry, received)
        case _:
            return "exception_during_validation"


def _bad_value(entry: Sequence[Any], received: object) -> str:
    limits = _limits(entry)
    if isinstance(entry[0], list):
        return "value_not_in_list"
    if isinstance(received, int | float) and "min" in limits:
        return "value_smaller_than_min" if received < limits["min"] else "value_bigger_than_max"
    return "invalid_input_type"


def _limits(entry: Sequence[Any]) -> Mapping[str, Any]:
    return entry[1] if len(entry) > 1 else {}


def _name(kind: str, port: str | None) -> str:
    """What the peer calls an input of ours."""
    if port is None:
        return ""
    name = port.partition(".")[0]
    ports = CLASSES[kind].ports if kind in CLASSES else ()
    return next((each.name for each in ports if each.target == name), name)
