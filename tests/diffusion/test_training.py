"""What files say of their training: folders of diffusers by their configurations, and what saving writes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    SchedulerMixin,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from diffusers.configuration_utils import ConfigMixin
from torch import nn

from diffusion.configs import BETAS, LATENT_SCALE, LEVELS, SHIFT, marks_of, of_scheduler, of_vae
from diffusion.inspection import inspected
from diffusion.latents import SD15, SDXL
from diffusion.loader import load_checkpoint
from diffusion.prediction import (
    COSINE,
    LINEAR,
    Betas,
    CosineBetas,
    EdmV,
    Eps,
    Flow,
    FluxFlow,
    LearnedEps,
    Prediction,
    V,
)
from diffusion.training import predicted, scaled, told
from diffusion.weights import BadWeights
from tests.diffusion.test_layouts import SD1, SD3, UNET
from tests.diffusion.test_layouts import SDXL as XL
from tests.diffusion.test_several import folder_of, vae_of


def config_of(made: ConfigMixin) -> dict[str, Any]:
    """As `save_pretrained` writes it."""
    return json.loads(made.to_json_string())


def loaded(folder: Path, parts: Mapping[str, nn.Module], scheduler: SchedulerMixin) -> Path:
    index = folder_of(folder, parts, config_of(scheduler))
    if "vae" in parts:
        (folder / "vae" / "config.json").write_text(json.dumps(config_of(parts["vae"])))
    return index


@pytest.mark.parametrize(
    "settings",
    [
        {"beta_schedule": "scaled_linear", "beta_start": 0.0007, "beta_end": 0.015},
        {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
        {"beta_schedule": "squaredcos_cap_v2"},
        {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "prediction_type": "v_prediction"},
        {"beta_schedule": "linear", "prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
    ],
    ids=str,
)
def test_a_folder_is_sampled_on_the_levels_of_its_scheduler(settings: Mapping[str, Any], tmp_path: Path) -> None:
    scheduler = DDIMScheduler(**settings)
    index = loaded(tmp_path, {"unet": UNet2DConditionModel(**UNET, **SD1)}, scheduler)
    prediction = load_checkpoint(index, "cpu").model.prediction
    assert type(prediction) is (V if settings.get("prediction_type") == "v_prediction" else Eps)
    kept = scheduler.alphas_cumprod.double()
    levels = ((1 - kept) / kept).sqrt()
    inner = slice(0, -1) if settings.get("rescale_betas_zero_snr") else slice(None)  # the last is endless there
    assert torch.allclose(prediction.sigmas[inner], levels[inner], rtol=5e-4)  # diffusers has float32
    assert inspected(index)["prediction"]["sigma_max"] == prediction.sigma_max


def test_a_folder_of_a_flow_has_its_shift(tmp_path: Path) -> None:
    parts = {"transformer": SD3Transformer2DModel(**SD3)}
    for number, shift in enumerate((1.0, 3.0, 5.5)):
        index = loaded(tmp_path / str(number), parts, FlowMatchEulerDiscreteScheduler(shift=shift))
        assert load_checkpoint(index, "cpu").model.prediction == Flow(shift)


def test_shifts_of_flux() -> None:
    dev = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.1)
    schnell = FlowMatchEulerDiscreteScheduler(shift=1.0)
    for scheduler, shift in ((dev, 1.1), (schnell, 0.0)):
        found = predicted(FluxFlow(), of_scheduler(config_of(scheduler)))
        assert isinstance(found, FluxFlow)
        assert found.shift == pytest.approx(shift, abs=1e-12)


def test_a_folder_has_the_latents_of_its_autoencoder(tmp_path: Path) -> None:
    vae = vae_of()
    vae.register_to_config(scaling_factor=0.4, shift_factor=0.05)
    parts = {"unet": UNet2DConditionModel(**UNET, **SD1), "vae": vae}
    latents = load_checkpoint(loaded(tmp_path, parts, DDIMScheduler()), "cpu").model.latent_format
    assert (latents.scale, latents.shift, latents.rgb) == (0.4, 0.05, SD15.rgb)


def test_a_folder_that_says_nothing_is_as_its_family(tmp_path: Path) -> None:
    parts = {"unet": UNet2DConditionModel(**UNET, **XL), "vae": vae_of()}
    model = load_checkpoint(folder_of(tmp_path, parts), "cpu").model
    assert (model.prediction, model.latent_format) == (Eps(), SDXL)


def test_a_folder_of_edm(tmp_path: Path) -> None:
    cos = EDMEulerScheduler(sigma_min=0.002, sigma_max=120.0, sigma_data=1.0, prediction_type="v_prediction")
    parts = {"unet": UNet2DConditionModel(**UNET, **XL)}
    assert load_checkpoint(loaded(tmp_path / "a", parts, cos), "cpu").model.prediction == EdmV(0.002, 120.0)
    playground = EDMEulerScheduler(sigma_data=0.5, prediction_type="epsilon")
    with pytest.raises(BadWeights, match=r"scheduler_config\.json: of EDM only training for v"):
        load_checkpoint(loaded(tmp_path / "b", parts, playground), "cpu")


def test_latents_that_are_normalised_one_by_one_are_refused(tmp_path: Path) -> None:
    vae = AutoencoderKL(**{**dict(vae_of().config), "latents_mean": [0.0] * 4, "latents_std": [1.0] * 4})
    parts = {"unet": UNet2DConditionModel(**UNET, **XL), "vae": vae}
    with pytest.raises(BadWeights, match="its latents are normalised one by one"):
        load_checkpoint(loaded(tmp_path, parts, EulerDiscreteScheduler()), "cpu")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"prediction_type": "sample"}, "expected epsilon, v_prediction or a flow's, got 'sample'"),
        ({"num_train_timesteps": 50}, "expected 1000 num_train_timesteps"),
        ({"trained_betas": [0.1]}, "no trained_betas"),
    ],
)
def test_schedulers_that_cannot_be_followed(config: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        of_scheduler(config)


def test_what_configurations_leave_open() -> None:
    assert of_scheduler({}) == of_vae({}) == {}
    assert of_vae({"_class_name": "AutoencoderTiny", "scaling_factor": 1.0}) == {}
    assert marks_of({"rescale_betas_zero_snr": False}, {"latents_mean": None}) == []


@pytest.mark.parametrize(
    ("prediction", "key", "value", "says"),
    [
        (Flow(), BETAS, '["linear", 0.1, 0.2]', "betas are for networks that predict eps or v"),
        (Eps(), BETAS, "[", "expected JSON"),
        (Eps(), BETAS, "[1, 2]", "expected a list of 3"),
        (Eps(), BETAS, '["sigmoid", 0.1, 0.2]', "one of scaled_linear, linear, squaredcos_cap_v2"),
        (Eps(), BETAS, '["linear", 0.2, 0.1]', "two betas from 0 to 1"),
        (Eps(), BETAS, '["linear", "a", 0.1]', "expected finite numbers"),
        (Eps(), SHIFT, "3", "for a flow"),
        (Flow(), SHIFT, "0", "above 0"),
        (Flow(), SHIFT, "null", "expected finite numbers"),
        (Eps(), LEVELS, "[1, 2]", "networks that predict v"),
        (V(), LEVELS, "[2, 1]", "a level above 0 and a higher one"),
    ],
)
def test_metadata_that_says_nothing_is_refused(prediction: Prediction, key: str, value: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"metadata {key}: .*{says}"):
        predicted(prediction, {key: value})


def test_a_scale_of_latents_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a scale above 0, got 0"):
        scaled(SD15, {LATENT_SCALE: "[0, 0]"})


@pytest.mark.parametrize(
    ("family", "prediction"),
    [
        (Eps(), Eps()),
        (Eps(), Eps(Betas(0.001, 0.01))),
        (V(), V(Betas(0.001, 0.01, 1.0, ends_in_noise=True))),
        (Eps(LINEAR), Eps(COSINE)),
        (V(), V(CosineBetas(ends_in_noise=True))),
        (LearnedEps(), LearnedEps(Betas(0.0002, 0.02, 1.0))),
        (V(), EdmV(0.01, 80.0)),
        (Flow(), Flow(5.0)),
        (FluxFlow(0.0), FluxFlow()),
        (FluxFlow(), FluxFlow(0.0)),
    ],
    ids=str,
)
def test_what_is_told_is_read_back(family: Prediction, prediction: Prediction) -> None:
    """Markers tell whether v is predicted, and whether on levels that end in noise; metadata all else."""
    if isinstance(family, V) and isinstance(prediction, V):
        family = V(Betas(ends_in_noise=prediction.betas.ends_in_noise))
    found = predicted(family, told(prediction))
    if isinstance(found, FluxFlow):
        assert isinstance(prediction, FluxFlow)
        assert math.isclose(found.shift, prediction.shift, abs_tol=1e-12)
    else:
        assert found == prediction
