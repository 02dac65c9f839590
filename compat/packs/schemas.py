"""Nodes that declare themselves by a schema, as classes of the older form, which is what `classes` reads."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any, Final, cast

from compat.packs.host.api import ComfyNode, NodeOutput, Schema
from compat.packs.host.execution import ExecutionBlocker

ENTRY: Final = "comfy_entrypoint"
ASKED: Final[Mapping[str, str]] = {
    "validate_inputs": "VALIDATE_INPUTS",
    "fingerprint_inputs": "IS_CHANGED",
    "check_lazy_status": "check_lazy_status",
}
"""What a node may be asked before it runs, and what that is called in the older form."""


def classes_of(pack: ModuleType) -> tuple[dict[str, type[Any]], dict[str, str]] | None:
    """The classes by name and their titles, of a pack whose entry point lists nodes with schemas; None without one."""
    entry = getattr(pack, ENTRY, None)
    if entry is None:
        return None
    nodes = asyncio.run(_listed(entry))
    schemas = [(node, node.define_schema()) for node in nodes]
    classes = {schema.node_id: _older(node, schema) for node, schema in schemas}
    return classes, {schema.node_id: schema.display_name or schema.node_id for _, schema in schemas}


async def _listed(entry: Any) -> list[type[ComfyNode]]:
    extension = await _awaited(entry())
    await _awaited(extension.on_load())
    return await _awaited(extension.get_node_list())


async def _awaited(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


def _older(node: type[ComfyNode], schema: Schema) -> type[Any]:
    members: dict[str, Any] = {
        "INPUT_TYPES": classmethod(lambda _: _inputs(node.define_schema())),
        "RETURN_TYPES": tuple(output.kind for output in schema.outputs),
        "RETURN_NAMES": tuple(output.name for output in schema.outputs),
        "OUTPUT_IS_LIST": tuple(output.is_list for output in schema.outputs),
        "INPUT_IS_LIST": schema.is_input_list,
        "OUTPUT_NODE": schema.is_output_node,
        "CATEGORY": schema.category,
        "DESCRIPTION": schema.description,
        "FUNCTION": "run",
        "run": lambda _, **given: _run(node, schema, given),
    }
    members |= {older: staticmethod(getattr(node, name)) for name, older in ASKED.items() if hasattr(node, name)}
    return type(node.__name__, (), members)


def _inputs(schema: Schema) -> Mapping[str, Any]:
    groups: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
    for each in schema.inputs:
        groups["optional" if each.optional else "required"][each.id] = each.entry()
    hidden = {each.name: str(each.value) for each in schema.hidden}
    return {**groups, "hidden": hidden}


async def _run(node: type[ComfyNode], schema: Schema, given: dict[str, Any]) -> Any:
    """Call `execute` on a class of its own, which knows what was hidden."""
    hidden = SimpleNamespace(**{each.name: given.pop(each.name, None) for each in schema.hidden})
    running = cast("Any", type(node.__name__, (node,), {"hidden": hidden}))
    made = await _awaited(running.execute(**given))
    if not isinstance(made, NodeOutput):
        return made
    if made.block_execution is not None:
        return ExecutionBlocker(made.block_execution)
    if made.expand is not None:
        return {"expand": made.expand}
    shown = made.ui.as_dict() if hasattr(made.ui, "as_dict") else made.ui
    return {"ui": shown or {}, "result": made.args}
