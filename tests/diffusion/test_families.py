"""Recognising families by shapes alone, and the facts each one adds."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from diffusion import families, latents
from diffusion.conditioning import Sizes
from diffusion.families import FAMILIES
from diffusion.families.dit import conditioning as class_conditioning
from diffusion.families.sdxl import size_vector
from diffusion.family import Checkpoint, Family
from diffusion.networks.dit import label_of
from diffusion.networks.layers import timestep_embedding
from diffusion.networks.shapes import Shapes
from diffusion.prediction import Betas, EdmV, Eps, Flow, FluxFlow, LearnedEps, Prediction, V
from diffusion.text.encode import Encoding
from diffusion.weights import Weights
from tests.diffusion import tiny
from tests.diffusion.networks import published
from tests.diffusion.networks.comparison import shapes_of

BY_NAME = {family.name: family for family in FAMILIES}
SIZES = {
    "sd15 tiny": tiny.SD15,
    "sd2 tiny": tiny.SD2,
    "sdxl tiny": tiny.SDXL,
    "sdxl_refiner tiny": tiny.SDXL_REFINER,
    "sd15 inpaint": replace(tiny.SD15, in_channels=9),
    "sd15 edit": replace(tiny.SD15, in_channels=8),
    "sd2 inpaint": replace(tiny.SD2, in_channels=9),
    "sdxl inpaint": replace(tiny.SDXL, in_channels=9),
    "sdxl edit": replace(tiny.SDXL, in_channels=8),
    "sd3 tiny": tiny.SD3,
    "flux tiny": tiny.FLUX,
    "flux schnell": replace(tiny.FLUX, guided=False),
    "dit tiny": tiny.DIT,
    "dit 4": replace(tiny.DIT, patch=4),
    "dit 8": replace(tiny.DIT, patch=8, out_channels=4),
    "pixart_alpha tiny": tiny.PIXART_ALPHA,
    "pixart_alpha 1024": replace(tiny.PIXART_ALPHA, told_size=True, positions=8),
    "pixart_sigma tiny": tiny.PIXART_SIGMA,
    "sd15": published.SD1_5,
    "sd2": published.SD2_1,
    "sdxl": published.SDXL,
    "sdxl_refiner": published.SDXL_REFINER,
    "sd3": published.SD3_MEDIUM,
    "sd3 5-medium": published.SD3_5_MEDIUM,
    "sd3 5-large": published.SD3_5_LARGE,
    "dit xl": published.DIT_XL_2,
    "flux": published.FLUX_DEV,
    "flux of schnell": published.FLUX_SCHNELL,
    "pixart_alpha": published.PIXART_ALPHA,
    "pixart_sigma": published.PIXART_SIGMA,
    "sd15 of inpainting": published.SD1_5_INPAINT,
    "sd15 of editing": published.SD1_5_EDIT,
    "sdxl of inpainting": published.SDXL_INPAINT,
} | {f"dit {name}": params for name, params in published.DIT.items()}


def shapes_for(params: tiny.Params) -> Shapes:
    with torch.device("meta"):
        return shapes_of(tiny.module_of(params))


def test_every_file_of_the_folder_is_a_family() -> None:
    folder = Path(families.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(BY_NAME)


@pytest.mark.parametrize("size", SIZES)
def test_exactly_one_family_recognises_a_network_and_rebuilds_it(size: str) -> None:
    shapes = shapes_for(SIZES[size])
    name, _, _ = size.partition(" ")
    assert [family.name for family in FAMILIES if family.recognise(shapes)] == [name]
    assert families.recognise(shapes).name == name
    with torch.device("meta"):
        assert shapes_of(BY_NAME[name].network(shapes)) == shapes


@pytest.mark.parametrize(
    "shapes",
    [
        {},
        {"a": (1,)},
        {"input_blocks.0.0.weight": (320, 4, 3, 3)},
        {"input_blocks.0.0.weight": (), "x.transformer_blocks.0.attn2.to_k.weight": ()},
        {
            "input_blocks.0.0.weight": (),
            "x.transformer_blocks.0.attn2.to_k.weight": (5, 768),
            "label_emb.0.0.weight": (),
        },
        shapes_of(nn.Linear(2, 2)),
    ],
)
def test_anything_else_is_no_family(shapes: Shapes) -> None:
    assert not any(family.recognise(shapes) for family in FAMILIES)
    with pytest.raises(ValueError, match=r"known are .*Stable Diffusion 1, .*Stable Diffusion 3"):
        families.recognise(shapes)


@pytest.mark.parametrize(
    ("towers", "family"),
    [
        (["clip_l"], "sd15"),
        (["clip_h"], "sd2"),
        (["clip_l", "clip_g"], "sdxl"),
        (["clip_g"], "sdxl_refiner"),
        (["clip_l", "clip_g", "t5xxl"], "sd3"),
        (["clip_l", "t5xxl"], "flux"),
        (["t5xxl"], "pixart_alpha"),
    ],
)
def test_text_towers_tell_their_family(towers: list[str], family: str) -> None:
    assert families.for_towers(towers).name == family


def test_towers_that_no_family_has_together_are_refused() -> None:
    with pytest.raises(ValueError, match="clip_h, t5xxl together"):
        families.for_towers(["t5xxl", "clip_h"])


def checkpoint(
    family: str, tmp_path: Path, extra: dict[str, Tensor] | None = None, metadata: dict[str, str] | None = None
) -> Checkpoint:
    tensors = dict(tiny.network_of(tiny.NETWORKS[family]).state_dict()) | (extra or {})
    weights = Weights.open(tiny.save(tmp_path / "x.safetensors", tensors, metadata))
    return Checkpoint(weights, weights, metadata or {})


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_predictions(family: Family, tmp_path: Path) -> None:
    bias = {"output_blocks.11.1.transformer_blocks.0.norm1.bias": torch.linspace(-0.1, 0.1, 64)}
    found = family.prediction(checkpoint(family.name, tmp_path, bias if family.name == "sd2" else None))
    expected = {
        "sd3": Flow(shift=3.0),
        "flux": FluxFlow(),
        **dict.fromkeys(("dit", "pixart_alpha", "pixart_sigma"), LearnedEps()),
    }
    assert found == expected.get(family.name, Eps())


@pytest.mark.parametrize(
    ("stated", "spread", "expected"),
    [(None, 0.2, V()), (None, 0.1, Eps()), ("epsilon", 0.2, Eps()), ("v", 0.1, V())],
)
def test_sd2_predicts_v_where_the_file_says_so_or_looks_like_it(
    stated: str | None, spread: float, expected: Prediction, tmp_path: Path
) -> None:
    bias = {"output_blocks.11.1.transformer_blocks.0.norm1.bias": torch.linspace(-spread, spread, 64)}
    metadata = {} if stated is None else {"modelspec.predict_key": stated}
    assert BY_NAME["sd2"].prediction(checkpoint("sd2", tmp_path, bias, metadata)) == expected


@pytest.mark.parametrize(
    ("markers", "metadata", "expected"),
    [
        (["v_pred"], {}, V()),
        ([], {"modelspec.predict_key": "v"}, V()),
        (["v_pred", "ztsnr"], {}, V(Betas(ends_in_noise=True))),
        ([], {"modelspec.predict_key": "epsilon"}, Eps()),
    ],
)
def test_sdxl_predicts_v_where_it_is_marked(
    markers: list[str], metadata: dict[str, str], expected: Prediction, tmp_path: Path
) -> None:
    marked = {name: torch.zeros(1) for name in markers}
    assert BY_NAME["sdxl"].prediction(checkpoint("sdxl", tmp_path, marked, metadata)) == expected


@pytest.mark.parametrize("marker", ["edm_mean", "edm_std", "ztsnr"])
def test_sdxl_with_another_prediction_is_refused(marker: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"marked {marker}"):
        BY_NAME["sdxl"].prediction(checkpoint("sdxl", tmp_path, {marker: torch.zeros(1)}))


def test_sdxl_marked_edm_has_the_levels_of_the_file(tmp_path: Path) -> None:
    marked = {"edm_vpred.sigma_max": torch.tensor(80.0), "edm_vpred.sigma_min": torch.tensor([0.01])}
    found = BY_NAME["sdxl"].prediction(checkpoint("sdxl", tmp_path, marked))
    assert isinstance(found, EdmV)
    assert (found.sigma_min, found.sigma_max) == (pytest.approx(0.01), pytest.approx(80))
    alone = {"edm_vpred.sigma_max": torch.tensor(80.0)}
    found = BY_NAME["sdxl"].prediction(checkpoint("sdxl", tmp_path, alone))
    assert (found.sigma_min, found.sigma_max) == (pytest.approx(0.002), pytest.approx(80))
    with pytest.raises(ValueError, match=r"edm_vpred\.sigma_max': expected a noise level, got \[-1\.0\]"):
        BY_NAME["sdxl"].prediction(checkpoint("sdxl", tmp_path, {"edm_vpred.sigma_max": torch.tensor(-1.0)}))


def test_sd2_that_starts_from_a_picture_predicts_eps_and_marks_count(tmp_path: Path) -> None:
    spread = {"output_blocks.11.1.transformer_blocks.0.norm1.bias": torch.linspace(-0.2, 0.2, 64)}
    conv_in = {"input_blocks.0.0.weight": torch.zeros(64, 9, 3, 3)}
    sd2 = BY_NAME["sd2"]
    assert sd2.prediction(checkpoint("sd2", tmp_path, spread | conv_in)) == Eps()
    marked = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    assert sd2.prediction(checkpoint("sd2", tmp_path, marked)) == V(Betas(ends_in_noise=True))


@pytest.mark.parametrize(
    ("family", "width", "pooled"),
    [("sd15", 768, 0), ("sd2", 1024, 0), ("sdxl", 2048, 2048), ("sdxl_refiner", 1280, 1280), ("sd3", 64, 64)],
)
def test_text_of_another_family_is_refused(family: str, width: int, pooled: int) -> None:
    fit = BY_NAME[family].fit(shapes_for(tiny.NETWORKS[family]), {})
    pooled_BD = torch.zeros(1, pooled)
    context_BLD, _ = fit(torch.zeros(1, 77, width), pooled_BD, Sizes.of(512, 512))
    assert context_BLD.shape == (1, 77, width)
    with pytest.raises(ValueError, match=f"takes text {width} wide, got {width + 1}"):
        fit(torch.zeros(1, 77, width + 1), pooled_BD, Sizes.of(512, 512))


def test_a_unet_with_convolutions_around_its_transformers_may_read_text_of_any_width() -> None:
    shapes = shapes_for(replace(tiny.SD15, context_dim=128))
    assert [family.name for family in FAMILIES if family.recognise(shapes)] == ["sd15"]
    fit = BY_NAME["sd15"].fit(shapes, {})
    assert fit(torch.zeros(1, 77, 128), None, Sizes.of(128, 128))[0].shape == (1, 77, 128)
    with pytest.raises(ValueError, match="takes text 128 wide, got 768"):
        fit(torch.zeros(1, 77, 768), None, Sizes.of(128, 128))


def test_sdxl_vector_is_pooled_g_then_sizes_height_first() -> None:
    fit = BY_NAME["sdxl"].fit(shapes_for(tiny.SDXL), {})
    pooled_BD = torch.randn(2, 2048)
    _, y_BD = fit(torch.zeros(2, 77, 2048), pooled_BD, Sizes.of(832, 1216))
    assert y_BD is not None
    assert y_BD.shape == (2, 2816)
    assert torch.equal(y_BD[:, :1280], pooled_BD[:, 768:])
    frequencies = 10000 ** -(torch.arange(128) / 128)
    for index, number in enumerate((832, 1216, 0, 0, 832, 1216)):
        part = y_BD[0, 1280 + 256 * index :][:256]
        expected = torch.cat(((number * frequencies).cos(), (number * frequencies).sin()))
        assert torch.allclose(part, expected, atol=1e-3)
    assert torch.equal(size_vector(pooled_BD, Sizes.of(832, 1216))[1], y_BD[1, 1280:])
    with pytest.raises(ValueError, match="pooled text of CLIP-G"):
        fit(torch.zeros(1, 77, 2048), None, Sizes.of(512, 512))


def test_the_refiners_vector_ends_with_how_beautiful_the_picture_is() -> None:
    fit = BY_NAME["sdxl_refiner"].fit(shapes_for(tiny.SDXL_REFINER), {})
    pooled_BD = torch.randn(2, 1280)
    _, y_BD = fit(torch.zeros(2, 77, 1280), pooled_BD, replace(Sizes.of(832, 1216), top=8, aesthetic=2.5))
    assert y_BD is not None
    assert torch.equal(y_BD[:, :1280], pooled_BD)
    expected = timestep_embedding(torch.tensor([832, 1216, 8, 0, 2.5]), 256).flatten()
    assert torch.equal(y_BD[1, 1280:], expected)
    with pytest.raises(ValueError, match="pooled text of CLIP-G"):
        fit(torch.zeros(1, 77, 1280), torch.zeros(1, 2048), Sizes.of(512, 512))


def test_networks_of_the_linear_schedule() -> None:
    """Levels of DDPM's betas, and of the noise and variance that come out the noise."""
    found = LearnedEps()
    assert (found.sigma_min, found.sigma_max) == (pytest.approx(0.0100005, rel=1e-4), pytest.approx(157.407, rel=1e-5))
    x, output = torch.randn(1, 4, 2, 2), torch.randn(1, 8, 2, 2)
    assert torch.equal(found.denoised(x, output, 2.0), x - 2.0 * output[:, :4])


def test_a_dit_takes_a_class_or_none_and_no_text() -> None:
    fit = BY_NAME["dit"].fit(shapes_for(tiny.DIT), {})
    sizes = Sizes.of(64, 64)
    for label, row in ((0, 0), (10, 10), (None, 10)):
        context_BLD, y_BD = fit(class_conditioning(label).entries[0].context_BLD.bfloat16(), None, sizes)
        assert (label_of(context_BLD).tolist(), y_BD) == ([row], None)
    with pytest.raises(ValueError, match="expected a class from 0 to 10, got 11"):
        fit(class_conditioning(11).entries[0].context_BLD, None, sizes)
    with pytest.raises(ValueError, match="takes a class, not text"):
        fit(torch.zeros(1, 77, 768), None, sizes)
    with pytest.raises(ValueError, match="reads no text"):
        BY_NAME["dit"].assemble({}, {})({})


def test_pixart_is_told_sizes_where_it_was_trained_so() -> None:
    told = BY_NAME["pixart_alpha"].fit(shapes_for(replace(tiny.PIXART_ALPHA, told_size=True)), {})
    _, y_BD = told(torch.zeros(2, 5, 64), None, Sizes.of(512, 1024))
    assert y_BD is not None
    assert y_BD.tolist() == [[512.0, 1024.0, 0.5]] * 2
    for family, params in (("pixart_alpha", tiny.PIXART_ALPHA), ("pixart_sigma", tiny.PIXART_SIGMA)):
        fit = BY_NAME[family].fit(shapes_for(params), {})
        assert fit(torch.zeros(1, 5, 64), None, Sizes.of(512, 512))[1] is None
        with pytest.raises(ValueError, match=f"{BY_NAME[family].title} takes text 64 wide, got 65"):
            fit(torch.zeros(1, 5, 65), None, Sizes.of(512, 512))


def sd3_encodings(*, t5: bool) -> dict[str, Encoding]:
    encodings = {
        "clip_l": Encoding(torch.randn(1, 77, 768), torch.randn(1, 768)),
        "clip_g": Encoding(torch.randn(1, 77, 1280), torch.randn(1, 1280)),
    }
    return encodings | ({"t5xxl": Encoding(torch.randn(1, 77, 4096), None)} if t5 else {})


def test_sd3_text_is_clip_then_t5() -> None:
    encodings = sd3_encodings(t5=True)
    conditioning = BY_NAME["sd3"].assemble(shapes_for(published.SD3_MEDIUM), {})(encodings).entries[0]
    context_LD = conditioning.context_BLD[0]
    assert context_LD.shape == (154, 4096)
    assert torch.equal(context_LD[:77, :768], encodings["clip_l"].context_1LD[0])
    assert torch.equal(context_LD[:77, 768:2048], encodings["clip_g"].context_1LD[0])
    assert not context_LD[:77, 2048:].any()
    assert torch.equal(context_LD[77:], encodings["t5xxl"].context_1LD[0])
    assert conditioning.pooled_BD is not None
    assert conditioning.pooled_BD.shape == (1, 2048)


@pytest.mark.parametrize(
    ("metadata", "rows"), [({}, 154), ({"weft.absent_t5": "zeros"}, 154), ({"weft.absent_t5": "drop"}, 77)]
)
def test_sd3_without_t5_does_what_the_checkpoint_says(metadata: dict[str, str], rows: int) -> None:
    sd3, shapes = BY_NAME["sd3"], shapes_for(published.SD3_MEDIUM)
    conditioning = sd3.assemble(shapes, metadata)(sd3_encodings(t5=False)).entries[0]
    assert conditioning.context_BLD.shape == (1, rows, 4096)
    assert not conditioning.context_BLD[:, 77:].any()
    # The same from CLIP towers in files of their own, which know nothing of the network.
    apart = BY_NAME["sdxl"].assemble({}, {})(sd3_encodings(t5=False)).entries[0]
    context_BLD, y_BD = sd3.fit(shapes, metadata)(apart.context_BLD, apart.pooled_BD, Sizes.of(512, 512))
    assert context_BLD.shape == (1, rows, 4096)
    assert y_BD is not None
    assert y_BD.shape == (1, 2048)


@pytest.mark.parametrize(("missing", "columns"), [("clip_l", slice(0, 24)), ("clip_g", slice(24, 64))])
def test_sd3_without_one_of_two_narrow_towers_has_zeros_in_its_columns(missing: str, columns: slice) -> None:
    both = {
        "clip_l": Encoding(torch.randn(1, 77, 24), torch.randn(1, 24)),
        "clip_g": Encoding(torch.randn(1, 77, 40), torch.randn(1, 40)),
    }
    shapes = {"context_embedder.weight": (64, 64), "y_embedder.mlp.0.weight": (64, 64)}
    assemble = BY_NAME["sd3"].assemble(shapes, {"weft.absent_t5": "drop"})
    whole, part = (assemble(given).entries[0] for given in (both, {k: v for k, v in both.items() if k != missing}))
    for expected, got in ((whole.context_BLD, part.context_BLD), (whole.pooled_BD, part.pooled_BD)):
        assert expected is not None
        expected[..., columns] = 0
        torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_sd3_with_another_choice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"weft\.absent_t5: expected 'zeros' or 'drop', got 'maybe'"):
        BY_NAME["sd3"].fit(shapes_for(tiny.SD3), {"weft.absent_t5": "maybe"})


def test_sd3_needs_pooled_text_of_its_width() -> None:
    fit = BY_NAME["sd3"].fit(shapes_for(published.SD3_MEDIUM), {})
    with pytest.raises(ValueError, match="pooled text 2048 wide, got none"):
        fit(torch.zeros(1, 77, 4096), None, Sizes.of(512, 512))
    with pytest.raises(ValueError, match="pooled text 2048 wide, got one 768 wide"):
        fit(torch.zeros(1, 77, 4096), torch.zeros(1, 768), Sizes.of(512, 512))


@pytest.mark.parametrize("latent_format", [latents.SD15, latents.SDXL, latents.SD3, latents.FLUX])
def test_latent_formats(latent_format: latents.LatentFormat) -> None:
    raw = torch.randn(2, latent_format.channels, 3, 5)
    inside = latent_format.process_in(raw)
    assert torch.allclose(inside, (raw - latent_format.shift) * latent_format.scale)
    assert torch.allclose(latent_format.process_out(inside), raw, atol=1e-6)
    assert len(latent_format.rgb) == latent_format.channels + 1
    colours = latent_format.preview(inside)
    assert colours.shape == (2, 3, 3, 5)
    weights, bias = torch.tensor(latent_format.rgb[:-1]), torch.tensor(latent_format.rgb[-1])
    expected = (inside[1, :, 2, 4] @ weights + bias).clamp(-1, 1)
    assert torch.allclose(colours[1, :, 2, 4], expected, atol=1e-6)


def test_a_checkpoint_brings_its_own_colours() -> None:
    rows = [[0.1 * row, 0.0, -0.5] for row in range(5)]
    own = latents.with_rgb(latents.SD15, json.dumps(rows))
    assert own.scale == latents.SD15.scale
    assert torch.allclose(own.preview(torch.zeros(1, 4, 1, 1)).flatten(), torch.tensor([0.4, 0.0, -0.5]))


@pytest.mark.parametrize(
    "value", ["", "{}", "[1, 2]", "[[1, 2, 3]]", "[[0,0,0],[0,0,0],[0,0,0],[0,0,0],[0,0,NaN]]", "[" * 9999]
)
def test_colours_that_are_none_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="latent colours"):
        latents.with_rgb(latents.SD15, value)


def test_nobody_else_asks_which_family() -> None:
    """The library's other modules never compare with a family's name."""
    root = Path(families.__file__).parents[1]
    names = set(BY_NAME)
    for path in root.rglob("*.py"):
        if path.parent.name != "families":
            tree = ast.parse(path.read_text("utf-8"))
            strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            assert not names & {string for string in strings if isinstance(string, str)}, path
