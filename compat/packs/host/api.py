"""`comfy_api`: nodes that declare themselves by a schema, its types of inputs and outputs, and what they return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import EnumType, StrEnum
from typing import Any, Final

from compat.packs.running import progress
from compat.packs.values import ours
from graph.context import OutputFile
from nodes.image import preview_image, save_image

NAMES: Final[Mapping[str, str]] = {
    "Image": "IMAGE",
    "Mask": "MASK",
    "Latent": "LATENT",
    "Conditioning": "CONDITIONING",
    "Model": "MODEL",
    "Clip": "CLIP",
    "Vae": "VAE",
    "ControlNet": "CONTROL_NET",
    "ClipVision": "CLIP_VISION",
    "ClipVisionOutput": "CLIP_VISION_OUTPUT",
    "StyleModel": "STYLE_MODEL",
    "UpscaleModel": "UPSCALE_MODEL",
    "LatentUpscaleModel": "LATENT_UPSCALE_MODEL",
    "Sampler": "SAMPLER",
    "Sigmas": "SIGMAS",
    "Noise": "NOISE",
    "Guider": "GUIDER",
    "Audio": "AUDIO",
    "Video": "VIDEO",
    "SVG": "SVG",
    "Gligen": "GLIGEN",
    "Hooks": "HOOKS",
    "LoraModel": "LORA_MODEL",
    "LossMap": "LOSS_MAP",
    "Voxel": "VOXEL",
    "Mesh": "MESH",
    "Point": "POINT",
    "BBOX": "BBOX",
    "SEGS": "SEGS",
    "AnyType": "*",
    "Int": "INT",
    "Float": "FLOAT",
    "String": "STRING",
    "Boolean": "BOOLEAN",
    "Combo": "COMBO",
}
"""Types of inputs and outputs, and what links are called that carry them."""


class Input:
    """An input: its name, whether it may be left out, and what its widget is told."""

    kind = "*"

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        extra_dict: Mapping[str, Any] | None = None,
        force_input: bool | None = None,
        control_after_generate: Any = None,
        upload: Any = None,
        **said: Any,
    ) -> None:
        self.id, self.optional = id, optional
        known = {"tooltip": tooltip, "lazy": lazy, "forceInput": force_input, **said, **(extra_dict or {})}
        self.options = {name: value for name, value in known.items() if value is not None}
        if control_after_generate:
            self.options["control_after_generate"] = True
        if upload is not None:
            self.options["image_upload"] = True

    def entry(self) -> tuple[Any, dict[str, Any]]:
        """As INPUT_TYPES has it."""
        return self.kind, self.options


class Output:
    """An output: its name, and whether it is a list that is spread."""

    kind = "*"

    def __init__(
        self,
        id: str | None = None,
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
        **_: Any,
    ) -> None:
        self.name = display_name or id or self.kind
        self.is_list = is_output_list


class ComboInput(Input):
    """A menu; its choices may be an enumeration."""

    kind = "COMBO"

    def __init__(self, id: str, options: Any = None, **said: Any) -> None:
        super().__init__(id, **said)
        choices = [getattr(each, "value", each) for each in options] if isinstance(options, EnumType) else options
        default = self.options.get("default")
        chosen = {} if default is None else {"default": getattr(default, "value", default)}
        self.options |= {"options": choices or []} | chosen

    def entry(self) -> tuple[Any, dict[str, Any]]:
        return self.options["options"], self.options


def Custom(io_type: str) -> type[Any]:
    """A type of a pack's own."""
    return _type(io_type)


def comfytype(io_type: str, **_: Any) -> Any:
    """Makes a class a type of a pack's own."""

    def mark(made: type[Any]) -> type[Any]:
        for name, base in (("Input", Input), ("Output", Output)):
            setattr(made, name, type(name, (vars(made).get(name, base),), {"kind": io_type}))
        return made

    return mark


def _type(kind: str, takes: type[Input] = Input) -> type[Any]:
    members = {
        "io_type": kind,
        "Type": Any,
        "Input": type("Input", (takes,), {"kind": kind}),
        "Output": type("Output", (Output,), {"kind": kind}),
    }
    return type(kind, (), members)


class Hidden(StrEnum):
    """What a node may want to know beside its inputs."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"
    auth_token_comfy_org = "AUTH_TOKEN_COMFY_ORG"  # noqa: S105 - a name, no token
    api_key_comfy_org = "API_KEY_COMFY_ORG"


class NumberDisplay(StrEnum):
    """How a number is shown there."""

    number = "number"
    slider = "slider"
    knob = "knob"


class UploadType(StrEnum):
    """What may be uploaded."""

    image = "image_upload"
    audio = "audio_upload"
    video = "video_upload"
    model = "file_upload"


class FolderType(StrEnum):
    """Folders of files."""

    input = "input"
    output = "output"
    temp = "temp"


@dataclass
class Schema:
    """What a node declares."""

    node_id: str
    display_name: str | None = None
    category: str = ""
    inputs: Sequence[Input] = ()
    outputs: Sequence[Output] = ()
    hidden: Sequence[Hidden] = ()
    description: str = ""
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_api_node: bool = False
    not_idempotent: bool = False
    enable_expand: bool = False
    search_aliases: Sequence[str] = ()
    price_badge: Any = None
    accept_all_inputs: bool = False


class NodeOutput:
    """What a node returns: values, what is to be shown, or that nothing after it is to run."""

    def __init__(self, *args: Any, ui: Any = None, expand: Any = None, block_execution: str | None = None) -> None:
        self.args, self.ui, self.expand, self.block_execution = args, ui, expand, block_execution

    @property
    def result(self) -> tuple[Any, ...]:
        return self.args


class ComfyNode:
    """A node; all of it are class methods. `hidden` is filled in where one runs."""

    hidden: Any = None

    @classmethod
    def define_schema(cls) -> Schema:
        raise NotImplementedError(f"{cls.__name__} has no schema")

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        return cls.define_schema()


class ComfyExtension:
    """The nodes of a pack."""

    async def on_load(self) -> None:
        """Before its nodes are asked for."""

    async def get_node_list(self) -> list[type[ComfyNode]]:
        return []


@dataclass(frozen=True)
class Shown:
    """What a node shows, as `ui` has it."""

    items: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def as_dict(self) -> Mapping[str, Any]:
        return self.items


def _pictures(files: Sequence[OutputFile]) -> Shown:
    entries: list[dict[str, str]] = []
    for file in files:
        subfolder, _, name = file.name.rpartition("/")
        entries.append({"filename": name, "subfolder": subfolder, "type": file.folder})
    return Shown({"images": entries})


def PreviewImage(image: Any, *_: Any, **__: Any) -> Shown:
    """Pictures B H W C, kept for a day."""
    return _pictures(preview_image(ours(image, "IMAGE"), progress().context))


def PreviewMask(mask: Any, *_: Any, **__: Any) -> Shown:
    """Masks B H W, as grey pictures."""
    return PreviewImage(mask.reshape(-1, *mask.shape[-2:], 1))


def PreviewText(value: str, **_: Any) -> Shown:
    return Shown({"text": [value]})


class ImageSaveHelper:
    """Saves pictures."""

    @staticmethod
    def get_save_images_ui(images: Any, filename_prefix: str, *_: Any, **__: Any) -> Shown:
        return _pictures(save_image(ours(images, "IMAGE"), filename_prefix, ctx=progress().context))


def io() -> dict[str, Any]:
    """The members of `comfy_api.latest.io`."""
    types = {name: _type(kind, ComboInput if name == "Combo" else Input) for name, kind in NAMES.items()}
    own = (
        ComfyNode,
        Schema,
        NodeOutput,
        Hidden,
        NumberDisplay,
        UploadType,
        FolderType,
        Input,
        Output,
        Custom,
        comfytype,
    )
    return {**types, **{each.__name__: each for each in own}}


def ui() -> dict[str, Any]:
    """The members of `comfy_api.latest.ui`."""
    return {each.__name__: each for each in (PreviewImage, PreviewMask, PreviewText, ImageSaveHelper)}
