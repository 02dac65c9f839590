"""Filling a network that was built without memory with a checkpoint's tensors, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from diffusion.networks.shapes import Shapes
from diffusion.residency import Home, Origin
from diffusion.weights import BadWeights

NetworkT = TypeVar("NetworkT", bound=nn.Module)
_LISTED = 5


@dataclass(frozen=True)
class Part:
    """One part of a file: its tensors under the network's names, and where they are to go."""

    path: Path
    title: str
    tensors: Mapping[str, Tensor]
    shapes: Shapes
    home: Home
    dtype: torch.dtype
    identity: str
    """Changes when the file does."""


def compute_dtype(device: torch.device, stored: Collection[torch.dtype], otherwise: torch.dtype) -> torch.dtype:
    """float32 on the CPU; elsewhere the half precision the file has, or `otherwise`."""
    if device.type == "cpu":
        return torch.float32
    return next((half for half in (torch.float16, torch.bfloat16) if half in stored), otherwise)


def build(part: Part, network_of: Callable[[Shapes], NetworkT]) -> NetworkT:
    """The network of a part's shapes with the part's tensors in it, ready to run.

    Its tensors are what the part's home makes of them. BadWeights if the shapes make no network, or if a tensor is
    missing, left over or of another shape.
    """
    try:
        with torch.device("meta"):
            network = network_of(part.shapes)
    except (ValueError, RuntimeError) as error:  # torch's own for sizes beyond any memory
        raise BadWeights(part.path, f"{part.title}: {error}") from error
    _check(part, {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()})
    network.eval().requires_grad_(False)
    origin = Origin(f"{part.title} of {part.path.name}", part.identity)
    network.load_state_dict(part.home.hold(origin, part.tensors, part.shapes, part.dtype), assign=True)
    return network


def _check(part: Part, expected: Shapes) -> None:
    got = part.shapes
    missing = [name for name in expected if name not in got]
    unexpected = [name for name in got if name not in expected]
    differing = [
        f"{name} is {list(got[name])}, expected {list(shape)}"
        for name, shape in expected.items()
        if name in got and got[name] != shape
    ]
    found = [("missing tensors", missing), ("unexpected tensors", unexpected), ("wrong shapes", differing)]
    if any(names for _, names in found):
        text = "; ".join(f"{what} ({len(names)}): {_listed(names)}" for what, names in found if names)
        raise BadWeights(part.path, f"{part.title}: {text}")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
