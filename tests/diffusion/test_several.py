"""Models in several files: shards with an index, and folders of diffusers, read as if they were one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, SD3Transformer2DModel, UNet2DConditionModel
from torch import Tensor, nn

from diffusion.inspection import inspected
from diffusion.loader import load_checkpoint, load_clip, load_mmdit, load_unet, load_vae
from diffusion.prediction import Eps, V
from diffusion.several import read_any
from diffusion.weights import BadWeights, Weights
from tests.diffusion import tiny
from tests.diffusion.test_layouts import SD1, SD2, SD3, SDXL, UNET, tensors_of

CPU = "cpu"
INDEX = "x.safetensors.index.json"


def sharded(folder: Path, tensors: Mapping[str, Tensor], stem: str = "x", count: int = 3) -> Path:
    """As transformers and diffusers write them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{stem}-{n + 1:05}-of-{count:05}.safetensors" for n in range(count)]
    where = {name: names[n % count] for n, name in enumerate(tensors)}
    for shard in names:
        tiny.save(folder / shard, {name: tensor for name, tensor in tensors.items() if where[name] == shard})
    index = folder / f"{stem}.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": where}))
    return index


def folder_of(folder: Path, parts: Mapping[str, nn.Module], scheduler: Mapping[str, Any] | None = None) -> Path:
    """As a pipeline of diffusers is saved, its U-Net or transformer in shards."""
    library = {name: ["diffusers" if name in ("unet", "transformer", "vae") else "transformers", "X"] for name in parts}
    for name, network in parts.items():
        tensors = {key: tensor.clone() for key, tensor in network.state_dict().items()}
        if name in ("unet", "transformer"):
            sharded(folder / name, tensors, "diffusion_pytorch_model")
        else:
            (folder / name).mkdir(parents=True)
            stem = "diffusion_pytorch_model" if name == "vae" else "model"
            tiny.save(folder / name / f"{stem}.safetensors", tensors)
    if scheduler is not None:
        (folder / "scheduler").mkdir()
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(scheduler))
    index = folder / "model_index.json"
    told = {"_class_name": "StableDiffusionPipeline", "safety_checker": [None, None], "scheduler": ["diffusers", "X"]}
    index.write_text(json.dumps({**told, **library}))
    return index


def vae_of() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(32, 32, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
    )


def test_shards_are_one_file(tmp_path: Path) -> None:
    tensors = tiny.network_of(tiny.SD15).state_dict()
    index = sharded(tmp_path, tensors)
    weights = Weights.open(index)
    assert set(weights) == set(tensors)
    assert all(torch.equal(weights[name], tensor) for name, tensor in tensors.items())
    assert read_any(index).identity == weights.header.identity
    model = load_unet(index, CPU)
    assert model.family == "sd15"
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.network.state_dict().items())
    tiny.save(tmp_path / "x-00001-of-00003.safetensors", {name: tensor + 1 for name, tensor in tensors.items()})
    with pytest.raises(BadWeights, match="is in two files"):
        load_unet(index, CPU)


def test_an_index_that_is_wrong_says_where(tmp_path: Path) -> None:
    tensors = {"a": torch.ones(2), "b": torch.ones(3), "c": torch.ones(4)}
    index = sharded(tmp_path, tensors)

    def says(weight_map: object, match: str) -> None:
        index.write_text(json.dumps({"weight_map": weight_map}))
        with pytest.raises(BadWeights, match=match):
            Weights.open(index)

    one, two, three = (f"x-0000{n}-of-00003.safetensors" for n in (1, 2, 3))
    says({"a": one, "b": two, "c": two}, rf"tensor 'c': the index says {two}, it is in no file")
    says({"a": two, "b": one, "c": three}, rf"tensor 'a': the index says {two}, it is in {one}")
    says({"a": one, "b": two, "c": three, "d": one}, rf"tensor 'd': the index says {one}, it is in no file")
    says({"a": "../x.safetensors"}, "expected names of safetensors files beside it")
    says({"a": "x.bin"}, "expected names of safetensors files beside it, got 'x.bin'")
    says({"a": "gone.safetensors"}, "the file 'gone.safetensors' it lists is not there")
    says({}, "expected a weight_map")
    says(["a"], "expected a weight_map")
    index.write_text("{")
    with pytest.raises(BadWeights, match="expected JSON"):
        Weights.open(index)
    index.write_text("[1]")
    with pytest.raises(BadWeights, match="expected a JSON object"):
        Weights.open(index)


def test_no_link_leads_out(tmp_path: Path) -> None:
    index = sharded(tmp_path / "in", {"a": torch.ones(2)}, count=1)
    shard = tmp_path / "in" / "x-00001-of-00001.safetensors"
    shard.rename(tmp_path / "out.safetensors")
    shard.symlink_to(tmp_path / "out.safetensors")
    with pytest.raises(BadWeights, match="a link that leads out of its folder"):
        Weights.open(index)


def test_a_folder_of_sd1(tmp_path: Path) -> None:
    """Every part is what it is from a file of its own."""
    torch.manual_seed(0)
    parts = {"unet": UNet2DConditionModel(**UNET, **SD1), "vae": vae_of(), "text_encoder": tiny.clip_of()}
    for part in parts.values():
        tensors_of(part)
    index = folder_of(tmp_path / "model", parts)
    whole = load_checkpoint(index, CPU)
    assert whole.model.family == "sd15"
    assert whole.vae is not None
    assert whole.clip is not None
    folder = tmp_path / "model"
    vae = load_vae(folder / "vae" / "diffusion_pytorch_model.safetensors", CPU)
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(whole.vae.encode(image), vae.encode(image))
    clip = load_clip([folder / "text_encoder" / "model.safetensors"], CPU, "sd15")
    asked, expected = (one.encode("a cat").entries[0].context_BLD for one in (whole.clip, clip))
    assert torch.equal(asked, expected)
    told = inspected(index)
    assert told["family"] == "Stable Diffusion 1"
    assert told["network"]["missing"]["count"] == told["network"]["extra"]["count"] == 0


def test_a_folder_of_sd3_has_its_encoders_by_what_they_are(tmp_path: Path) -> None:
    parts = {
        "transformer": SD3Transformer2DModel(**{**SD3, "joint_attention_dim": 128, "pooled_projection_dim": 128}),
        "text_encoder": tiny.clip_of(width=64),
        "text_encoder_2": tiny.clip_of("gelu", layers=32, width=64),
        "text_encoder_3": tiny.t5_of(128),
    }
    whole = load_checkpoint(folder_of(tmp_path, parts), CPU)
    assert whole.model.family == "sd3"
    assert whole.vae is None
    assert whole.clip is not None
    assert set(whole.clip.towers) == {"clip_l", "clip_g", "t5xxl"}
    assert whole.clip.encode("a cat").entries[0].context_BLD.shape[2] == 128
    network = load_mmdit(tmp_path / "transformer" / "diffusion_pytorch_model.safetensors.index.json", CPU).network
    for name, tensor in network.state_dict().items():
        assert torch.equal(whole.model.network.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("config", "scheduler", "expected"),
    [
        (SD2, {"prediction_type": "v_prediction"}, V),
        (SD2, {"prediction_type": "epsilon"}, Eps),
        (SDXL, {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}, V),
    ],
)
def test_a_folder_says_what_its_network_predicts(
    config: Mapping[str, Any], scheduler: Mapping[str, Any], expected: type, tmp_path: Path
) -> None:
    unet = UNet2DConditionModel(**UNET, **config)
    prediction = load_checkpoint(folder_of(tmp_path, {"unet": unet}, scheduler), CPU).model.prediction
    assert type(prediction) is expected
    assert prediction.betas.ends_in_noise == ("rescale_betas_zero_snr" in scheduler)  # type: ignore[attr-defined]


def test_a_folder_that_is_not_whole_says_what_is_missing(tmp_path: Path) -> None:
    index = folder_of(tmp_path, {"unet": UNet2DConditionModel(**UNET, **SD1)})
    told = json.loads(index.read_text())
    index.write_text(json.dumps({**told, "vae": ["diffusers", "AutoencoderKL"]}))
    with pytest.raises(BadWeights, match="or the like in its folder vae; other formats are not read"):
        load_checkpoint(index, CPU)
    index.write_text(json.dumps({"_class_name": "X"}))
    with pytest.raises(BadWeights, match="expected a unet or a transformer"):
        load_checkpoint(index, CPU)
    index.write_text(json.dumps(told))
    shard = next((tmp_path / "unet").glob("*-00002-of-00003.safetensors"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(BadWeights, match=f"{shard.name}: truncated"):
        load_checkpoint(index, CPU)
