"""Writing models as the single-file checkpoints they come as: safetensors, one tensor in memory at a time.

What a network was trained for and its weights do not tell (that it predicts v, the colours of its latents) is written
in metadata and as marker tensors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from diffusion import families
from diffusion.configs import ZERO_SNR
from diffusion.family import EDM_SCALE
from diffusion.model import CLIP, VAE, Model
from diffusion.patches.apply import network_of
from diffusion.prediction import EdmV, Prediction, V
from diffusion.residency import value_of
from diffusion.training import told
from diffusion.weights import DTYPES

NETWORK_PREFIX = "model.diffusion_model."
VAE_PREFIX = "first_stage_model."
ORIGIN = "weft.origin"
"""Metadata: how a model was made."""

PRECISIONS: Mapping[str, torch.dtype | None] = MappingProxyType(
    {"as it is": None, "float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
)
"""What numbers may be written in, by the names people choose from."""
_CODES: Mapping[torch.dtype, str] = MappingProxyType({dtype: code for code, dtype in DTYPES.items()})
_ALIGNED = 8

Heard = Callable[[int, int], None]


@dataclass(frozen=True)
class Stored:
    """A tensor to be: `parts` are its values one after the other, on any device, in any dtype."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    parts: Callable[[], Iterable[Tensor]]


def checkpoint(model: Model, clip: CLIP | None, vae: VAE | None, dtype: torch.dtype | None) -> dict[str, Stored]:
    """The tensors of a single file, in `dtype` or, None, each in its own."""
    found = {NETWORK_PREFIX + name: value for name, value in _tensors(model.network, dtype).items()}
    found |= _markers(model.prediction)
    if vae is not None:
        if not isinstance(vae.network, nn.Module):
            raise TypeError(f"saving: expected the VAE of a file, got {type(vae.network).__name__}")
        found |= {VAE_PREFIX + name: value for name, value in _tensors(vae.network, dtype).items()}
    if clip is not None:
        found |= _towers(model.family, clip, dtype)
    return found


def network(model: Model, dtype: torch.dtype | None) -> dict[str, Stored]:
    """The tensors of the network alone, under their own names."""
    return _tensors(model.network, dtype) | _markers(model.prediction)


def metadata_of(model: Model) -> dict[str, str]:
    """What is to be written beside the tensors, so that the file is read as the model it was."""
    return {**model.metadata, **told(model.prediction), ORIGIN: model.origin}


def chunks(tensors: Mapping[str, Stored], metadata: Mapping[str, str], heard: Heard) -> Iterator[bytes]:
    """The bytes of a safetensors file, the header first, then tensor after tensor."""
    order = sorted(tensors, key=lambda name: -tensors[name].dtype.itemsize)  # wide ones first, so that all are aligned
    header: dict[str, object] = {"__metadata__": {"format": "pt", **metadata}}
    end = 0
    for name in order:
        start, held = end, tensors[name]
        end += held.dtype.itemsize * torch.Size(held.shape).numel()
        header[name] = {"dtype": _CODES[held.dtype], "shape": list(held.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    yield len(text).to_bytes(8, "little") + text
    for done, name in enumerate(order):
        heard(done, len(order))
        for part in tensors[name].parts():
            value = part.to("cpu", tensors[name].dtype).contiguous()
            yield value.flatten().view(torch.uint8).numpy().tobytes() if value.numel() else b""


def _tensors(module: nn.Module, dtype: torch.dtype | None) -> dict[str, Stored]:
    return {name: stored(tensor, dtype) for name, tensor in module.state_dict(keep_vars=True).items()}


def stored(tensor: Tensor, dtype: torch.dtype | None) -> Stored:
    """A tensor of a network, in `dtype` or, None, its own."""
    kept = tensor.dtype if dtype is None or not tensor.is_floating_point() else dtype
    return Stored(tuple(tensor.shape), kept, lambda: (value_of(tensor),))


def _markers(prediction: Prediction) -> dict[str, Stored]:
    """Tensors that tell readers of other programs what a network predicts."""
    match prediction:
        case EdmV(lowest=lowest, highest=highest):
            found = {name: torch.tensor(level) for name, level in zip(EDM_SCALE, (highest, lowest), strict=True)}
        case V(betas=betas):
            found = {name: torch.empty(0) for name in ("v_pred", ZERO_SNR)[: 1 + betas.ends_in_noise]}
        case _:
            found = {}
    return {name: stored(tensor, None) for name, tensor in found.items()}


def _towers(family: str, clip: CLIP, dtype: torch.dtype | None) -> dict[str, Stored]:
    """Text encoders under the prefixes of their family. ValueError for some that are not of it."""
    slots = {slot.name: slot for known in families.FAMILIES if known.name == family for slot in known.text}
    found: dict[str, Stored] = {}
    for name, tower in clip.towers.items():
        if name not in slots:
            raise ValueError(f"saving: a model of the family {family} has no text encoder {name}")
        prefix = slots[name].prefixes[0]
        tensors = _tensors(network_of(tower), dtype)
        in_openclip = prefix.endswith(".model.")
        found |= {prefix + key: value for key, value in (_openclip(tensors) if in_openclip else tensors).items()}
    return found


_OPENCLIP = (
    ("text_model.encoder.layers.", "transformer.resblocks."),
    ("layer_norm1.", "ln_1."),
    ("layer_norm2.", "ln_2."),
    ("mlp.fc1.", "mlp.c_fc."),
    ("mlp.fc2.", "mlp.c_proj."),
    ("self_attn.out_proj.", "attn.out_proj."),
    ("text_model.embeddings.position_embedding.weight", "positional_embedding"),
    ("text_model.embeddings.token_embedding.", "token_embedding."),
    ("text_model.final_layer_norm.", "ln_final."),
)


def _openclip(tensors: Mapping[str, Stored]) -> dict[str, Stored]:
    """A CLIP tower under the names of OpenCLIP: query, key and value fused, the projection transposed."""
    found: dict[str, Stored] = {}
    for name, held in tensors.items():
        if name == "text_projection.weight":
            found["text_projection"] = Stored(held.shape[::-1], held.dtype, _turned(held))
            continue
        renamed = name
        for theirs, ours in _OPENCLIP:
            renamed = renamed.replace(theirs, ours)
        layer, q, kind = renamed.partition(".self_attn.q_proj.")
        if q:
            parts = [tensors[name.replace(".q_proj.", f".{letter}_proj.")] for letter in "qkv"]
            shape = (3 * held.shape[0], *held.shape[1:])
            found[f"{layer}.attn.in_proj_{kind}"] = Stored(shape, held.dtype, _joined(parts))
        elif ".self_attn.k_proj." not in name and ".self_attn.v_proj." not in name:
            found[renamed] = held
    return found


def _turned(held: Stored) -> Callable[[], Iterable[Tensor]]:
    return lambda: (torch.cat([part.view(-1, held.shape[1]) for part in held.parts()]).T,)


def _joined(held: Sequence[Stored]) -> Callable[[], Iterable[Tensor]]:
    return lambda: (part for each in held for part in each.parts())
