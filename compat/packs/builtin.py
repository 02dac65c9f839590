"""ComfyUI's own node classes, for packs that call them: each is the node of Weft that stands for it in workflows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from compat.packs.classes import FILES
from compat.packs.running import progress
from compat.packs.values import TYPES, NotOffered, ours, theirs
from compat.workflows.definitions import TYPES as SPELLED
from compat.workflows.definitions import definition
from compat.workflows.kinds import Kind, Port
from compat.workflows.table import CLASSES
from graph.files import Files
from graph.node import NodeSpec
from graph.widgets import Widget

MAX_RESOLUTION: Final = 16384
CALLS: Final[Mapping[str, str]] = {
    "CLIPTextEncode": "encode clip text",
    "CLIPSetLastLayer": "set_last_layer clip stop_at_clip_layer",
    "CheckpointLoaderSimple": "load_checkpoint ckpt_name",
    "UNETLoader": "load_unet unet_name weight_dtype",
    "CLIPLoader": "load_clip clip_name type device",
    "DualCLIPLoader": "load_clip clip_name1 clip_name2 type device",
    "VAELoader": "load_vae vae_name",
    "VAEDecode": "decode vae samples",
    "VAEDecodeTiled": "decode vae samples tile_size overlap",
    "VAEEncode": "encode vae pixels",
    "VAEEncodeForInpaint": "encode vae pixels mask grow_mask_by",
    "LoraLoader": "load_lora model clip lora_name strength_model strength_clip",
    "LoraLoaderModelOnly": "load_lora_model_only model lora_name strength_model",
    "ControlNetLoader": "load_controlnet control_net_name",
    "ControlNetApplyAdvanced": (
        "apply_controlnet positive negative control_net image strength start_percent end_percent vae"
    ),
    "ConditioningCombine": "combine conditioning_1 conditioning_2",
    "ConditioningConcat": "concat conditioning_to conditioning_from",
    "ConditioningAverage": "addWeighted conditioning_to conditioning_from conditioning_to_strength",
    "ConditioningSetArea": "append conditioning width height x y strength",
    "ConditioningSetMask": "append conditioning mask set_cond_area strength",
    "ConditioningSetTimestepRange": "set_range conditioning start end",
    "ConditioningZeroOut": "zero_out conditioning",
    "EmptyLatentImage": "generate width height batch_size",
    "KSampler": "sample model seed steps cfg sampler_name scheduler positive negative latent_image denoise",
    "KSamplerAdvanced": (
        "sample model add_noise noise_seed steps cfg sampler_name scheduler positive negative latent_image "
        "start_at_step end_at_step return_with_leftover_noise"
    ),
    "SetLatentNoiseMask": "set_mask samples mask",
    "RepeatLatentBatch": "repeat samples amount",
    "LatentUpscale": "upscale samples upscale_method width height crop",
    "LatentUpscaleBy": "upscale samples upscale_method scale_by",
    "ImageScale": "upscale image upscale_method width height crop",
    "ImageScaleBy": "upscale image upscale_method scale_by",
    "ImageInvert": "invert image",
    "ImageBatch": "batch image1 image2",
    "LoadImage": "load_image image",
    "SaveImage": "save_images images filename_prefix",
    "PreviewImage": "save_images images filename_prefix",
}
"""What packs call of these classes, and its parameters in order; others are called `run`, by names of inputs."""


def classes(registry: Mapping[str, NodeSpec], files: Files) -> dict[str, type[Any]]:
    """The classes there are a counterpart of among these nodes, by name."""
    found = ((name, kind, registry.get(kind.type)) for name, kind in CLASSES.items() if " " not in name)
    return {
        name: _class(name, kind, spec, registry, files)
        for name, kind, spec in found
        if spec is not None and spec.fn is not None and kind.beside is None
    }


def _class(name: str, kind: Kind, spec: NodeSpec, registry: Mapping[str, NodeSpec], files: Files) -> type[Any]:
    method, *order = CALLS.get(name, "run").split()
    run = _caller(name, kind, spec, files, order)

    def input_types(_: type[Any]) -> Mapping[str, Any]:
        told = definition(name, registry, files)
        return {} if told is None else told["input"]

    def called(_: object, *args: Any, **given: Any) -> Any:
        return run(*args, **given)

    kinds = [_spelled(port.type) for port in spec.outputs if port.name != FILES]
    members: dict[str, Any] = {
        "INPUT_TYPES": classmethod(input_types),
        "FUNCTION": method,
        "RETURN_TYPES": tuple(kinds),
        "CATEGORY": spec.category,
        "OUTPUT_NODE": spec.sink,
        method: called,
    }
    return type(name, (), members)


def _caller(name: str, kind: Kind, spec: NodeSpec, files: Files, order: Sequence[str]) -> Callable[..., Any]:
    """The node of ours as a function of the peer's inputs, in that order or by their names."""
    by_name = {port.name: port for port in kind.ports}
    inputs = {port.name: port for port in spec.inputs}

    def run(*args: Any, **given: Any) -> Any:
        said = {**dict(zip(order, args)), **given}
        values: dict[str, Any] = {port.name: None for port in spec.inputs if port.optional}
        values |= kind.fixed
        for each, value in said.items():
            if (port := by_name.get(each)) is None or port.target == "":
                continue
            target = inputs[port.target]
            found = _taken(port, target.type, target.widget, value, files)
            values[port.target] = [*values.get(port.target, []), found] if port.many else found
        for port in kind.ports:
            if port.is_widget and port.target and port.target not in values and port.default is not None:
                target = inputs[port.target]
                values[port.target] = _taken(port, target.type, target.widget, port.default, files)
        made = spec.named(spec.start(values, progress().context))
        if spec.sink:
            return {"ui": {"images": [_item(file) for file in made.get(FILES, ())]}}
        if short := [output for output in kind.outputs if output not in made]:
            raise NotOffered(f"{name}: {', '.join(short)}")
        types = spec.output_types
        return tuple(theirs(made[output], _spelled(types[output])) for output in kind.outputs)

    return run


def _taken(port: Port, kind: str, widget: Widget | None, value: Any, files: Files) -> Any:
    """A value of a pack's as the input of ours takes it."""
    if not port.is_widget:
        return ours(value, _spelled(kind))
    made = value if port.convert is None else port.convert(value)
    if widget is None:
        return made
    widget.check(made, files)
    return widget.resolve(made, files)


def _spelled(kind: str) -> str:
    name = kind.removeprefix("list[").removesuffix("]")
    return next((word for word, each in TYPES.items() if each == name), SPELLED.get(name, name.upper()))


def _item(file: Any) -> dict[str, str]:
    subfolder, _, name = file.name.rpartition("/")
    return {"filename": name, "subfolder": subfolder, "type": file.folder}
