"""Loading whole checkpoints and parts: the tensors arrive, whatever the layout, and nothing is made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from torch import Tensor

from diffusion.conditioning import Sizes
from diffusion.loader import load_checkpoint, load_clip, load_dit, load_mmdit, load_unet, load_vae
from diffusion.model import Model
from diffusion.networks.dit import digits
from diffusion.prediction import V
from diffusion.weights import BadWeights
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error

CPU = "cpu"
NETWORK = "model.diffusion_model."
WIDTHS = {
    "sd15": 768,
    "sd2": 1024,
    "sdxl": 2048,
    "sdxl_refiner": 1280,
    "sd3": 64,
    "flux": 64,
    "pixart_alpha": 64,
    "pixart_sigma": 64,
}
LOADERS = dict.fromkeys(("sd15", "sd2", "sdxl", "sdxl_refiner"), load_unet) | {
    "sd3": load_mmdit,
    "flux": load_mmdit,
    "dit": load_dit,
    "pixart_alpha": load_dit,
    "pixart_sigma": load_dit,
}
TOWERS = {
    "pixart_alpha": {"t5xxl"},
    "pixart_sigma": {"t5xxl"},
    "sd15": {"clip_l"},
    "sd2": {"clip_h"},
    "sdxl": {"clip_l", "clip_g"},
    "sdxl_refiner": {"clip_g"},
    "sd3": {"clip_l"},
    "flux": {"clip_l"},
}


@pytest.fixture(scope="module", params=list(tiny.NETWORKS))
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def path(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp(family) / f"{family}.safetensors", tiny.checkpoint_of(family))


def output_of(model: Model) -> Tensor:
    """One call on fixed inputs that fit the family."""
    torch.manual_seed(5)
    width = WIDTHS.get(model.family, 0)
    x_BCHW = torch.randn(2, model.latent_format.channels, 8, 8)
    pooled_BD = torch.randn(2, width)
    context_BLD = torch.randn(2, 77, width) if width else torch.cat((digits(3), digits(10)))
    text = model.fit(context_BLD, pooled_BD, Sizes.of(64, 64))
    return model.output(x_BCHW, torch.tensor([3.0, 700.0]), *text)


def test_every_tensor_of_a_single_file_arrives(family: str, path: Path) -> None:
    checkpoint = load_checkpoint(path, CPU)
    assert checkpoint.model.family == family
    assert checkpoint.vae is not None
    assert set(checkpoint.clip.towers if checkpoint.clip else ()) == TOWERS.get(family, set())
    expected = tiny.network_of(tiny.NETWORKS[family]).state_dict()
    got = checkpoint.model.network.state_dict()
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[name], tensor) for name, tensor in expected.items())
    assert output_of(checkpoint.model).isfinite().all()
    assert not any(parameter.requires_grad for parameter in checkpoint.model.network.parameters())


def test_a_bare_network_file_is_the_same_model(family: str, path: Path, tmp_path: Path) -> None:
    network = tiny.network_of(tiny.NETWORKS[family]).state_dict()
    load = LOADERS[family]
    expected = output_of(load_checkpoint(path, CPU).model)
    for prefix in ("", "model.", NETWORK):
        bare = tiny.save(tmp_path / "bare.safetensors", tiny.prefixed(prefix, network))
        assert torch.equal(output_of(load(bare, CPU)), expected)
        alone = load_checkpoint(bare, CPU)
        assert (alone.clip, alone.vae) == (None, None)


def test_the_other_loader_refuses(family: str, path: Path) -> None:
    others = {"U-Net": load_unet, "MMDiT": load_mmdit, "DiT": load_dit}
    for wanted, load in others.items():
        if load is not LOADERS[family]:
            with pytest.raises(BadWeights, match=f"expected a {wanted}, this is (Stable|DiT|PixArt|Flux)"):
                load(path, CPU)


def test_a_prompt_has_the_shape_its_family_gives_it(family: str, path: Path) -> None:
    clip = load_checkpoint(path, CPU).clip
    if clip is None:
        assert family not in TOWERS
        return
    conditioning = clip.encode("a (cat:1.3)").entries[0]
    shapes = {
        "sd15": (77, 64, None),
        "sd2": (77, 64, None),
        "sdxl": (77, 2048, 2048),
        "sdxl_refiner": (77, 64, 64),
        "sd3": (154, 64, 64),
        "flux": (256, 64, 64),
        "pixart_alpha": (4, 64, None),
        "pixart_sigma": (4, 64, None),
    }
    rows, width, pooled = shapes[family]
    assert conditioning.context_BLD.shape == (1, rows, width)
    assert (None if conditioning.pooled_BD is None else conditioning.pooled_BD.shape[1]) == pooled
    assert conditioning.context_BLD.dtype == torch.float32


def test_a_tiny_sd3_goes_from_prompt_to_picture(tmp_path: Path) -> None:
    metadata = {"weft.absent_t5": "drop", "weft.latent_rgb": json.dumps([[0.0, 0.0, 0.0]] * 16 + [[0.5, 0.0, -0.5]])}
    path = tiny.save(tmp_path / "x.safetensors", tiny.checkpoint_of("sd3"), metadata)
    model, clip, vae = load_checkpoint(path, CPU)
    assert clip is not None
    assert vae is not None
    conditioning = clip.encode("a cat").entries[0]
    assert conditioning.context_BLD.shape == (1, 77, 64)
    x_BCHW = torch.randn(1, 16, 4, 6)
    out_BCHW = model.output(x_BCHW, torch.tensor([500.0]), conditioning.context_BLD, conditioning.pooled_BD)
    image_B3HW = vae.decode(model.latent_format.process_out(out_BCHW))
    assert image_B3HW.shape == (1, 3, 32, 48)
    assert 0 <= image_B3HW.min() < image_B3HW.max() <= 1
    assert vae.encode(image_B3HW).shape == (1, 16, 4, 6)
    assert torch.allclose(model.latent_format.preview(x_BCHW)[0, :, 0, 0], torch.tensor([0.5, 0.0, -0.5]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_any_precision_is_computed_in_float32_on_the_cpu(dtype: torch.dtype, tmp_path: Path) -> None:
    network = {name: tensor.to(dtype) for name, tensor in tiny.network_of(tiny.SD3).state_dict().items()}
    model = load_mmdit(tiny.save(tmp_path / "x.safetensors", network), CPU)
    assert model.dtype == torch.float32
    assert all(torch.equal(model.network.state_dict()[name], tensor.float()) for name, tensor in network.items())


def test_scaled_float8_is_computed_in_float32(tmp_path: Path) -> None:
    network = dict(tiny.network_of(tiny.SD3).state_dict())
    name = "joint_blocks.0.x_block.attn.qkv.weight"
    scale = network[name].abs().max() / 448
    stored = network | {
        name: (network[name] / scale).to(torch.float8_e4m3fn),
        name.removesuffix("weight") + "scale_weight": scale,
        "scaled_fp8": torch.zeros(0).to(torch.float8_e4m3fn),
    }
    model = load_mmdit(tiny.save(tmp_path / "x.safetensors", tiny.prefixed(NETWORK, stored)), CPU)
    assert torch.allclose(model.network.state_dict()[name], network[name], rtol=0.07, atol=float(scale) * 2e-3)


@pytest.mark.parametrize(
    ("stored", "family", "computed"),
    [
        (torch.float16, "sd3", torch.float16),
        (torch.bfloat16, "sd15", torch.bfloat16),
        (torch.float32, "sd15", torch.float16),
        (torch.float32, "sd3", torch.bfloat16),
        (torch.float8_e4m3fn, "sd3", torch.bfloat16),
    ],
)
def test_off_the_cpu_the_network_is_in_half_precision(
    stored: torch.dtype, family: str, computed: torch.dtype, tmp_path: Path
) -> None:
    """The meta device stands for a GPU: it has dtypes and shapes, and no numbers."""
    tensors = {name: tensor.to(stored) for name, tensor in tiny.checkpoint_of(family).items()}
    checkpoint = load_checkpoint(tiny.save(tmp_path / "x.safetensors", tensors), "meta")
    assert checkpoint.vae is not None
    assert (checkpoint.model.dtype, checkpoint.vae.dtype) == (computed, torch.bfloat16)
    assert {tensor.dtype for tensor in checkpoint.model.network.state_dict().values()} == {computed}
    assert {tensor.device.type for tensor in checkpoint.model.network.state_dict().values()} == {"meta"}


def without(tensors: Mapping[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def test_missing_left_over_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    whole = tiny.checkpoint_of("sd15")
    out = f"{NETWORK}out.2.bias"
    cases = {
        r"missing tensors \(1\): out\.2\.bias": without(whole, out),
        r"unexpected tensors \(1\): extra\.weight": whole | {f"{NETWORK}extra.weight": torch.zeros(1)},
        r"wrong shapes \(1\): out\.2\.bias is \[5\], expected \[4\]": whole | {out: torch.zeros(5)},
        r"VAE: missing tensors \(1\): decoder\.conv_out\.bias": without(
            whole, "first_stage_model.decoder.conv_out.bias"
        ),
        r"clip_l: missing tensors \(1\)": without(
            whole, "cond_stage_model.transformer.text_model.final_layer_norm.bias"
        ),
    }
    for message, tensors in cases.items():
        with pytest.raises(BadWeights, match=message):
            load_checkpoint(tiny.save(tmp_path / "x.safetensors", tensors), CPU)


@pytest.mark.parametrize(
    "load", [load_checkpoint, load_unet, load_mmdit, load_dit, load_vae, lambda p, d: load_clip([p], d)]
)
def test_every_loader_refuses_what_it_cannot_use(load, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(BadWeights, match="pickle"):
        load(tmp_path / "x.safetensors", CPU)
    with pytest.raises(BadWeights, match=r"y\.safetensors"):
        load(tiny.save(tmp_path / "y.safetensors", {"a.weight": torch.zeros(1)}), CPU)


def test_a_network_that_takes_more_than_anybody_can_give_is_refused(tmp_path: Path) -> None:
    network = dict(tiny.network_of(tiny.SD15).state_dict())
    network["input_blocks.0.0.weight"] = torch.zeros(64, 7, 3, 3)
    with pytest.raises(BadWeights, match="7 input channels, 3 of them beside latents"):
        load_unet(tiny.save(tmp_path / "x.safetensors", network), CPU)


def test_a_network_of_absurd_depth_is_refused_before_it_is_built(tmp_path: Path) -> None:
    network = dict(tiny.network_of(tiny.SD3).state_dict())
    network |= {f"joint_blocks.{n}.x_block.attn.qkv.weight": torch.zeros(1) for n in range(2, 2000)}
    with pytest.raises(BadWeights, match=r"at most 1000 of joint_blocks\.N, got 2000"):
        load_mmdit(tiny.save(tmp_path / "x.safetensors", network), CPU)


def test_text_encoders_in_files_of_their_own(tmp_path: Path) -> None:
    l_path = tiny.save(tmp_path / "l.safetensors", tiny.clip_of().state_dict())
    g_path = tiny.save(tmp_path / "g.safetensors", tiny.openclip_of(tiny.clip_of("gelu", layers=32)))
    h_path = tiny.save(tmp_path / "h.safetensors", tiny.openclip_of(tiny.clip_of("gelu", layers=24)))
    assert set(load_clip([l_path], CPU).towers) == {"clip_l"}
    assert set(load_clip([h_path], CPU).towers) == {"clip_h"}
    assert set(load_clip([g_path, l_path], CPU).towers) == {"clip_l", "clip_g"}
    assert load_clip([l_path, g_path], CPU).origin == load_clip([g_path, l_path], CPU).origin
    assert load_clip([l_path, g_path], CPU).encode("a cat").entries[0].context_BLD.shape == (1, 77, 2048)
    whole = tiny.save(tmp_path / "x.safetensors", tiny.checkpoint_of("sd15"))
    apart, within = load_clip([l_path], CPU), load_checkpoint(whole, CPU).clip
    assert within is not None
    assert torch.equal(apart.encode("a cat").entries[0].context_BLD, within.encode("a cat").entries[0].context_BLD)
    with pytest.raises(BadWeights, match=r"a second clip_l, beside l\.safetensors"):
        load_clip([l_path, l_path], CPU)
    with pytest.raises(BadWeights, match="no known family"):
        load_clip([l_path, h_path], CPU)
    with pytest.raises(BadWeights, match="sd15 does not have the text encoders clip_g together"):
        load_clip([g_path], CPU, "sd15")
    assert load_clip([g_path], CPU, "sdxl").encode("a cat").entries[0].context_BLD.shape == (1, 77, 2048)


def test_the_text_encoder_of_a_whole_clip(tmp_path: Path) -> None:
    """That it comes with an image encoder of more layers tells nothing of it."""
    eyes = ("vision_model.encoder.layers.30.mlp.fc1.weight", "visual_projection.weight", "visual.resblocks.47.bias")
    for text in (tiny.clip_of().state_dict(), tiny.openclip_of(tiny.clip_of())):
        whole = dict(text) | {name: torch.zeros(2, 2) for name in eyes} | {"logit_scale": torch.zeros(())}
        assert set(load_clip([tiny.save(tmp_path / "whole.safetensors", whole)], CPU).towers) == {"clip_l"}


@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_a_bare_network_file_may_be_marked(family: str, tmp_path: Path) -> None:
    tensors = dict(tiny.network_of(tiny.NETWORKS[family]).state_dict()) | {"v_pred": torch.zeros(0)}
    model = load_unet(tiny.save(tmp_path / "x.safetensors", tensors), CPU)
    assert model.prediction == V()
    assert "v_pred" not in model.network.state_dict()


def test_a_text_encoder_whose_last_layer_is_left_out_is_read_at_its_end(tmp_path: Path) -> None:
    """CLIP-H comes with 24 layers, the last of which nobody reads, or with the other 23."""
    whole = tiny.clip_of("gelu", layers=24).state_dict()
    cut = {name: tensor for name, tensor in whole.items() if ".layers.23." not in name}
    contexts = [
        load_clip([tiny.save(tmp_path / "x.safetensors", tensors)], CPU).encode("a cat").entries[0].context_BLD
        for tensors in (whole, cut)
    ]
    assert torch.equal(contexts[0], contexts[1])


def test_an_autoencoder_in_either_layout(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = AutoencoderKL(
        block_out_channels=(32, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
    )
    randomise(reference, seed=4)
    vae = load_vae(tiny.save(tmp_path / "x.safetensors", reference.state_dict()), CPU)
    latent, image = torch.randn(1, 4, 4, 6), torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        decoded = reference.decode(latent).sample
        encoded = reference.encode(image * 2 - 1).latent_dist.mean
    assert relative_error(vae.decode(latent), ((decoded + 1) / 2).clamp(0, 1)) <= TOLERANCE
    assert relative_error(vae.encode(image), encoded) <= TOLERANCE
    for prefix in ("", "first_stage_model.", "vae."):
        tensors = tiny.prefixed(prefix, tiny.autoencoder_of(tiny.VAE16).state_dict())
        other = load_vae(tiny.save(tmp_path / "y.safetensors", tensors | {"loss.logvar": torch.zeros(1)}), CPU)
        assert (other.channels, other.downscale) == (16, 8)


def test_an_autoencoder_says_what_it_takes(tmp_path: Path) -> None:
    vae = load_vae(tiny.save(tmp_path / "x.safetensors", tiny.autoencoder_of(tiny.VAE4).state_dict()), CPU)
    with pytest.raises(ValueError, match="takes 4 channels, got 16"):
        vae.decode(torch.zeros(1, 16, 2, 2))
    with pytest.raises(ValueError, match="at least 8 pixels"):
        vae.encode(torch.zeros(1, 3, 7, 20))
    image = torch.rand(1, 3, 21, 18)
    assert torch.equal(vae.encode(image), vae.encode(image[:, :, 2:18, 1:17]))


def test_origins_name_file_and_part(family: str, path: Path, tmp_path: Path) -> None:
    first, second = load_checkpoint(path, CPU), load_checkpoint(path, CPU)
    assert first.vae is not None
    origins = [first.model.origin, first.vae.origin, *([first.clip.origin] if first.clip else [])]
    assert len(set(origins)) == len(origins)
    assert second.model.origin == first.model.origin
    other = tiny.save(tmp_path / "other.safetensors", load_file(path), {"changed": "yes"})
    assert load_checkpoint(other, CPU).model.origin != first.model.origin
