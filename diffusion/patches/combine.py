"""LoRAs joined, made smaller, and made of what two models differ in.

Joined they are exact: their matrices side by side, so that the products add up and nothing is mixed. A smaller rank is
the best there is for it (Eckart and Young 1936).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffusion.patches.adapters import LoRA
from diffusion.patches.file import AdapterFile, Change
from diffusion.patches.names import flat
from diffusion.residency import value_of

_SPARE = 16
_NOTHING = 1e-6
"""Strengths below this share of the largest are rounding."""


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


class Resized(NamedTuple):
    """A LoRA of a lower rank, and how much of the change is left: its share of the sum of squares."""

    lora: LoRA
    kept: float


def resized(lora: LoRA, rank: int) -> Resized:
    """The LoRA of at most that rank which is closest, with alpha equal to its rank. The product is never formed: the
    decomposition is that of a core as small as the LoRA's own rank."""
    down = _whole_down(lora)
    up_q, up_r = torch.linalg.qr(lora.up.float().flatten(1))
    down_q, down_r = torch.linalg.qr(down.flatten(1).T)
    u, s, vh = torch.linalg.svd(up_r @ down_r.T * lora.scale, full_matrices=False)
    return _factored(up_q @ u, s, vh @ down_q.T, float((s**2).sum()), rank, down.shape[1:])


def extracted(difference: Tensor, rank: int) -> Resized:
    """The LoRA of at most that rank closest to a difference of two weights, by a randomised decomposition with two
    power iterations (Halko et al. 2009, arXiv:0909.4061), or a whole one where that is as cheap."""
    matrix = difference.float().flatten(1)
    wanted = min(rank + _SPARE, *matrix.shape)
    if 2 * wanted >= min(matrix.shape):
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    else:
        generator = torch.Generator().manual_seed(0)
        q = matrix @ torch.randn(matrix.shape[1], wanted, generator=generator).to(matrix.device)
        for _ in range(2):
            q = matrix @ torch.linalg.qr(matrix.T @ torch.linalg.qr(q).Q).Q
        q = torch.linalg.qr(q).Q
        u, s, vh = torch.linalg.svd(q.T @ matrix, full_matrices=False)
        u = q @ u
    return _factored(u, s, vh, float((matrix**2).sum()), rank, difference.shape[1:])


def _factored(u: Tensor, s: Tensor, vh: Tensor, energy: float, rank: int, inputs: torch.Size) -> Resized:
    """The strongest parts, the root of each strength in both matrices; `energy` is the sum of squares there was."""
    rank = max(1, min(rank, int((s > _NOTHING * s[0]).sum()))) if len(s) else 1
    root = s[:rank].sqrt()
    up, down = u[:, :rank] * root, (root[:, None] * vh[:rank]).reshape(rank, *inputs)
    kept = float((s[:rank] ** 2).sum()) / energy if energy else 1.0
    return Resized(LoRA(up.reshape(*up.shape, *[1] * (down.ndim - 2)), down, alpha=float(rank)), min(kept, 1.0))


def shrunk(file: AdapterFile, rank: int) -> tuple[AdapterFile, Mapping[str, float]]:
    """A file of LoRAs, each of at most that rank, and what share of each is left. ValueError for other adapters."""
    found: dict[str, Resized] = {}
    for change in file.changes:
        if not isinstance(change.weight, LoRA):
            raise ValueError(f"{file.name}: {change.key} is no plain LoRA")
        found[change.key] = resized(change.weight, rank)
    changes = tuple(replace(change, weight=found[change.key].lora) for change in file.changes)
    smaller = replace(file, changes=changes, origin=f"{file.origin} rank {rank}")
    return smaller, {key: part.kept for key, part in found.items()}


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


def differences(a: nn.Module, b: nn.Module, prefix: str, rank: int) -> tuple[dict[str, Tensor], Mapping[str, float]]:
    """The tensors of LoRAs, in the form of kohya, that turn `a` into `b`, and what share of each change they hold.

    One for every matrix and convolution that differs; other tensors whole, as differences. ValueError for networks that
    are not built alike.
    """
    left, right = a.state_dict(keep_vars=True), b.state_dict(keep_vars=True)
    if {name: t.shape for name, t in left.items()} != {name: t.shape for name, t in right.items()}:
        raise ValueError("LoRA: the two models are not built alike")
    tensors: dict[str, Tensor] = {}
    kept: dict[str, float] = {}
    for name in left:
        layer, _, kind = name.rpartition(".")
        key = prefix + flat(layer)
        after = value_of(right[name]).float()
        difference = after - value_of(left[name]).float().to(after.device)
        if kind not in ("weight", "bias") or not difference.any():
            continue
        if difference.ndim < 2:
            tensors[f"{key}.{'diff' if kind == 'weight' else 'diff_b'}"] = difference
            continue
        lora, kept[key] = extracted(difference, rank)
        tensors |= {f"{key}.lora_up.weight": lora.up, f"{key}.lora_down.weight": lora.down}
        tensors[f"{key}.alpha"] = torch.tensor(lora.alpha)
    return tensors, kept


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
