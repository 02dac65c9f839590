"""The classes of ComfyUI that run here, as its `/object_info` tells them: inputs with types, limits and choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from compat.workflows.kinds import Convert, Kind
from compat.workflows.kinds import Port as Foreign
from compat.workflows.packs import kinds_of_packs
from compat.workflows.table import CLASSES
from compat.workflows.values import SWITCH, Words
from graph.files import Files
from graph.node import NodeSpec, Port
from graph.widgets import Choice, Colour, InputFile, ModelFile, Seed, Slider, Text, Toggle, Widget

TYPES: Final[Mapping[str, str]] = {
    "int": "INT",
    "float": "FLOAT",
    "str": "STRING",
    "bool": "BOOLEAN",
    "ControlNet": "CONTROL_NET",
    "Guide": "GUIDER",
    "Vision": "CLIP_VISION",
    "Any": "*",
}
"""Types that are not called as here in capitals."""


@dataclass(frozen=True)
class Spoken:
    """A class that is rewritten before it is ours: its inputs, linked ones as their type, and its outputs."""

    inputs: Mapping[str, str | tuple[str, Widget, object]]
    outputs: tuple[str, ...]


WHOLE: Final = Slider(-(2**53), 2**53)
NUMBER: Final = Slider(-1e9, 1e9, 0.01)
TEXT: Final = Text(multiline=True)
REWRITTEN: Final[Mapping[str, Spoken]] = {
    "SamplerCustom": Spoken(
        {
            "model": "MODEL",
            "add_noise": ("bool", Toggle(), True),
            "noise_seed": ("int", Seed(), 0),
            "cfg": ("float", Slider(0, 100, 0.1), 8.0),
            "positive": "CONDITIONING",
            "negative": "CONDITIONING",
            "sampler": "SAMPLER",
            "sigmas": "SIGMAS",
            "latent_image": "LATENT",
        },
        ("LATENT", "LATENT"),
    ),
    "FluxGuidance": Spoken(
        {"conditioning": "CONDITIONING", "guidance": ("float", Slider(0, 100, 0.1), 3.5)}, ("CONDITIONING",)
    ),
    "ControlNetApply": Spoken(
        {
            "conditioning": "CONDITIONING",
            "control_net": "CONTROL_NET",
            "image": "IMAGE",
            "strength": ("float", Slider(0, 10, 0.01), 1.0),
        },
        ("CONDITIONING",),
    ),
    "UpscaleModelLoader": Spoken({"model_name": ("str", ModelFile("upscale_models"), None)}, ("UPSCALE_MODEL",)),
    "ImageUpscaleWithModel": Spoken({"upscale_model": "UPSCALE_MODEL", "image": "IMAGE"}, ("IMAGE",)),
    "LoadImageMask": Spoken(
        {
            "image": ("str", InputFile(), None),
            "channel": ("str", Choice(("alpha", "red", "green", "blue")), "alpha"),
        },
        ("MASK",),
    ),
    "PrimitiveInt": Spoken({"value": ("int", WHOLE, 0)}, ("INT",)),
    "PrimitiveFloat": Spoken({"value": ("float", NUMBER, 0.0)}, ("FLOAT",)),
    "PrimitiveString": Spoken({"value": ("str", Text(), "")}, ("STRING",)),
    "PrimitiveStringMultiline": Spoken({"value": ("str", TEXT, "")}, ("STRING",)),
    "PrimitiveBoolean": Spoken({"value": ("bool", Toggle(), False)}, ("BOOLEAN",)),
}
HOMES: Final[Mapping[str, str]] = {"UpscaleModelLoader": "ImageUpscaleWithModel", "LoadImageMask": "LoadImage"}
"""Rewritten classes without an entry in the table, and the node here that they stand beside."""


def definitions(registry: Mapping[str, NodeSpec], files: Files) -> dict[str, Any]:
    """`{class: {"input", "output", ...}}` of every class that has a counterpart among the nodes there are."""
    known = {**kinds_of_packs(registry), **CLASSES}
    names = (
        *(name for name in known if " " not in name or name not in CLASSES),
        *(name for name in REWRITTEN if name not in known),
    )
    return {name: found for name in names if (found := _definition(name, known, registry, files)) is not None}


def definition(name: str, registry: Mapping[str, NodeSpec], files: Files) -> dict[str, Any] | None:
    """What `/object_info` says of one class; None for one that does not run here."""
    return _definition(name, {**kinds_of_packs(registry), **CLASSES}, registry, files)


def _definition(
    name: str, kinds: Mapping[str, Kind], registry: Mapping[str, NodeSpec], files: Files
) -> dict[str, Any] | None:
    kind = kinds.get(name)
    spec = registry.get(kind.type if kind else HOMES.get(name, ""))
    is_variant = " " in name and name in CLASSES
    if is_variant or (kind is None and name not in REWRITTEN) or (kind is not None and spec is None):
        return None
    if name in REWRITTEN:
        inputs, outputs = _spoken(REWRITTEN[name], files), list(REWRITTEN[name].outputs)
    else:
        assert kind is not None
        inputs, outputs = _tabled(kind, registry, files)
    return {
        "input": inputs,
        "input_order": {group: list(entries) for group, entries in inputs.items()},
        "output": outputs,
        "output_is_list": [False] * len(outputs),
        "output_name": outputs,
        "name": name,
        "display_name": spec.title if spec else name,
        "description": spec.doc if spec else "",
        "python_module": "nodes" if name in CLASSES or spec is None else spec.source,
        "category": spec.category if spec else "value",
        "output_node": spec is not None and spec.sink,
    }


def _spoken(spoken: Spoken, files: Files) -> dict[str, dict[str, list[Any]]]:
    entries = {
        name: [told] if isinstance(told, str) else _constant(told[0], told[1], told[2], None, files)
        for name, told in spoken.inputs.items()
    }
    return {"required": entries, "optional": {}}


def _tabled(
    kind: Kind, registry: Mapping[str, NodeSpec], files: Files
) -> tuple[dict[str, dict[str, list[Any]]], list[str]]:
    spec = registry[kind.type]
    beside = registry.get(kind.beside.type) if kind.beside else None
    inputs: dict[str, dict[str, list[Any]]] = {"required": {}, "optional": {}}
    for port in kind.ports:
        owner = beside if port.beside and beside is not None else spec
        ours = next((each for each in owner.inputs if each.name == port.target), None)
        group = "optional" if ours is not None and ours.optional and not port.is_widget else "required"
        inputs[group][port.name] = _input(port, ours, files)
    last = beside if beside is not None and kind.beside is not None and kind.beside.takes else spec
    types = {output.name: output.type for output in last.outputs}
    return inputs, [_type(types[name]) for name in kind.outputs if name in types]


def _input(port: Foreign, ours: Port | None, files: Files) -> list[Any]:
    if not port.is_widget:
        return [_type(ours.type) if ours is not None else "*"]
    if ours is None:
        return _left_out(port.default)
    return _constant(ours.type, ours.widget, port.default, port.convert, files)


def _left_out(default: object) -> list[Any]:
    """An input that nothing here reads: any number, or the one word that means what is done here."""
    kinds: Mapping[type, str] = {bool: "BOOLEAN", int: "INT", float: "FLOAT"}
    if type(default) in kinds:
        return [kinds[type(default)], {"default": default}]
    return [[] if default is None else [default], {}]


def _constant(type: str, widget: Widget | None, default: object, convert: Convert | None, files: Files) -> list[Any]:
    said: dict[str, Any] = {} if default is None else {"default": default}
    match widget:
        case Choice():
            words = list(_words(widget, convert))
            return [words, said if default in words else {}]
        case ModelFile():
            return [list(widget.options_for(files)), said]
        case InputFile():
            return [list(widget.options_for(files)), {"image_upload": True}]
        case Seed():
            return ["INT", {**said, "min": 0, "max": 2**64 - 1, "control_after_generate": True}]
        case Slider():
            most = max(widget.max, default) if isinstance(default, int | float) else widget.max
            number = int if type == "int" else float
            limits = {"min": number(widget.min), "max": number(most), "step": widget.step}
            return [_type(type), {**said, **limits}]
        case Toggle() if convert is SWITCH:
            return [["enable", "disable"], said]
        case Text():
            return ["STRING", {**said, "multiline": widget.multiline}]
        case Colour():
            return ["INT", {**said, "min": 0, "max": 0xFFFFFF, "step": 1}]
        case _:
            return [_type(type), said]


def _words(widget: Choice, convert: Convert | None) -> Iterator[object]:
    for option in widget.options:
        yield from convert.theirs(option) if isinstance(convert, Words) else [option]


def _type(ours: str) -> str:
    name = ours.removeprefix("list[").removesuffix("]")
    return TYPES.get(name, name.upper())
