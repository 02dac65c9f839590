"""Random weights and the error measure with which networks are compared to their reference."""

from __future__ import annotations

import torch
from torch import Tensor, nn

TOLERANCE = 5e-6


@torch.no_grad()
def randomise(module: nn.Module, seed: int) -> None:
    """Move every 1-D parameter (norms, biases) and every zero one off its start, where sign and order errors hide."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        if parameter.ndim == 1 or not parameter.any():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def relative_error(got: Tensor, expected: Tensor) -> float:
    assert got.shape == expected.shape
    return ((got - expected).abs().max() / expected.abs().max()).item()


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
