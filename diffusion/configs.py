"""What the configurations in a folder of diffusers say of its training, as metadata of a single file says it. Standard
library only.

The keys are Weft's own: `weft.betas` the kind of betas, the first and the last, `weft.shift` by what the odds of a
flow's levels are moved, `weft.levels` the lowest and highest of EDM, `weft.latent_scale` scale and shift of latents.
All are JSON, see `training`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

BETAS, SHIFT, LEVELS, LATENT_SCALE = (f"weft.{key}" for key in ("betas", "shift", "levels", "latent_scale"))
PREDICTS = "modelspec.predict_key"
ZERO_SNR, NORMALISED = "ztsnr", ("edm_mean", "edm_std")
"""Tensors that mark single files whose last level is all noise, or whose latents are normalised one by one."""

_PREDICTED = MappingProxyType({"v_prediction": "v", "epsilon": "epsilon"})
_STEPS = 1000


def of_scheduler(config: Mapping[str, Any]) -> dict[str, str]:
    """Metadata for a scheduler's configuration; ValueError for a training that cannot be sampled."""
    predicts = config.get("prediction_type")
    kind = str(config.get("_class_name"))
    if "FlowMatch" in kind or predicts == "flow_prediction":
        return {SHIFT: json.dumps(_shift(config))} if "shift" in config or "flow_shift" in config else {}
    if predicts is not None and predicts not in _PREDICTED:
        raise ValueError(f"prediction_type: expected epsilon, v_prediction or a flow's, got {predicts!r:.40}")
    found = {} if predicts is None else {PREDICTS: _PREDICTED[predicts]}
    if kind.startswith("EDM"):
        if predicts != "v_prediction" or config.get("sigma_data") != 1.0:
            raise ValueError("of EDM only training for v on data of variance 1 can be sampled")
        return found | {LEVELS: json.dumps([config.get("sigma_min"), config.get("sigma_max")])}
    if config.get("num_train_timesteps", _STEPS) != _STEPS or config.get("trained_betas") is not None:
        raise ValueError(f"expected {_STEPS} num_train_timesteps and no trained_betas")
    betas = [config.get(key) for key in ("beta_schedule", "beta_start", "beta_end")]
    return found if None in betas else found | {BETAS: json.dumps(betas)}


def _shift(config: Mapping[str, Any]) -> Any:
    """One that goes by the size of the picture is taken for 1024 x 1024 pixels."""
    by_size = config.get("max_shift")
    if config.get("use_dynamic_shifting") is True and isinstance(by_size, int | float):
        return math.exp(by_size)
    return config.get("flow_shift", config.get("shift"))


def marks_of(scheduler: Mapping[str, Any], vae: Mapping[str, Any]) -> list[str]:
    """The names of tensors that would mark a single file so."""
    marks = [ZERO_SNR] if scheduler.get("rescale_betas_zero_snr") is True else []
    normalised = vae.get("latents_mean") is not None or vae.get("latents_std") is not None
    return [*marks, *(NORMALISED if normalised else ())]


def of_vae(config: Mapping[str, Any]) -> dict[str, str]:
    """Metadata for an autoencoder's configuration; tiny ones say nothing of how latents are scaled."""
    if config.get("_class_name") != "AutoencoderKL" or "scaling_factor" not in config:
        return {}
    return {LATENT_SCALE: json.dumps([config["scaling_factor"], config.get("shift_factor") or 0.0])}
