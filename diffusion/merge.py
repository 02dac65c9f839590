"""Merging models: weights mixed tensor by tensor into a new model; the ones merged are left as they are."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from diffusion.model import Model

_LISTED = 5


def merge_models(a: Model, b: Model, ratio: float) -> Model:
    """The weighted sum of two networks, `a + ratio * (b - a)`: 0 is `a`, 1 is `b`.

    Computed in float32 and rounded once to the precision of `a`; shares no memory with either. Everything but the
    weights is that of `a`. ValueError for a ratio that is no number, and for networks that are not built alike, naming
    the tensors that differ.
    """
    if not math.isfinite(ratio):
        raise ValueError(f"merge: expected a finite ratio, got {ratio}")
    left, right = a.network.state_dict(keep_vars=True), b.network.state_dict()
    _check_alike(a, b, left, right)
    merged: dict[int, object] = {}
    for name, tensor in left.items():
        value = _lerp(tensor.detach(), right[name], ratio)
        merged[id(tensor)] = nn.Parameter(value, requires_grad=False) if isinstance(tensor, nn.Parameter) else value
    recipe = f"{a.origin}\n{b.origin}\n{float(ratio).hex()}"
    return replace(
        a,
        network=copy.deepcopy(a.network, merged),
        origin=f"weighted-sum:{hashlib.blake2b(recipe.encode(), digest_size=16).hexdigest()}",
    )


def _lerp(a: Tensor, b: Tensor, ratio: float) -> Tensor:
    """In float32, rounded once; `torch.lerp` works that way inside on two tensors of one half precision."""
    b = b.to(a.device)
    return torch.lerp(a, b, ratio) if a.dtype == b.dtype else torch.lerp(a.float(), b.float(), ratio).to(a.dtype)


def _check_alike(a: Model, b: Model, left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> None:
    differing = [f"{name} only in A" for name in left.keys() - right.keys()]
    differing += [f"{name} only in B" for name in right.keys() - left.keys()]
    differing += [
        f"{name} {list(tensor.shape)} in A, {list(right[name].shape)} in B"
        for name, tensor in left.items()
        if name in right and tensor.shape != right[name].shape
    ]
    if differing:
        listed = "; ".join(sorted(differing)[:_LISTED]) + ("; ..." if len(differing) > _LISTED else "")
        raise ValueError(
            f"merge: A ({a.family}) and B ({b.family}) are not built alike, {len(differing)} tensors differ: {listed}"
        )
