"""The API format of ComfyUI ("prompt"): `{id: {"class_type", "inputs": {name: value or [id, slot]}, "_meta"}}`."""

from __future__ import annotations

from collections.abc import Mapping

from compat.workflows.foreign import Foreign, Node, Source, is_list, is_object, is_whole, refuse_more_than, title_of


def is_prompt(document: Mapping[str, object]) -> bool:
    """Whether every member is a node of that format."""
    return bool(document) and all(
        is_object(entry) and isinstance(entry.get("class_type"), str) and is_object(entry.get("inputs", {}))
        for entry in document.values()
    )


def read_prompt(document: Mapping[str, object]) -> Foreign:
    """The workflow of a document that `is_prompt`. InvalidGraph if it is too large."""
    refuse_more_than(len(document))
    nodes: dict[str, Node] = {}
    for id, entry in document.items():
        if is_object(entry):
            kind = entry["class_type"]
            inputs = {name: _value(value, document) for name, value in entry.get("inputs", {}).items()}
            meta = entry.get("_meta")
            nodes[id] = Node(kind, inputs, title_of(meta.get("title"), kind) if is_object(meta) else "")
    return Foreign(nodes)


def _value(value: object, document: Mapping[str, object]) -> object:
    if is_list(value) and len(value) == 2 and isinstance(value[0], str) and value[0] in document and is_whole(value[1]):
        return Source(value[0], value[1])
    if is_object(value) and "__value__" in value and value.keys() <= {"__value__", "__type__"}:
        return value["__value__"]
    return value
