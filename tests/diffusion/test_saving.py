"""Saved models: read back, they are what they were, in the layout everybody reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from diffusion.blocks import Ratios
from diffusion.loader import load_checkpoint, load_mmdit
from diffusion.merging.merge import merge_models
from diffusion.merging.recipe import Recipe
from diffusion.prediction import COSINE, LINEAR, Betas, EdmV, Eps, Flow, FluxFlow, LearnedEps, Prediction, V
from diffusion.saving import checkpoint, chunks, metadata_of, network
from tests.diffusion import tiny


def unheard(_done: int, _total: int) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("family", ["sd15", "sd2", "sdxl", "sd3"])
def test_a_checkpoint_comes_back_tensor_by_tensor(family: str, tmp_path: Path) -> None:
    tensors = tiny.checkpoint_of(family)
    loaded = load_checkpoint(tiny.save(tmp_path / "a.safetensors", tensors), "cpu")
    saved = tmp_path / "b.safetensors"
    saved.write_bytes(b"".join(chunks(checkpoint(*loaded, None), {}, unheard)))
    written = load_file(saved)
    dropped = ("position_ids", "logit_scale", "model_ema.diffusion_modelinput_blocks00weight")
    expected = {name: tensor for name, tensor in tensors.items() if not name.endswith(dropped)}
    assert written.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(written[name], tensor), name
    again = load_checkpoint(saved, "cpu")
    assert again.clip is not None
    assert loaded.clip is not None
    texts = [part.encode("a cat").entries[0].context_BLD for part in (again.clip, loaded.clip)]
    assert torch.equal(*texts)


def test_what_weights_do_not_tell_is_kept(tmp_path: Path) -> None:
    tensors = tiny.checkpoint_of("sdxl") | {"v_pred": torch.zeros(1), "ztsnr": torch.zeros(1)}
    rgb = str([[0.1, 0.2, 0.3]] * 5)
    model = load_checkpoint(tiny.save(tmp_path / "a.safetensors", tensors, {"weft.latent_rgb": rgb}), "cpu").model
    merged = merge_models([model, model], Recipe(Ratios(0.5)))
    saved = tmp_path / "b.safetensors"
    saved.write_bytes(b"".join(chunks(checkpoint(merged, None, None, torch.float16), metadata_of(merged), unheard)))
    again = load_checkpoint(saved, "cpu")
    assert (again.model.prediction, again.model.latent_format) == (model.prediction, model.latent_format)
    assert again.clip is None
    assert again.vae is None
    assert {tensor.dtype for tensor in load_file(saved).values() if tensor.numel()} == {torch.float16}


@pytest.mark.parametrize(
    ("family", "prediction"),
    [
        ("sd15", V()),
        ("sd15", EdmV(0.01, 80.0)),
        ("sd2", Eps(COSINE)),
        ("sd2", V(Betas(ends_in_noise=True))),
        ("sdxl", EdmV(0.002, 120.0)),
        ("sdxl", V(LINEAR)),
        ("sd3", Flow(5.0)),
        ("flux", FluxFlow(0.0)),
        ("dit", LearnedEps(Betas(0.0002, 0.02, 1.0))),
    ],
    ids=str,
)
def test_a_model_that_was_said_to_predict_otherwise_is_saved_so(
    family: str, prediction: Prediction, tmp_path: Path
) -> None:
    model = load_checkpoint(tiny.save(tmp_path / "a.safetensors", tiny.checkpoint_of(family)), "cpu").model
    for number, changed in enumerate((replace(model, prediction=prediction), model)):
        for what, tensors in (("whole", checkpoint(changed, None, None, None)), ("bare", network(changed, None))):
            saved = tmp_path / f"{what}{number}.safetensors"
            saved.write_bytes(b"".join(chunks(tensors, metadata_of(changed), unheard)))
            model = load_checkpoint(saved, "cpu").model
            assert model.prediction == changed.prediction


def test_every_tensor_is_heard_of_and_read_once_its_turn_has_come(tmp_path: Path) -> None:
    model = load_mmdit(tiny.save(tmp_path / "a.safetensors", tiny.network_of(tiny.SD3).state_dict()), "cpu")
    heard: list[tuple[int, int]] = []
    pieces = chunks(network(model, torch.bfloat16), {}, lambda done, total: heard.append((done, total)))
    next(pieces)
    assert heard == []
    next(pieces)
    assert heard == [(0, len(model.network.state_dict()))]
    assert len(list(pieces)) == len(model.network.state_dict()) - 1
