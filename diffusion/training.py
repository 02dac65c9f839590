"""What a file says in its metadata of how its network was trained, where that differs from its family, and what to
write there of a model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from diffusion.configs import BETAS, LATENT_SCALE, LEVELS, PREDICTS, SHIFT
from diffusion.latents import LatentFormat, with_rgb
from diffusion.prediction import COSINE, Betas, CosineBetas, EdmV, Eps, Flow, FluxFlow, Prediction, V

LATENT_RGB = "weft.latent_rgb"
"""Colours of this checkpoint's latents, see `latents.with_rgb`."""

_EXPONENTS: Mapping[str, float] = MappingProxyType({"scaled_linear": 0.5, "linear": 1.0})
_KINDS: Mapping[float, str] = MappingProxyType({exponent: kind for kind, exponent in _EXPONENTS.items()})
_COSINE = "squaredcos_cap_v2"
OF_PREDICTION = (PREDICTS, BETAS, LEVELS, SHIFT)
"""What `told` writes."""


def predicted(prediction: Prediction, metadata: Mapping[str, str]) -> Prediction:
    """The family's prediction with what the file says: betas, the shift of a flow, EDM's levels. ValueError for what
    does not go together or says nothing."""
    if BETAS in metadata:
        if not isinstance(prediction, Eps | V):
            raise ValueError(f"metadata {BETAS}: betas are for networks that predict eps or v on levels of a table")
        prediction = replace(prediction, betas=_betas(metadata[BETAS], ends_in_noise=prediction.betas.ends_in_noise))
    if LEVELS in metadata:
        if not isinstance(prediction, V | EdmV):
            raise ValueError(f"metadata {LEVELS}: levels of EDM are for networks that predict v")
        lowest, highest = _numbers(LEVELS, metadata[LEVELS], 2)
        if not 0 < lowest < highest:
            raise ValueError(f"metadata {LEVELS}: expected a level above 0 and a higher one, got {lowest}, {highest}")
        prediction = EdmV(lowest, highest)
    if SHIFT in metadata:
        (odds,) = _numbers(SHIFT, f"[{metadata[SHIFT]}]", 1)
        if not isinstance(prediction, Flow) or odds <= 0:
            raise ValueError(f"metadata {SHIFT}: expected a number above 0, for a flow; got {odds}")
        prediction = replace(prediction, shift=math.log(odds) if isinstance(prediction, FluxFlow) else odds)
    return prediction


def told(prediction: Prediction) -> dict[str, str]:
    """Metadata from which `predicted` makes the prediction again, of any family it is of."""
    match prediction:
        case Flow(shift=shift):
            return {SHIFT: json.dumps(math.exp(shift) if isinstance(prediction, FluxFlow) else shift)}
        case EdmV(lowest=lowest, highest=highest):
            return {PREDICTS: "v", LEVELS: json.dumps([lowest, highest])}
        case Eps(betas=betas) | V(betas=betas):
            kind = _COSINE if isinstance(betas, CosineBetas) else _KINDS[betas.exponent]
            said = {PREDICTS: "v" if isinstance(prediction, V) else "epsilon"}
            return said | {BETAS: json.dumps([kind, betas.start, betas.end])}
        case _:
            return {}


def scaled(latent_format: LatentFormat, metadata: Mapping[str, str]) -> LatentFormat:
    """The family's latents with the scale and the colours the file gives them. ValueError for what is none."""
    if LATENT_SCALE in metadata:
        scale, shift = _numbers(LATENT_SCALE, metadata[LATENT_SCALE], 2)
        if scale <= 0:
            raise ValueError(f"metadata {LATENT_SCALE}: expected a scale above 0, got {scale}")
        latent_format = replace(latent_format, scale=scale, shift=shift)
    return with_rgb(latent_format, metadata[LATENT_RGB]) if LATENT_RGB in metadata else latent_format


def _betas(told: str, *, ends_in_noise: bool) -> Betas:
    kind, *ends = _list(BETAS, told, 3)
    if kind == _COSINE:
        return replace(COSINE, ends_in_noise=ends_in_noise)
    start, end = _numbers(BETAS, json.dumps(ends), 2)
    if kind not in _EXPONENTS or not 0 < start <= end < 1:
        kinds = ", ".join((*_EXPONENTS, _COSINE))
        raise ValueError(f"metadata {BETAS}: expected one of {kinds} and two betas from 0 to 1, got {told:.80}")
    return Betas(start, end, _EXPONENTS[str(kind)], ends_in_noise)


def _numbers(key: str, told: str, count: int) -> list[float]:
    values = _list(key, told, count)
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise ValueError(f"metadata {key}: expected finite numbers, got {told:.80}")
    return [float(value) for value in values if isinstance(value, int | float)]


def _list(key: str, told: str, count: int) -> list[object]:
    try:
        values = json.loads(told)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"metadata {key}: expected JSON, got {told:.80}") from error
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"metadata {key}: expected a list of {count}, got {told:.80}")
    return values
