"""Reading a file of adapters: which tensors belong together, what kind they are of, and which part they are for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from diffusion.patches.adapters import BOFT, IA3, OFT, Adapter, Difference, DoRA, GLoRA, LoHa, LoKr, LoRA, Replacement
from diffusion.weights import BadWeights, Weights

Pieces = Mapping[str, Tensor]
_LISTED = 5

PREFIXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("lora_unet_", ()),
    ("lora_transformer_", ()),
    ("lycoris_", ()),
    ("unet.", ()),
    ("transformer.", ()),
    ("model.diffusion_model.", ()),
    ("diffusion_model.", ()),
    ("lora_te_", ("clip_l", "clip_h")),
    ("lora_te1_", ("clip_l", "clip_h")),
    ("lora_te2_", ("clip_g", "t5xxl")),
    ("lora_te3_", ("t5xxl",)),
    ("text_encoder.", ("clip_l", "clip_h")),
    ("text_encoder_2.", ("clip_g", "t5xxl")),
    ("text_encoder_3.", ("t5xxl",)),
    *(
        (f"{outer}{slot}.transformer.", (slot,))
        for slot in ("clip_l", "clip_g", "clip_h", "t5xxl")
        for outer in ("text_encoders.", "")
    ),
    ("base_model.model.text_model.", ("clip_l", "clip_h")),
    ("base_model.model.", ()),
    ("text_model.", ("clip_l", "clip_h")),
    ("", ()),
)
"""How names begin, and the text encoders they may be for; none: for the network. The first that fits counts."""

_ROLES = tuple(
    (re.compile(pattern), role)
    for pattern, role in (
        (r"(.+)\.lora_(up|down|mid)\.weight", None),
        (r"(.+)(?:[._]lora|\.lora_linear_layer)\.(up|down)\.weight", None),
        (r"(.+)\.lora_B(?:\.[^.]+)?\.weight", "up"),
        (r"(.+)\.lora_A(?:\.[^.]+)?\.weight", "down"),
        (r"(.+)\.lora_magnitude_vector(?:\.[^.]+)?", "magnitude"),
        (r"(.+)\.lora_magnitude_vector\.[^.]+\.weight", "magnitude"),
        (r"(.+)\.([ab][12])\.weight", None),
        (r"(.+)\.(hada_(?:w[12]_[ab]|t[12]))", None),
        (r"(.+)\.(lokr_(?:w[12](?:_[ab])?|t2))", None),
        (r"(.+)\.ia3_l(?:\.[^.]+)?", "ia3_l"),
        (r"(.+)\.w_norm", "diff"),
        (r"(.+)\.b_norm", "diff_b"),
        (r"(.+)\.(alpha|dora_scale|diff|diff_b|set_weight|oft_blocks|rescale|on_input|weight)", None),
    )
)


@dataclass(frozen=True, eq=False)
class Change:
    """What a file does to one layer, named as in the file without the prefix; `slots` as in PREFIXES."""

    key: str
    layer: str
    slots: tuple[str, ...]
    weight: Adapter | None
    bias: Adapter | None


@dataclass(frozen=True)
class AdapterFile:
    """All changes of one file. `origin` stands for its content."""

    name: str
    changes: tuple[Change, ...]
    origin: str


def read_adapters(path: Path) -> AdapterFile:
    """Adapters in any of the forms of kohya, diffusers, PEFT and LyCORIS.

    BadWeights if any tensor of the file is of no known kind, or one that a kind needs is missing: a file is understood
    whole or not at all.
    """
    weights = Weights.open(path)
    groups: dict[str, dict[str, str]] = {}
    unknown: list[str] = []
    for name in weights:
        key, role = _role(name)
        if role is None or role in groups.setdefault(key, {}):
            unknown.append(name)
        else:
            groups[key][role] = name
    changes: list[Change] = []
    for key, roles in groups.items():
        try:
            pieces = {role: weights[name] for role, name in roles.items()}
            change, left = _change(key, pieces, _stated_alpha(key, pieces, weights.header.metadata))
        except ValueError as error:
            raise BadWeights(path, f"{key}: {error}") from error
        unknown += [roles[role] for role in left]
        changes.append(change)
    if unknown:
        listed = ", ".join(unknown[:_LISTED]) + (", ..." if len(unknown) > _LISTED else "")
        raise BadWeights(path, f"{len(unknown)} tensors that are no part of any known adapter: {listed}")
    if not changes:
        raise BadWeights(path, "expected a LoRA or one of its kin, the file is empty")
    return AdapterFile(path.name, tuple(changes), f"adapters:{weights.header.identity}")


def _role(name: str) -> tuple[str, str | None]:
    """The layer a tensor is for, and its role in the adapter there."""
    for pattern, role in _ROLES:
        if found := pattern.fullmatch(name):
            return found[1], role or found[2]
    return name, None


def _change(key: str, pieces: Pieces, alpha: float | None) -> tuple[Change, set[str]]:
    """The change of one layer, and the roles that were of no use."""
    prefix, slots = next((prefix, slots) for prefix, slots in PREFIXES if key.startswith(prefix))
    left = dict(pieces)
    weight = _weight(left, alpha)
    bias: Adapter | None = None
    if "diff_b" in left:
        bias = Difference(left.pop("diff_b"))
    elif "ia3_l" in pieces and isinstance(weight, IA3) and not weight.on_input:
        bias = weight  # PEFT's gain is one of all a layer puts out
    if weight is not None:
        left.pop("alpha", None)
    return Change(key, key.removeprefix(prefix), slots, weight, bias), set(left)


def _weight(left: dict[str, Tensor], alpha: float | None) -> Adapter | None:
    """The adapter of the weight, its tensors taken out of `left`; at most one kind stands in one place."""
    adapter = _direction(left, alpha)
    if adapter is not None and "dora_scale" in left:
        magnitude = left.pop("dora_scale")
        return DoRA(adapter, magnitude, int(magnitude.ndim > 1 and magnitude.shape[0] == 1 < magnitude.shape[1]))
    if adapter is not None and "magnitude" in left:
        return DoRA(adapter, left.pop("magnitude"), 0)
    return adapter


def _direction(left: dict[str, Tensor], alpha: float | None) -> Adapter | None:
    take = left.pop
    try:
        if left.keys() & {"up", "down"}:
            return LoRA(_matrix(take("up")), _matrix(take("down")), take("mid", None), alpha)
        if any(role.startswith("hada_") for role in left):
            w1_a, w1_b, w2_a, w2_b = (_matrix(take(f"hada_{name}")) for name in ("w1_a", "w1_b", "w2_a", "w2_b"))
            return LoHa(w1_a, w1_b, w2_a, w2_b, take("hada_t1", None), take("hada_t2", None), alpha)
        if any(role.startswith("lokr_") for role in left):
            return LoKr(_lokr_factor(left, "lokr_w1"), _lokr_factor(left, "lokr_w2"), take("lokr_t2", None), alpha)
        if left.keys() & {"a1", "a2", "b1", "b2"}:
            a1, a2, b1, b2 = (_matrix(take(name)) for name in ("a1", "a2", "b1", "b2"))
            return GLoRA(a1, a2, b1, b2, alpha)
    except KeyError as error:
        raise ValueError(
            f"expected a tensor {error.args[0]} beside {', '.join(sorted(left)) or 'the others'}"
        ) from error
    if "oft_blocks" in left:
        blocks, rescale = take("oft_blocks"), take("rescale", None)
        if blocks.ndim not in (3, 4):
            raise ValueError(f"expected rotations in 3 or 4 dimensions, got {list(blocks.shape)}")
        return (OFT if blocks.ndim == 3 else BOFT)(blocks, rescale, alpha or 0.0)
    if "on_input" in left and "weight" in left:
        return IA3(take("weight"), bool(take("on_input").item()))
    if "ia3_l" in left:
        gain = take("ia3_l")
        return IA3(gain.float() - 1, gain.ndim == 2 and gain.shape[0] == 1)
    if "diff" in left:
        return Difference(take("diff"))
    return Replacement(take("set_weight")) if "set_weight" in left else None


def _matrix(tensor: Tensor) -> Tensor:
    if tensor.ndim < 2 or not tensor.numel():
        raise ValueError(f"expected a matrix, got a tensor of shape {list(tensor.shape)}")
    return tensor


def _lokr_factor(left: dict[str, Tensor], name: str) -> Tensor | tuple[Tensor, Tensor]:
    if name in left:
        return _matrix(left.pop(name))
    return _matrix(left.pop(f"{name}_a")), _matrix(left.pop(f"{name}_b"))


def _stated_alpha(key: str, pieces: Pieces, metadata: Mapping[str, str]) -> float | None:
    """The tensor alpha, or what diffusers writes into the metadata for files of PEFT; None where nothing is said."""
    if "alpha" in pieces:
        if pieces["alpha"].numel() != 1 or not math.isfinite(alpha := float(pieces["alpha"])):
            raise ValueError("expected alpha to be one finite number")
        return alpha
    if "lora_adapter_metadata" not in metadata or "down" not in pieces:
        return None
    try:
        stated = json.loads(metadata["lora_adapter_metadata"])
        part, _, layer = key.partition(".")
        alpha = stated.get(f"{part}.lora_alpha")
        for pattern, other in (stated.get(f"{part}.alpha_pattern") or {}).items():
            if re.fullmatch(rf"(.*\.)?({pattern})", layer):
                alpha = other
        rank = pieces["down"].shape[0] if pieces["down"].ndim else 1
        return None if alpha is None else float(alpha) * (rank**0.5 if stated.get(f"{part}.use_rslora") else 1)
    except (AttributeError, TypeError, re.error) as error:
        raise ValueError(f"metadata lora_adapter_metadata: {error}") from error
