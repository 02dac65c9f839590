"""Several LoRAs as one, exactly: their matrices side by side, so that the products add up and nothing is mixed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from diffusion.patches.adapters import LoRA
from diffusion.patches.file import AdapterFile, Change
from diffusion.patches.names import flat


class Weighted(NamedTuple):
    """A file of LoRAs and how much of it is wanted."""

    file: AdapterFile
    strength: float


def concatenated(parts: Sequence[tuple[LoRA, float]]) -> LoRA:
    """One LoRA whose change is the sum of strength times change; its rank is the sum of the ranks.

    Each strength s with factor f goes into both matrices as the root of |s f|, its sign into the first. Float32.
    ValueError if they are for weights of different shapes.
    """
    ups, downs = [], []
    for lora, strength in parts:
        factor = strength * lora.scale
        root = math.sqrt(abs(factor))
        ups.append(lora.up.float().flatten(1) * math.copysign(root, factor))
        downs.append(_whole_down(lora) * root)
    if len({(len(up), down.shape[1:]) for up, down in zip(ups, downs, strict=True)}) != 1:
        shapes = ", ".join(str([len(up), *down.shape[1:]]) for up, down in zip(ups, downs, strict=True))
        raise ValueError(f"expected LoRAs for weights of one shape, got {shapes}")
    up, down = torch.cat(ups, dim=1), torch.cat(downs)
    return LoRA(up.reshape(*up.shape, *[1] * (down.ndim - 2)), down, alpha=float(len(down)))


def combine(parts: Sequence[Weighted]) -> AdapterFile:
    """One file's worth of LoRAs that, at strength 1, does what all of these do together.

    A layer is the same in two files if they call it the same, dots and underscores aside. ValueError for adapters of
    another kind, which no LoRA equals, for strengths that are no numbers, and where nothing is left.
    """
    if not all(math.isfinite(part.strength) for part in parts):
        raise ValueError(f"LoRAs: expected finite strengths, got {[part.strength for part in parts]}")
    layers: dict[tuple[str, tuple[str, ...]], list[tuple[Change, LoRA, float]]] = {}
    for file, strength in parts:
        for change in file.changes if strength else ():
            if not isinstance(change.weight, LoRA) or change.bias is not None:
                raise ValueError(f"{file.name}: {change.key} is no plain LoRA; only those can be joined exactly")
            layers.setdefault((flat(change.layer), change.slots), []).append((change, change.weight, strength))
    if not layers:
        raise ValueError("LoRAs: expected at least one at a strength other than 0")
    return AdapterFile(
        name=" + ".join(part.file.name for part in parts),
        changes=tuple(_joined(members) for members in layers.values()),
        origin=_origin(parts),
    )


def tensors_of(file: AdapterFile) -> Mapping[str, Tensor]:
    """The tensors of a file of LoRAs in the form of kohya, as `read_adapters` reads them."""
    result: dict[str, Tensor] = {}
    for change in file.changes:
        lora = change.weight
        if not isinstance(lora, LoRA) or change.bias is not None:
            raise ValueError(f"{file.name}: {change.key} is no plain LoRA")
        result[f"{change.key}.lora_up.weight"] = lora.up
        result[f"{change.key}.lora_down.weight"] = lora.down
        if lora.mid is not None:
            result[f"{change.key}.lora_mid.weight"] = lora.mid
        result[f"{change.key}.alpha"] = torch.tensor(lora.scale * lora.rank)
    return result


def _joined(members: Sequence[tuple[Change, LoRA, float]]) -> Change:
    first, *_ = members
    try:
        return replace(first[0], weight=concatenated([(lora, strength) for _, lora, strength in members]))
    except ValueError as error:
        raise ValueError(f"{first[0].key}: {error}") from error


def _whole_down(lora: LoRA) -> Tensor:
    """Down, with the core of a Tucker decomposition multiplied in; the rank of the whole is that of the core's rows."""
    if lora.mid is None:
        return lora.down.float()
    return torch.einsum("ab...,bi->ai...", lora.mid.float(), lora.down.float().flatten(1))


def _origin(parts: Sequence[Weighted]) -> str:
    recipe = "\n".join(f"{part.file.origin} {float(part.strength).hex()}" for part in parts)
    return f"adapters:{hashlib.blake2b(recipe.encode(), digest_size=16).hexdigest()}"
