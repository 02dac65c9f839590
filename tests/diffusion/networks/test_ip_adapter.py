"""IP-Adapters against diffusers: what they make of an image encoder's output, and what a U-Net makes of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import CLIPImageProcessor, CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection

from diffusion.conditioning import Conditioning, Entry
from diffusion.hooks import NO_HOOKS, Hooks
from diffusion.networks.ip_adapter import IPAdapterNetwork, OfRows, OfVector, Resampler
from diffusion.networks.unet import UNet, UNetParams
from diffusion.picture_prompts import IPAdapter, PicturePrompt, Seen, beside, load_ip_adapter
from diffusion.prediction import Eps
from diffusion.regions import placed
from diffusion.vision import ClipVision, load_vision, prepared
from diffusion.weights import BadWeights
from tests.diffusion import keymaps, tiny
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error
from tests.diffusion.networks.test_controlnet import DEPTHS, PARAMS, given
from tests.diffusion.networks.test_unet import reference_of
from tests.diffusion.test_guidance import denoise, model_of

VECTOR, ROW, TOKENS = 24, 40, 4
KINDS = {
    "plain": lambda dim: OfVector(VECTOR, dim, TOKENS),
    "plus": lambda dim: Resampler(ROW, dim, width=64, inner=128, tokens=6, depth=4, hidden=256),
    "full": lambda dim: OfRows(ROW, dim),
}


def adapter_for(unet: UNet, kind: str) -> IPAdapterNetwork:
    torch.manual_seed(0)
    dim = unet.params.context_dim
    network = IPAdapterNetwork(KINDS[kind](dim), dim, tuple(unet.cross_attentions().values()))
    randomise(network, seed=5)
    return network.eval()


def as_diffusers_reads_it(network: IPAdapterNetwork) -> list[dict[str, Mapping[str, Tensor]]]:
    parts: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in network.state_dict().items():
        part, _, rest = name.partition(".")
        parts[part][rest] = tensor
    return [dict(parts)]


def opened(network: nn.Module, path: Path) -> IPAdapter:
    return load_ip_adapter(tiny.save(path, network.state_dict()), "cpu")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", PARAMS)
@torch.no_grad()
def test_equals_the_reference(family: str, kind: str, tmp_path: Path) -> None:
    p: UNetParams = replace(PARAMS[family], channels=64)
    reference, unet = reference_of(p, DEPTHS[family]), UNet(p)
    randomise(reference, seed=2)
    unet.load_state_dict(keymaps.unet(reference.state_dict()))
    network = adapter_for(unet, kind)
    adapter = opened(network, tmp_path / "a.safetensors")
    reference._load_ip_adapter_weights(as_diffusers_reads_it(network))
    weight = 0.6
    for processor in reference.attn_processors.values():
        if "IPAdapter" in type(processor).__name__:
            processor.scale = [weight]
    (x, t, context), added, y = given(p)
    # As the text of the prompt and of the negative one: another picture for each row.
    seen = Seen(torch.randn(2, VECTOR), torch.randn(2, 7, ROW))
    embeds = seen.rows_BLD if adapter.network.reads_rows else seen.vector_BD
    expected = reference(x, t, context, added_cond_kwargs={**(added or {}), "image_embeds": [embeds[:, None]]}).sample
    prompts = [
        [PicturePrompt(adapter, adapter.of_pictures(Seen(seen.vector_BD[row], seen.rows_BLD[row])), weight).ready()]
        for row in (slice(0, 1), slice(1, 2))
    ]
    hooks = Hooks(beside=beside(unet, prompts, 1, torch.float32))
    assert relative_error(unet(x, t, context, y, hooks), expected) <= TOLERANCE
    assert relative_error(unet(x, t, context, y), expected) > 1e-3
    rows = unet(x[1:], t[1:], context[1:], None if y is None else y[1:], hooks.of(slice(1, 2)))
    assert relative_error(rows, expected[1:]) <= TOLERANCE


def test_several_pictures_are_looked_at_together(tmp_path: Path) -> None:
    adapter = opened(adapter_for(UNet(replace(PARAMS["SD1"], channels=64)), "plain"), tmp_path / "a.safetensors")
    seen = Seen(torch.randn(2, VECTOR), torch.randn(2, 7, ROW))
    tokens = adapter.of_pictures(seen)
    assert tokens.shape == (1, 2 * TOKENS, 48)
    second = adapter.of_pictures(Seen(seen.vector_BD[1:], seen.rows_BLD[1:]))
    assert torch.allclose(tokens[:, TOKENS:], second, atol=1e-5)
    none = adapter.of_none(2, seen)
    zero = adapter.of_pictures(Seen(torch.zeros(1, VECTOR), seen.rows_BLD[:1]))
    assert torch.allclose(none, torch.cat((zero, zero), dim=1), atol=1e-5)


class Watching(UNet):
    """Remembers what its attentions saw beside the text."""

    def forward(
        self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, y_BD: Tensor | None = None, hooks: Hooks = NO_HOOKS
    ) -> Tensor:
        self.last = hooks
        return super().forward(x_BCHW, t_B, context_BLD, y_BD, hooks)


@torch.no_grad()
def test_pictures_count_in_their_time_for_their_prompt(tmp_path: Path) -> None:
    """Prompt and negative prompt go through together, each with its own; out of its time a picture is not there."""
    torch.manual_seed(0)
    unet = Watching(replace(PARAMS["SD1"], channels=64))
    adapter = opened(adapter_for(unet, "plain"), tmp_path / "a.safetensors")
    tokens = [torch.randn(1, TOKENS, 48) for _ in range(2)]
    x, text = torch.randn(2, 4, 8, 8), torch.randn(1, 7, 48)
    asked = [Conditioning((Entry(text, pictures=(PicturePrompt(adapter, t, 0.8, end=0.5),)),)) for t in tokens]
    ready, model = placed(asked, x), model_of(unet, Eps())
    early = denoise(model, x, 10.0, ready)
    site, (only,) = next(iter(unet.last.beside.items()))
    assert site in unet.cross_attentions()
    expected = [adapter.network.keys_and_values(t)[0][0] for t in tokens]
    assert torch.allclose(only.key_BSC, torch.cat([expected[0], expected[0], expected[1], expected[1]]), atol=1e-6)
    assert only.weight == 0.8
    assert not torch.allclose(early[0], early[1])
    late = denoise(model, x, 0.1, ready)
    assert torch.equal(late[0], denoise(model, x, 0.1, [Conditioning((Entry(text),))] * 2)[0])


def test_an_adapter_for_another_network_is_refused(tmp_path: Path) -> None:
    adapter = opened(adapter_for(UNet(replace(PARAMS["SD1"], channels=64)), "plain"), tmp_path / "a.safetensors")
    prompt = PicturePrompt(adapter, torch.zeros(1, TOKENS, 48)).ready()
    for other in (UNet(replace(PARAMS["SDXL"], channels=64)), nn.Identity()):
        with pytest.raises(ValueError, match=f"this one is for U-Nets with .*, got a {type(other).__name__}"):
            beside(other, [[prompt]], 1, torch.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_another_image_encoder_is_refused(kind: str, tmp_path: Path) -> None:
    adapter = opened(adapter_for(UNet(replace(PARAMS["SD1"], channels=64)), kind), tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"says (24|40) numbers, got one that says 8"):
        adapter.of_pictures(Seen(torch.zeros(1, 8), torch.zeros(1, 7, 8)))


def test_files_that_are_no_adapter_are_refused(tmp_path: Path) -> None:
    whole = dict(adapter_for(UNet(replace(PARAMS["SD1"], channels=64)), "plus").state_dict())
    with pytest.raises(BadWeights, match="FaceID adapter, which needs"):
        load_ip_adapter(
            tiny.save(tmp_path / "a.safetensors", {"image_proj.perceiver_resampler.proj_in.weight": torch.zeros(1)}),
            "cpu",
        )
    with pytest.raises(BadWeights, match="expected an IP-Adapter"):
        load_ip_adapter(tiny.save(tmp_path / "b.safetensors", tiny.network_of(tiny.DIT).state_dict()), "cpu")
    del whole["image_proj.layers.1.0.to_kv.weight"]
    with pytest.raises(BadWeights, match=r"missing tensors \(1\): image_proj\.layers\.1\.0\.to_kv\.weight"):
        load_ip_adapter(tiny.save(tmp_path / "c.safetensors", whole), "cpu")


def processed(image: Tensor) -> Tensor:
    """By the processor of transformers, which rounds to 256 levels on the way."""
    processor = CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    return processor(images=list((image * 255).round().byte()), return_tensors="pt")["pixel_values"]


@pytest.mark.parametrize("size", [(160, 240), (96, 56), (40, 56)])
def test_pictures_are_prepared_as_transformers_does(size: tuple[int, int]) -> None:
    coarse = torch.rand(2, 3, 4, 5)
    image = (torch.nn.functional.interpolate(coarse, size, mode="bilinear") * 255).round() / 255
    difference = (prepared(image, 56) - processed(image)).abs()
    assert float(difference.mean()) < 1 / 255 / 0.26
    assert float(difference.max()) < 4 / 255 / 0.26


def encoder_of() -> CLIPVisionModelWithProjection:
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=128,
        intermediate_size=96,
        projection_dim=VECTOR,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        hidden_act="gelu",
    )
    network = CLIPVisionModelWithProjection(config)
    randomise(network, seed=3)
    return network.eval()


@torch.no_grad()
def test_an_image_encoder_sees_what_that_of_transformers_sees(tmp_path: Path) -> None:
    reference = encoder_of()
    more = {
        "vision_model.embeddings.position_ids": torch.zeros(1, 17),
        "text_model.x": torch.zeros(1),
        "logit_scale": torch.zeros(()),
    }
    vision = load_vision(tiny.save(tmp_path / "v.safetensors", {**reference.state_dict(), **more}), "cpu")
    assert isinstance(vision, ClipVision)
    image = torch.randint(0, 256, (2, 3, 56, 56)) / 255
    output = reference(processed(image), output_hidden_states=True)
    seen = vision.look(image)
    assert relative_error(seen.vector_BD, output.image_embeds) <= TOLERANCE
    assert relative_error(seen.rows_BLD, output.hidden_states[-2]) <= TOLERANCE
    nothing = reference(torch.zeros(1, 3, 56, 56), output_hidden_states=True)
    assert relative_error(vision.nothing().rows_BLD, nothing.hidden_states[-2]) <= TOLERANCE
    assert relative_error(vision.nothing().vector_BD, nothing.image_embeds) <= TOLERANCE


def test_files_that_are_no_image_encoder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match="expected an image encoder of CLIP"):
        load_vision(tiny.save(tmp_path / "a.safetensors", tiny.clip_of().state_dict()), "cpu")
    broken = {name: tensor for name, tensor in encoder_of().state_dict().items() if "layers.2.mlp.fc2" not in name}
    with pytest.raises(BadWeights, match=r"missing tensors \(2\): vision_model\.encoder\.layers\.2\.mlp\.fc2"):
        load_vision(tiny.save(tmp_path / "b.safetensors", broken), "cpu")
