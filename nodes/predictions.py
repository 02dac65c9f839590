"""Nodes that say how a model was trained, where its file says too little, or that move its noise levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated

from diffusion.prediction import (
    COSINE,
    LINEAR,
    SCALED_LINEAR,
    Betas,
    EdmV,
    Eps,
    Flow,
    FluxFlow,
    LearnedEps,
    Prediction,
    V,
)
from diffusion.prediction import flux_shift as shift_for
from graph import Choice, Slider, node
from nodes.types import Latent, Model

KINDS: Mapping[str, type[Eps | V]] = MappingProxyType({"eps": Eps, "v": V})
BETAS: Mapping[str, Betas] = MappingProxyType({"scaled linear": SCALED_LINEAR, "linear": LINEAR, "cosine": COSINE})


@node("ModelSamplingDiscrete", category="model/training", title="Model predicts")
def model_sampling_discrete(
    model: Model,
    prediction: Annotated[str, Choice(tuple(KINDS))] = "eps",
    zero_terminal_snr: bool = False,
    betas: Annotated[str, Choice(tuple(BETAS))] = "scaled linear",
) -> Model:
    """How a model that is no flow was trained, for files that do not say it.

    model: from a loader. prediction: "eps" the noise, "v" as Stable Diffusion 2 at 768 pixels. zero_terminal_snr:
    whether its last level was all noise. betas: how noise grew over its training: "scaled linear" in Stable Diffusion
    1, 2 and XL, "linear" in DiT and PixArt, "cosine" in others.
    """
    kind = KINDS[prediction]
    if kind is Eps and isinstance(model.prediction, LearnedEps):
        kind = LearnedEps
    return _trained(model, kind(replace(BETAS[betas], ends_in_noise=zero_terminal_snr)))


@node("ModelSamplingContinuousEDM", category="model/training", title="Model predicts EDM v")
def model_sampling_continuous_edm(
    model: Model,
    sigma_max: Annotated[float, Slider(0.01, 1000, 0.01)] = 120.0,
    sigma_min: Annotated[float, Slider(0.0001, 10, 0.0001)] = 0.002,
) -> Model:
    """For models trained on any level between two to predict v, such as CosXL and Playground 2.5.

    model: from a loader. sigma_max, sigma_min: the two levels.
    """
    if sigma_min >= sigma_max:
        raise ValueError(f"sigma_min: expected less than sigma_max ({sigma_max}), got {sigma_min}")
    return _trained(model, EdmV(sigma_min, sigma_max))


@node("ModelSamplingSD3", category="model/training", title="Shift of a flow")
def model_sampling_sd3(model: Model, shift: Annotated[float, Slider(0.01, 100, 0.01)] = 3.0) -> Model:
    """Where a flow model spends its steps.

    model: from a loader. shift: above 1 more steps at high noise, as larger pictures need; 3 is Stable Diffusion
    3's for 1024 pixels.
    """
    return _trained(model, Flow(shift))


@node("ModelSamplingFlux", category="model/training", title="Shift by size")
def model_sampling_flux(
    model: Model,
    latent: Latent,
    most: Annotated[float, Slider(0, 10, 0.01)] = 1.15,
    least: Annotated[float, Slider(0, 10, 0.01)] = 0.5,
) -> Model:
    """The shift of Flux for the size of a picture.

    model: from a loader. latent: of that size. most: the shift at 1024 pixels. least: the shift at 256.
    """
    height, width = latent.samples_BCHW.shape[2:]
    shift = shift_for((height + 1) // 2 * ((width + 1) // 2), least, most)
    return _trained(model, FluxFlow(shift))


def _trained(model: Model, prediction: Prediction) -> Model:
    """The model with another prediction. ValueError where one is a flow and the other is not."""
    if isinstance(prediction, Flow) != isinstance(model.prediction, Flow):
        expected, got = ("a flow", "eps or v") if isinstance(prediction, Flow) else ("eps or v", "a flow")
        raise ValueError(f"model: expected one that predicts {expected}, got one that predicts {got}")
    return replace(model, prediction=prediction, origin=f"{model.origin}, predicts {prediction}")
