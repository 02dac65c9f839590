"""DiT, which paints one of a number of classes; published for the 1000 of ImageNet at 256 and 512 pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from diffusion.conditioning import Conditioning, Sizes
from diffusion.family import Checkpoint, Family, Metadata
from diffusion.latents import SD15
from diffusion.model import Assemble
from diffusion.networks.dit import DIGIT, DiT, DiTParams, digits, label_of
from diffusion.networks.shapes import Shapes
from diffusion.prediction import LINEAR, Eps, LearnedEps
from diffusion.text.encode import Encoding
from diffusion.unfit import Unfit

TITLE = "DiT"
NO_CLASS = DIGIT**2 - 1
"""Stands for the class of a network that means none, whatever its number."""


def conditioning(label: int | None) -> Conditioning:
    """A class as what a DiT listens to; None for no class."""
    return Conditioning.of(digits(NO_CLASS if label is None else label))


@dataclass(frozen=True)
class Fit:
    """`rows` of the table of classes, the last of which is for none."""

    rows: int

    def __call__(self, context_BLD: Tensor, _pooled_BD: Tensor | None, _sizes: Sizes) -> tuple[Tensor, None]:
        if context_BLD.shape[1:] != (1, 2):
            raise Unfit(f"a {TITLE} takes a class, not text; connect a ClassLabel")
        label = int(label_of(context_BLD)[0])
        if label != NO_CLASS and label >= self.rows:
            raise Unfit(f"expected a class from 0 to {self.rows - 1}, got {label}")
        return digits(self.rows - 1).to(context_BLD) if label == NO_CLASS else context_BLD, None


def _recognise(shapes: Shapes) -> bool:
    return "y_embedder.embedding_table.weight" in shapes and "blocks.0.adaLN_modulation.1.weight" in shapes


def _network(shapes: Shapes) -> DiT:
    return DiT(DiTParams.from_shapes(shapes))


def _prediction(checkpoint: Checkpoint) -> Eps:
    params = DiTParams.from_shapes(checkpoint.network.shapes)
    return LearnedEps() if params.out_channels == 2 * params.in_channels else Eps(LINEAR)


def _assemble(_shapes: Shapes, _metadata: Metadata) -> Assemble:
    def assemble(_encodings: Mapping[str, Encoding]) -> Conditioning:
        raise ValueError(f"a {TITLE} reads no text")

    return assemble


def _fit(shapes: Shapes, _metadata: Metadata) -> Fit:
    return Fit(DiTParams.from_shapes(shapes).rows)


FAMILY = Family(
    name="dit",
    title=TITLE,
    architecture="DiT",
    recognise=_recognise,
    network=_network,
    prediction=_prediction,
    latent_format=SD15,
    text=(),
    assemble=_assemble,
    fit=_fit,
    half=torch.float16,
)
