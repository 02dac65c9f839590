"""Learned words (textual inversion, arXiv 2208.01618): vectors that stand in a prompt for what no word says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from diffusion.text.encode import TextTower
from diffusion.weights import BadWeights, Weights

SLOTS = ("clip_l", "clip_g", "clip_h", "t5xxl")
_BUNDLED = "bundle_emb."
_PARAMETERS = "string_to_param."

Words = Mapping[str, Mapping[str, Tensor]]
"""Vectors N D by name, by the slot of the text encoder they are for."""


def read_learned(path: Path, towers: Mapping[str, TextTower]) -> dict[str, dict[str, Tensor]]:
    """The words of a file with their vectors by slot, for those of the towers they were learned with.

    A file holds one word, named as the file, or, bundled into a LoRA, several with names of their own. Vectors are
    under the names of slots; or under one name (emb_params, string_to_param.*, the word itself), and then for every
    tower they are as wide as. BadWeights for vectors that fit no tower, and for anything else.
    """
    weights = Weights.open(path)
    bundled = weights.with_prefix(_BUNDLED)
    if not bundled:
        return {path.stem: _by_slot(weights, weights, towers)}
    names = sorted({name.split(".")[0] for name in bundled})
    return {name: _by_slot(weights, bundled.with_prefix(f"{name}."), towers) for name in names}


def _by_slot(file: Weights, tensors: Weights, towers: Mapping[str, TextTower]) -> dict[str, Tensor]:
    path, found = file.header.path, {}
    tensors = tensors.with_prefix(_PARAMETERS) or tensors
    named = {slot: _vectors(path, slot, tensors[slot]) for slot in SLOTS if slot in tensors}
    if not named and len(tensors) != 1:
        listed = ", ".join(list(tensors)[:5]) + (", ..." if len(tensors) > 5 else "")
        raise BadWeights(path, f"expected the vectors of a learned word, got {len(tensors)} tensors: {listed}")
    for name in () if named else tensors:
        vectors = _vectors(path, name, tensors[name])
        named = {slot: vectors for slot, tower in towers.items() if tower.width == vectors.shape[1]}
        found = {"any": vectors.shape[1]}
    fitting = {slot: v for slot, v in named.items() if slot in towers and towers[slot].width == v.shape[1]}
    if not fitting or len(fitting) < sum(slot in towers for slot in named):
        got = found or {slot: vectors.shape[1] for slot, vectors in named.items()}
        wide = ", ".join(f"{width} wide" if slot == "any" else f"{slot} {width} wide" for slot, width in got.items())
        takes = ", ".join(f"{slot} {tower.width} wide" for slot, tower in towers.items())
        raise BadWeights(
            path, f"a learned word of vectors {wide}; the text encoders take {takes}. It was made for another model"
        )
    return fitting


def _vectors(path: Path, name: str, tensor: Tensor) -> Tensor:
    vectors = tensor[None] if tensor.ndim == 1 else tensor
    if vectors.ndim != 2 or not len(vectors) or not vectors.is_floating_point():
        raise BadWeights(path, f"tensor {name!r}: expected vectors, got {tensor.dtype} of shape {list(tensor.shape)}")
    if not torch.isfinite(vectors).all():
        raise BadWeights(path, f"tensor {name!r}: expected finite numbers")
    return vectors.float()
