"""Networks that make pictures larger (ESRGAN and kin), recognised and built by `spandrel` where it is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module, util
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from diffusion.weights import BadWeights, Weights


class Upscaler(Protocol):
    """Pictures B 3 H W in 0..1 from pictures in 0..1."""

    @property
    def device(self) -> torch.device: ...

    def __call__(self, image_B3HW: Tensor, /) -> Tensor: ...


def load_upscaler(path: Path, device: str) -> Upscaler:
    """The network of a safetensors file; BadWeights for one that is none. ImportError where spandrel is missing."""
    if util.find_spec("spandrel") is None:
        raise ImportError("upscaling with a model needs the package spandrel: pip install spandrel")
    spandrel = import_module("spandrel")
    weights = Weights.open(path)
    try:
        loaded = spandrel.ModelLoader(device=device).load_from_state_dict(dict(weights))
    except spandrel.UnsupportedModelError as error:
        raise BadWeights(
            path, f"expected an upscaling network, spandrel knows none with these tensors: {error}"
        ) from error
    if not isinstance(loaded, spandrel.ImageModelDescriptor) or (loaded.input_channels, loaded.output_channels) != (
        3,
        3,
    ):
        raise BadWeights(path, "expected a network that takes a colour picture and gives one")
    return loaded.eval()


def upscaled(network: Upscaler, image_B3HW: Tensor, progress: Callable[[int, int], None]) -> Tensor:
    """Every picture through the network, one at a time, on the CPU, in 0..1; `progress` hears how many of how many."""
    results: list[Tensor] = []
    with torch.no_grad():
        for number, picture in enumerate(image_B3HW.split(1), 1):
            results.append(network(picture.to(network.device)).float().clamp(0, 1).cpu())
            progress(number, len(image_B3HW))
    return torch.cat(results)
