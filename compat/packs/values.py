"""Values of Weft as those of ComfyUI's nodes, and back. What is handed over is a copy: packs may write into it.

Pictures have their channels last there, a latent is a dict, a conditioning a list of pairs. Models, text encoders and
autoencoders go as they are, behind the methods packs call most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import torch
from torch import Tensor

from diffusion.conditioning import Conditioning, Entry, Rectangle
from diffusion.model import CLIP, VAE, Model
from nodes.types import Latent

TYPES: Final[Mapping[str, str]] = {
    "INT": "int",
    "FLOAT": "float",
    "STRING": "str",
    "BOOLEAN": "bool",
    "COMBO": "str",
    "IMAGE": "Image",
    "MASK": "Mask",
    "LATENT": "Latent",
    "CONDITIONING": "Conditioning",
    "MODEL": "Model",
    "CLIP": "CLIP",
    "VAE": "VAE",
    "CONTROL_NET": "ControlNet",
    "CLIP_VISION": "Vision",
    "SAMPLER": "Sampler",
    "SIGMAS": "Sigmas",
    "NOISE": "Noise",
    "GUIDER": "Guide",
}
"""Types of links that are called something else here; others keep their name."""
Options = dict[str, Any]
Pair = list[Any]
"""A text of a conditioning: its tokens, and options by name."""
PIXELS: Final = 8
"""Areas of a conditioning are in latents, each this many pixels wide."""


class NotOffered(RuntimeError):
    """A pack asked for a part of ComfyUI that Weft does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"this node needs {name} of ComfyUI, which Weft does not have; nothing was run with it")


class _Held:
    """A part of a checkpoint of ours as an object of theirs; what it lacks is told by name."""

    kind = ""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.kind}.{name} of ComfyUI is not offered by Weft")

    def clone(self) -> Any:
        """The same, as nothing of it is ever changed."""
        return self


@dataclass(frozen=True)
class TheirModel(_Held):
    """A denoising network."""

    ours: Model
    kind = "ModelPatcher"


@dataclass(frozen=True)
class Tokens:
    """A prompt that is encoded later."""

    text: str


@dataclass(frozen=True)
class TheirCLIP(_Held):
    """Text encoders. What packs call between a text and its encoding is handed over unopened."""

    ours: CLIP
    kind = "CLIP"

    def tokenize(self, text: str, **_: object) -> Tokens:
        return Tokens(text)

    def encode_from_tokens(self, tokens: Tokens, return_pooled: bool = False, return_dict: bool = False) -> Any:
        """The rows of the text, B L D; with them its vector, B D or None; or both and more by name."""
        entry = self.ours.encode(tokens.text).entries[0]
        if return_dict:
            return {"cond": entry.context_BLD, "pooled_output": entry.pooled_BD}
        return (entry.context_BLD, entry.pooled_BD) if return_pooled else entry.context_BLD

    def encode_from_tokens_scheduled(self, tokens: Tokens, **_: object) -> list[Pair]:
        return [_pair(entry) for entry in self.ours.encode(tokens.text).entries]

    def encode(self, text: str) -> Tensor:
        return self.encode_from_tokens(Tokens(text))


@dataclass(frozen=True)
class TheirVAE(_Held):
    """An autoencoder between pictures B H W 3 in 0..1 and raw latents B C H W."""

    ours: VAE
    kind = "VAE"

    def encode(self, pixel_samples: Tensor) -> Tensor:
        return self.ours.encode(_channels_first(pixel_samples))

    def decode(self, samples_in: Tensor) -> Tensor:
        return _channels_last(self.ours.decode(samples_in))

    def encode_tiled(self, pixel_samples: Tensor, **_: object) -> Tensor:
        """As `encode`: what does not fit the device is done in bands there."""
        return self.encode(pixel_samples)

    def decode_tiled(self, samples: Tensor, **_: object) -> Tensor:
        """As `decode`: what does not fit the device is done in bands there."""
        return self.decode(samples)

    def spacial_compression_decode(self) -> int:
        return self.ours.downscale

    def spacial_compression_encode(self) -> int:
        return self.ours.downscale


def theirs(value: Any, kind: str) -> Any:
    """A value of ours that goes to an input of ComfyUI's type `kind`; of an open one, by what it is."""
    match value:
        case Tensor() if kind == "IMAGE" or (is_open(kind) and value.ndim == 4 and value.shape[1] == 3):
            return _channels_last(value)
        case Tensor():
            return value.clone()
        case Latent():
            return _their_latent(value)
        case Conditioning():
            return [_pair(entry) for entry in value.entries]
        case Model():
            return TheirModel(value)
        case CLIP():
            return TheirCLIP(value)
        case VAE():
            return TheirVAE(value)
        case tuple() if kind == "SIGMAS":
            return torch.tensor(cast("tuple[float, ...]", value))
        case _:
            return value


def ours(value: Any, kind: str) -> Any:
    """What a node of theirs returned for an output of type `kind`. TypeError for what is no such thing."""
    match value:
        case TheirModel() | TheirCLIP() | TheirVAE():
            return value.ours
        case Tensor() if kind == "IMAGE" or (is_open(kind) and value.ndim == 4 and value.shape[-1] in (1, 3, 4)):
            return _channels_first(value)
        case Tensor() if kind == "MASK":
            return _mask(value)
        case Tensor() if kind == "SIGMAS":
            return tuple(value.tolist())
        case {"samples": Tensor()} if kind == "LATENT" or is_open(kind):
            return _our_latent(cast(Options, value))
        case list() if kind == "CONDITIONING":
            return Conditioning(tuple(_entry(*pair) for pair in cast("list[Pair]", value)))
        case _ if kind in TYPES and kind not in _PLAIN and kind not in _AS_THEY_ARE:
            raise TypeError(f"expected a value of type {kind}, got {type(value).__name__}")
        case _ if kind in _PLAIN:
            return _PLAIN[kind](value)
        case _:
            return value


_PLAIN: Final[Mapping[str, Any]] = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool, "COMBO": str}
_AS_THEY_ARE: Final = frozenset({"CONTROL_NET", "CLIP_VISION", "SAMPLER", "NOISE", "GUIDER"})


def is_open(kind: str) -> bool:
    """Whether values of several types may come: what they are is seen by themselves."""
    return kind == "*" or "," in kind


def _channels_last(image_B3HW: Tensor) -> Tensor:
    return image_B3HW.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)


def _channels_first(image: Tensor) -> Tensor:
    """A picture H W C or a batch B H W C of one, three or four channels, the fourth left out, as B 3 H W in 0..1."""
    image_BHWC = image if image.ndim == 4 else image.unsqueeze(0)
    if image_BHWC.ndim != 4 or image_BHWC.shape[3] not in (1, 3, 4):
        raise TypeError(f"expected pictures B H W C of 1, 3 or 4 channels, got {list(image.shape)}")
    rgb_B3HW = image_BHWC[..., :3].permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
    return rgb_B3HW.to("cpu", torch.float32).clamp(0, 1).contiguous()


def _mask(mask: Tensor) -> Tensor:
    """A mask H W, a batch B H W or B 1 H W, as B H W in 0..1."""
    mask_BHW = mask.unsqueeze(0) if mask.ndim == 2 else mask[:, 0] if mask.ndim == 4 else mask
    if mask_BHW.ndim != 3:
        raise TypeError(f"expected masks B H W, got {list(mask.shape)}")
    return mask_BHW.to("cpu", torch.float32).clamp(0, 1).contiguous()


def _their_latent(latent: Latent) -> Options:
    found: Options = {"samples": latent.samples_BCHW.clone()}
    if latent.mask_BHW is not None:
        found["noise_mask"] = latent.mask_BHW.unsqueeze(1).clone()
    if latent.items is not None:
        found["batch_index"] = list(latent.items)
    return found


def _our_latent(latent: Options) -> Latent:
    mask, items = latent.get("noise_mask"), latent.get("batch_index")
    return Latent(
        latent["samples"].to("cpu", torch.float32),
        None if mask is None else _mask(mask),
        None if items is None else tuple(items),
    )


def _pair(entry: Entry) -> Pair:
    """Tokens and options; what there is no word for stays in the entry, which goes along."""
    options: Options = {"weft": entry, "strength": entry.strength}
    if entry.pooled_BD is not None:
        options["pooled_output"] = entry.pooled_BD.clone()
    if (area := entry.area) is not None:
        sides = (area.height, area.width, area.top, area.left)
        fractions = ("percentage", *sides)
        options["area"] = fractions if area.unit == "fractions" else tuple(int(side) // PIXELS for side in sides)
    if entry.mask_BHW is not None:
        options["mask"] = entry.mask_BHW.clone()
    if entry.start > 0:
        options["start_percent"] = entry.start
    if entry.end < 1:
        options["end_percent"] = entry.end
    return [entry.context_BLD.clone(), options]


def _entry(context_BLD: Tensor, options: Options) -> Entry:
    entry = options.get("weft") or Entry(context_BLD)
    return replace(
        entry,
        context_BLD=context_BLD.to("cpu", torch.float32),
        pooled_BD=options.get("pooled_output"),
        strength=float(options.get("strength", 1.0)),
        area=_area(options.get("area")),
        mask_BHW=None if options.get("mask") is None else _mask(options["mask"]),
        start=float(options.get("start_percent", 0.0)),
        end=float(options.get("end_percent", 1.0)),
    )


def _area(area: Any) -> Rectangle | None:
    if area is None:
        return None
    if area[0] == "percentage":
        height, width, top, left = area[1:]
        return Rectangle(left, top, width, height, "fractions")
    height, width, top, left = (side * PIXELS for side in area)
    return Rectangle(left, top, width, height)
